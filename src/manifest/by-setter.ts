import { parseImage, readImage } from '../app/image.ts';
import { Fault } from '../fault.ts';
import { isDocument } from './path.ts';
import { isManifestPath } from './open.ts';
import { findMarked, writeMarked } from './target/setter.ts';
import type { Marked } from './target/setter.ts';
import { holdsText } from './text.ts';
import { plannedWrites } from './work.ts';
import type { SetterChange, Work } from './work.ts';

/** Reads `NAMESPACE:POLICY[:tag|:name|:digest]=VALUE`, as in `--setter`. Fault `usage`. */
export function parseSetterFlag(text: string): SetterChange {
  const match = /^([^:=\s]+:[^:=\s]+)(?::(tag|name|digest))?=(\S+)$/.exec(text);
  if (!match) {
    throw new Fault('usage', `${JSON.stringify(text)} is not NAMESPACE:POLICY[:tag|:name|:digest]=VALUE`, {
      hint: 'Write e.g. --setter flux-system:podinfo:tag=1.2.3.',
    });
  }
  return { policy: match[1]!, part: (match[2] as SetterChange['part'] | undefined) ?? null, value: match[3]! };
}

/**
 * Plans a setter over all files, as Flux's image automation does: the whole image sets its parts too. Faults
 * `target_missing` where no marker names the policy (or part), `image_reference`, and those of the files.
 */
export function planSetter(work: Work, setter: SetterChange): void {
  if (setter.part === null) parseImage(setter.value);
  const seen = new Set<string>();
  let taken = 0;
  for (const [path, content] of work.input.files) {
    if (!isManifestPath(path) && !work.input.named?.has(path)) continue;
    if (!holdsText(content, '"$imagepolicy"')) continue;
    const opened = work.open(path);
    const mine = holdsText(content, `"${setter.policy}`);
    if (opened.type === 'unparsable' && (mine || work.input.named?.has(path))) throw opened.fault;
    if (opened.type === 'encrypted' && mine) throw new Fault('encrypted', opened.reason, { place: { file: path } });
    if (opened.type !== 'manifest') continue;
    for (const document of opened.file.documents) {
      if (work.input.document !== undefined && !isDocument(document, work.input.document)) continue;
      for (const marked of findMarked(opened.file, document)) {
        seen.add(`${marked.policy}${marked.part === 'image' ? '' : `:${marked.part}`}`);
        const after = marked.policy === setter.policy ? valueFor(setter, marked) : null;
        if (after === null) continue;
        taken += 1;
        work.planned.push(...plannedWrites(opened.file, 'setter', null, marked.host, [writeMarked(marked, after)]));
      }
    }
  }
  if (taken > 0) return;
  const known = [...seen].toSorted().slice(0, 10);
  throw new Fault(
    'target_missing',
    `no marker names ${setter.policy}${setter.part === null ? '' : `:${setter.part}`}`,
    {
      hint:
        known.length === 0
          ? 'There are no {"$imagepolicy": …} markers in these files.'
          : `Markers here: ${known.join(', ')}.`,
    },
  );
}

function valueFor(setter: SetterChange, marked: Marked): string | null {
  if (setter.part !== null) return marked.part === setter.part ? setter.value : null;
  if (marked.part === 'image') return setter.value;
  const image = readImage(setter.value);
  return image ? image[marked.part] : null;
}
