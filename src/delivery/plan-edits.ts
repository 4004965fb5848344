import type { ImageChange } from '../app/change.ts';
import type { Pair } from '../config/config.ts';
import type { Edit, FileChange, ManifestChange, NotTaken, Target } from '../manifest/change.ts';
import { applyEdits, unifiedDiff } from '../manifest/edit.ts';
import { planManifestChange } from '../manifest/plan.ts';
import type { Scope } from './scope.ts';

/** One app in one environment, and what is to change there. */
export interface PairChange {
  readonly pair: Pair;
  readonly scope: Scope;
  readonly images: readonly ImageChange[];
}

/** The edits of one commit. */
export interface EditPlan {
  readonly manifest: ManifestChange;
  /** New contents of the files that change, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Unified diff; '' where nothing changes. */
  readonly diff: string;
}

/**
 * Plans the pairs one after the other, each on what the former made of the files, so that several apps and
 * environments fit into one commit. Faults as `planManifestChange`.
 */
export function planEdits(pairs: readonly PairChange[]): EditPlan {
  const before = new Map<string, Uint8Array>();
  const after = new Map<string, Uint8Array>();
  const edits = new Map<string, readonly Edit[]>();
  const targets: Target[] = [];
  const notTaken: NotTaken[] = [];
  for (const { pair, scope, images } of pairs) {
    const files = new Map([...scope.files].map(([path, content]) => [path, after.get(path) ?? content]));
    const change = planManifestChange({
      files,
      images,
      values: scope.values,
      targets: scope.targets,
      mode: 'update',
      pin: pair.pin,
      shared: scope.shared,
      elsewhere: scope.elsewhere,
    });
    targets.push(...change.targets);
    notTaken.push(...change.notTaken);
    for (const file of change.files) {
      const old = files.get(file.path)!;
      const now = applyEdits(old, file.edits);
      if (!before.has(file.path)) before.set(file.path, old);
      edits.set(file.path, after.has(file.path) ? differenceOf(before.get(file.path)!, now) : file.edits);
      after.set(file.path, now);
    }
  }
  const changed = [...after.keys()].filter((path) => Buffer.compare(before.get(path)!, after.get(path)!) !== 0).sort();
  const files: FileChange[] = changed.map((path) => ({ path, edits: edits.get(path)! }));
  return {
    manifest: { files, targets, notTaken },
    files: new Map(changed.map((path) => [path, after.get(path)!])),
    diff: changed.map((path) => unifiedDiff(path, before.get(path)!, after.get(path)!)).join(''),
  };
}

/** One edit that makes `after` of `before`, in UTF-16 code units. */
function differenceOf(before: Uint8Array, after: Uint8Array): readonly Edit[] {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const [old, now] = [decoder.decode(before), decoder.decode(after)];
  if (old === now) return [];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let tail = 0;
  while (tail < Math.min(old.length, now.length) - start && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  return [{ start, end: old.length - tail, text: now.slice(start, now.length - tail) }];
}
