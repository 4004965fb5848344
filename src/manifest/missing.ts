import type { ImageChange } from '../app/change.ts';
import { Fault, formatPlace } from '../fault.ts';
import type { NotTaken } from './change.ts';
import { nearestNames } from './nearest.ts';
import { holdsText } from './text.ts';
import { openFile } from './open.ts';
import type { PlanInput } from './work.ts';

/** Named files are opened at most so many, when nothing was found, to tell what is wrong with them. */
const openedAtMost = 200;

const sameName = ', with a registry beside it, or in a place that has to be named by path';

/**
 * The fault of an image that no file holds: `encrypted` where only encrypted files do, the fault of a named file that
 * cannot be read, else `target_missing` with the nearest names. Adds the near ones to the notes of the plan.
 */
export function missingImage(input: PlanInput, change: ImageChange, passed: readonly NotTaken[]): Fault {
  const encrypted = passed.find(({ reason }) => reason === 'encrypted');
  if (encrypted) {
    return new Fault('encrypted', `${change.name} stands in an encrypted file only: ${encrypted.message}`, {
      place: { file: encrypted.file },
    });
  }
  for (const path of [...(input.named ?? [])].slice(0, openedAtMost)) {
    const opened = openFile(path, input.files.get(path)!);
    if (opened.type === 'unparsable') return opened.fault;
  }
  const hidden = hiddenByEncryption(input);
  if (hidden !== null) {
    return new Fault('encrypted', `${change.name} was not found, and image values here are encrypted`, {
      place: { file: hidden },
    });
  }
  const document = input.document === undefined ? '' : ` (document ${input.document} alone)`;
  const here = nearestNames(change.name, input.files);
  const there = nearestNames(change.name, input.elsewhere ?? new Map());
  const lines = [
    ...here.map((near) => `${near.name} (${formatPlace(near)}${near.name === change.name ? sameName : ''})`),
    ...there.map((near) => `${near.name} in another environment (${formatPlace(near)})`),
    ...passed
      .filter(({ reason }) => reason === 'shared' || reason === 'template' || reason === 'unparsable')
      .map(({ file, reason, message }) => `${file} was not taken (${reason}): ${message}`),
  ];
  return new Fault(
    'target_missing',
    `no target holds the image ${change.name} in ${input.files.size} file(s)${document}`,
    {
      hint: lines.length === 0 ? undefined : `Nearest: ${lines.join('; ')}.`,
    },
  );
}

/** A file whose image values SOPS has encrypted, so that no name can be seen. */
function hiddenByEncryption(input: PlanInput): string | null {
  for (const [path, content] of input.files) {
    if (!holdsText(content, 'ENC[AES256_GCM')) continue;
    if (
      /(?:image|repository|tag|newTag|newName|digest)["']?\s*[:=]\s*["']?ENC\[AES256_GCM/i.test(
        new TextDecoder().decode(content),
      )
    )
      return path;
  }
  return null;
}
