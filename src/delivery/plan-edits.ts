import type { ImageChange } from '../app/change.ts';
import type { Pair } from '../config/config.ts';
import type { Edit, FileChange, ManifestChange, NotTaken, Target } from '../manifest/change.ts';
import { unifiedDiff } from '../manifest/diff.ts';
import { applyEdits, composeEdits, rawText } from '../manifest/edit.ts';
import { planInSteps } from '../manifest/plan.ts';
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

/** A file as the pairs so far make it. */
interface Edited {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  /** Of `before`. */
  readonly edits: readonly Edit[];
}

/**
 * Plans the pairs one after the other, each on what the former made of the files, so that several apps and
 * environments fit into one commit; file by file. Faults as `planManifestChange`.
 */
export function* planEdits(pairs: readonly PairChange[]): Generator<void, EditPlan> {
  const edited = new Map<string, Edited>();
  const targets: Target[] = [];
  const notTaken: NotTaken[] = [];
  for (const { pair, scope, images } of pairs) {
    const files = new Map([...scope.files].map(([path, content]) => [path, edited.get(path)?.after ?? content]));
    const change = yield* planInSteps({
      files,
      images,
      values: scope.values,
      targets: scope.targets,
      mode: 'update',
      pin: pair.pin,
      shared: scope.shared,
      elsewhere: scope.elsewhere,
    });
    for (const each of change.targets) targets.push(each);
    for (const each of change.notTaken) notTaken.push(each);
    for (const { path, edits } of change.files) edited.set(path, editedBy(edited.get(path), files.get(path)!, edits));
  }
  const changed = [...edited]
    .filter(([, { edits }]) => edits.length > 0)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const files: FileChange[] = changed.map(([path, { edits }]) => ({ path, edits }));
  return {
    manifest: { files, targets, notTaken },
    files: new Map(changed.map(([path, { after }]) => [path, after])),
    diff: changed.map(([path, { before, edits }]) => unifiedDiff(path, rawText(before), edits)).join(''),
  };
}

/** What further edits make of a file; `now` is its content so far. */
function editedBy(former: Edited | undefined, now: Uint8Array, edits: readonly Edit[]): Edited {
  const after = applyEdits(now, edits);
  if (!former) return { before: now, after, edits };
  return { before: former.before, after, edits: composeEdits(rawText(former.before), former.edits, edits) };
}
