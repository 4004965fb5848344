import { Fault } from '../fault.ts';
import { assemble } from './assemble.ts';
import { planImage } from './by-image.ts';
import { planValue } from './by-path.ts';
import { planSetter } from './by-setter.ts';
import type { ManifestChange } from './change.ts';
import { startWork } from './work.ts';
import type { PlanInput, Work } from './work.ts';

/**
 * Finds the targets of the change in the files and makes the edits: exactly the bytes of the wanted values. Nothing to
 * do is no fault: `files` is empty then, and `notTaken` says `unchanged`. Faults: `target_missing` (with the nearest
 * names), `encrypted`, `edit_refused`, `manifest_unparsable`, `too_large`, `file_missing`, `usage` (a wrong path).
 */
export function planManifestChange(input: PlanInput): ManifestChange {
  const work = startWork(input);
  for (const change of distinct(input.images)) planImage(work, change);
  for (const setter of distinct(input.setters ?? [])) planSetter(work, setter);
  planValues(work);
  return assemble(work);
}

/** The same flag given twice counts once. */
function distinct<T>(changes: readonly T[]): readonly T[] {
  return [...new Map(changes.map((change) => [JSON.stringify(change), change])).values()];
}

/** In `edit`, one path is looked up in all files and must stand in at least one; in `update`, each names its file. */
function planValues(work: Work): void {
  const missing = work.input.values.filter((change) => !planValue(work, change));
  for (const change of missing) {
    const elsewhere =
      work.input.mode === 'edit' &&
      work.input.values.some(
        (each) => each.path === change.path && each.value === change.value && !missing.includes(each),
      );
    if (!elsewhere) {
      throw new Fault('target_missing', `the path ${JSON.stringify(change.path)} leads nowhere`, {
        place: { file: change.file },
        hint: 'Write a JSON Pointer (/a/b/0) or a dotted path (a.b[0], a["b.c"], a[name=api]) of a value that stands there.',
      });
    }
    work.notTaken.push({
      file: change.file,
      kind: 'path',
      image: null,
      reason: 'missing',
      message: `${change.path} leads nowhere in this file`,
    });
  }
}

export type { PlanInput } from './work.ts';
