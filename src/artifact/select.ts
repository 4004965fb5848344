import { reach, type Reach, type ReachInput } from '../manifest/reach.ts';
import type { Tree } from '../manifest/tree.ts';
import type { Entries, Entry } from './entries.ts';
import { bringsBack, ignoreFileName } from './ignore.ts';

/** What belongs into one artifact. */
export interface Selection {
  /** Sorted by path, bytewise. */
  readonly entries: readonly Entry[];
  /** How it was chosen: `reached`, `folder` (as configured), or `wide`: folder and reached, since reach was not certain. */
  readonly by: 'reached' | 'folder' | 'wide';
  /** What `reach` did not understand. */
  readonly notes: readonly string[];
  /** Folders that Flux builds from it. */
  readonly builds: Reach['builds'];
}

/** What to select. */
export interface SelectionInput {
  readonly files: 'reached' | 'folder';
  /** The artifact's folder; '' or '.' = the repository. */
  readonly path: string;
  readonly roots: readonly string[];
  /** The commit's files without those that Flux ignores, and their tree (with the barred). */
  readonly entries: Entries;
  readonly tree: Tree;
  /** Texts by path. */
  readonly contents: ReadonlyMap<string, string>;
  readonly sameSource?: ReachInput['sameSource'];
  readonly read?: ReachInput['read'];
  readonly rendered?: ReachInput['rendered'];
  /** Take folder and reached together, whatever is understood. */
  readonly wide?: boolean;
}

/**
 * Chooses an artifact's files. `needs`: paths whose texts are wanted before the answer is final. `barred`: sentences
 * about what cannot travel. `refused`: sentences about what can never work in Flux.
 */
export function selectFiles(input: SelectionInput): {
  readonly needs: readonly string[];
  readonly selection: Selection;
  readonly barred: readonly string[];
  readonly refused: readonly string[];
} {
  const { entries, tree } = input;
  const folder = input.path === '.' ? '' : input.path;
  const { roots, contents, sameSource, read, rendered = [] } = input;
  const more = { ...(sameSource ? { sameSource } : {}), ...(read ? { read } : {}) };
  const found = reach({ roots, tree, contents, rendered, ...more });
  const notes = found.unclear.map((note) => `${note.file}: ${note.message}`);
  const wide = input.wide === true || (input.files === 'reached' && notes.length > 0);
  const paths = new Set(input.files === 'folder' && !wide ? [] : found.files);
  if (input.files === 'folder' || wide) for (const path of tree.below(folder)) paths.add(path);
  for (const path of ignoreFiles(paths, entries, input.contents)) paths.add(path);

  const chosen = [...paths].flatMap((path) => entries.files.get(path) ?? []);
  const barred = [...entries.barred].filter(([path]) => paths.has(path)).map(([path, reason]) => `${path} ${reason}`);
  return {
    needs: found.needs,
    selection: {
      entries: sortBytewise(chosen),
      by: wide ? 'wide' : input.files,
      notes,
      builds: found.builds,
    },
    barred,
    refused: found.refused.map((note) => `${note.file}: ${note.message}`),
  };
}

function sortBytewise(entries: readonly Entry[]): readonly Entry[] {
  const keyed = entries.map((entry) => ({ entry, key: Buffer.from(entry.path) }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ entry }) => entry);
}

/** .sourceignore files above the chosen files, as far as they bring back what Flux would leave out. */
function ignoreFiles(
  paths: ReadonlySet<string>,
  entries: Entries,
  contents: ReadonlyMap<string, string>,
): readonly string[] {
  const folders = new Set(['']);
  for (const path of paths) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      folders.add(`${path.slice(0, slash)}/`);
    }
  }
  return [...folders]
    .map((folder) => folder + ignoreFileName)
    .filter((path) => entries.files.has(path) && bringsBack(contents.get(path) ?? ''));
}
