import { Fault } from '../../fault.ts';
import type { ImageChange } from '../../app/change.ts';
import { readImage } from '../../app/image.ts';
import type { Edit } from '../change.ts';
import { placesOf } from '../text.ts';
import { referenceText } from '../slot.ts';

/** A full reference of the image in a text that is no YAML. */
export interface TextMatch {
  readonly before: string;
  readonly after: string;
  readonly edit: Edit;
}

/**
 * The one place where the text holds `NAME:tag` or `NAME@digest`; null where it holds none. Fault `edit_refused` where
 * there are several. `given` is the change as it is written.
 */
export function findInText(path: string, text: string, change: ImageChange, given: ImageChange): TextMatch | null {
  const name = change.name.replace(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`);
  const pattern = new RegExp(
    String.raw`(?<![\w./:@-])${name}(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?(?![\w/.@-]|:\S)`,
    'g',
  );
  const matches = [...text.matchAll(pattern)].filter((match) => /[:@]/.test(match[0].slice(change.name.length)));
  if (matches.length === 0) return null;
  const place = placesOf(path, text);
  const [first, second] = matches;
  if (!first) return null;
  if (second) {
    throw new Fault(
      'edit_refused',
      `a template is patched as text only where the image stands once; it stands ${matches.length} times`,
      {
        place: place(second.index),
      },
    );
  }
  const image = readImage(first[0]);
  if (!image) return null;
  const after = referenceText(given, image);
  return { before: first[0], after, edit: { start: first.index, end: first.index + first[0].length, text: after } };
}
