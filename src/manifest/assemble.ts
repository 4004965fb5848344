import { Fault } from '../fault.ts';
import type { Edit, FileChange, ManifestChange, Target } from './change.ts';
import type { ManifestFile } from './document.ts';
import { editsOf } from './emit.ts';
import { checkSharing } from './sharing.ts';
import { verifyEdits } from './verify.ts';
import type { Planned, Work } from './work.ts';

/**
 * Edits from everything planned: file by file, checked for values that are shared by anchors, for two changes of one
 * value, and by reading the edited file again. Fault `edit_refused`; then nothing may be written.
 */
export function assemble(work: Work): ManifestChange {
  const files = Map.groupBy(withoutRepeated(work.planned), ({ file }) => file);
  const unchanged = new Set(
    work.notTaken.flatMap(({ file, line, reason }) => (reason === 'unchanged' ? [`${line} ${file}`] : [])),
  );
  const changes: FileChange[] = [];
  const targets: Target[] = [];
  for (const path of work.files.keys()) {
    const all = (files.get(path) ?? []).toSorted(
      (one, other) => one.place.line - other.place.line || one.place.column - other.place.column,
    );
    const changing = all.filter(isChange);
    for (const planned of all) {
      const line = `${planned.place.line} ${path}`;
      if (!isChange(planned) && !unchanged.has(line)) {
        unchanged.add(line);
        work.notTaken.push({
          ...planned.place,
          kind: planned.kind,
          image: planned.image,
          reason: 'unchanged',
          message: `${planned.path}: it is already so`,
        });
      }
    }
    if (changing.length === 0) continue;
    changes.push({ path, edits: fileEdits(all, changing) });
    const told = new Set<string>();
    for (const { kind, image, path: where, before, after, place } of changing) {
      const key = `${place.line}:${place.column} ${before} ${after}`;
      if (!told.has(key)) targets.push({ ...place, kind, path: where, image, before, after });
      told.add(key);
    }
  }
  return { files: changes, targets, notTaken: work.notTaken };
}

/** A list entry that is reached twice (by an alias) gets its missing key once. */
function withoutRepeated(planned: readonly Planned[]): readonly Planned[] {
  const added = new Map<unknown, Set<string>>();
  return planned.filter(({ how }) => {
    if (!('write' in how) || how.write.type === 'set') return true;
    const holder = how.write.map;
    const key = how.write.type === 'add' ? `${how.write.key}=${how.write.after}` : `remove ${how.write.path}`;
    const known = added.get(holder) ?? new Set();
    added.set(holder, known);
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
}

/** An added key changes the file even where its value is empty. */
function isChange(planned: Planned): boolean {
  return planned.before !== planned.after || ('write' in planned.how && planned.how.write.type === 'add');
}

function isSet({ how }: Planned): boolean {
  return 'write' in how && how.write.type === 'set';
}

function fileEdits(all: readonly Planned[], changing: readonly Planned[]): readonly Edit[] {
  const manifest = changing.map(({ how }) => ('manifest' in how ? how.manifest : null)).find((each) => each !== null);
  const edits: Edit[] = [];
  const replacing = new Map<string, Edit>();
  const push = (edit: Edit, planned: Planned): void => {
    const range = `${edit.start} ${edit.end} ${isSet(planned)}`;
    const same = replacing.get(range);
    if (!same) edits.push(edit);
    else if (same.text !== edit.text) conflict(planned);
    if (isSet(planned) || edit.end > edit.start) replacing.set(range, edit);
  };
  // A key that is added after an empty value comes after what fills it.
  for (const planned of [...changing.filter(isSet), ...changing.filter((each) => !isSet(each))]) {
    const { how } = planned;
    if ('edit' in how) push(how.edit, planned);
    else for (const edit of editsOf(how.manifest, how.write)) push(edit, planned);
  }
  const sorted = edits.toSorted((one, other) => one.start - other.start || one.end - other.end);
  for (const [index, edit] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next && next.start < edit.end) conflict(changing.at(-1)!);
  }
  if (manifest) checkManifest(manifest, all, changing, sorted);
  return sorted;
}

function checkManifest(
  manifest: ManifestFile,
  all: readonly Planned[],
  changing: readonly Planned[],
  edits: readonly Edit[],
): void {
  const claims = all.flatMap(({ how, kind }) => ('write' in how ? [{ write: how.write, host: how.host, kind }] : []));
  checkSharing(manifest, claims);
  verifyEdits(
    manifest,
    edits,
    changing.flatMap(({ how }) => ('write' in how ? [how.write] : [])),
  );
}

function conflict(planned: Planned): never {
  throw new Fault('edit_refused', `${planned.path}: two of the changes want different values here`, {
    place: planned.place,
  });
}
