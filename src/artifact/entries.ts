import { posix } from 'node:path';

/** An entry of a commit's tree; git's modes: 120000 is a symlink, 160000 a submodule. */
export interface GitEntry {
  readonly path: string;
  readonly mode: string;
  readonly oid: string;
  readonly size: number | null;
}

/** A file that may travel. */
export interface Entry {
  readonly path: string;
  readonly oid: string;
  readonly executable: boolean;
  /** Bytes, where git knows them without fetching. */
  readonly size: number | null;
}

/** A commit's files with every symlink replaced by what it points to. */
export interface Entries {
  readonly files: ReadonlyMap<string, Entry>;
  /** Paths that cannot travel, with the reason as a sentence: submodules, symlinks that lead out or to nothing. */
  readonly barred: ReadonlyMap<string, string>;
  /** Symlinks that were followed: their text as it is in git, and the path that they finally name. */
  readonly links: ReadonlyMap<string, { readonly text: string; readonly to: string }>;
}

/** Is a path a followed symlink, or below one? */
export function isLinked(path: string, followed: ReadonlyMap<string, unknown>): boolean {
  return followed.size > 0 && prefixes(path).some((prefix) => followed.has(prefix));
}

/** How symlinks are read: the text of a symlink's blob, by oid. */
export type LinkTargets = ReadonlyMap<string, string>;

/** Symlinks in a tree, whose blobs must be read for `expandLinks`. */
export function links(tree: readonly GitEntry[]): readonly GitEntry[] {
  return tree.filter((entry) => entry.mode === '120000');
}

/**
 * Follows symlinks inside the repository, to files and folders, through other symlinks. Flux drops symlinks, so their
 * content travels in their place.
 */
export function expandLinks(tree: readonly GitEntry[], targets: LinkTargets): Entries {
  const files = new Map<string, Entry>();
  const barred = new Map<string, string>();
  const linkAt = new Map<string, string>();
  for (const entry of tree) {
    if (entry.mode === '120000') linkAt.set(entry.path, targets.get(entry.oid) ?? '');
    else if (entry.mode === '160000') {
      barred.set(
        entry.path,
        'is a submodule; Flux would find an empty folder: commit its files, or use a source of its own',
      );
    } else {
      const { path, oid, size } = entry;
      files.set(path, { path, oid, size, executable: entry.mode === '100755' });
    }
  }
  const followed = new Map<string, { readonly text: string; readonly to: string }>();
  const plain = [...files.values()];
  for (const path of linkAt.keys()) {
    const target = resolveLink(path, linkAt);
    if (target.path === null) {
      barred.set(path, target.problem);
      continue;
    }
    const found = files.get(target.path);
    if (found && !linkAt.has(target.path)) files.set(path, { ...found, path });
    else if (!copyFolder(path, target.path, plain, linkAt, files, barred)) {
      barred.set(path, `is a symlink to ${target.path}, which is not in the commit`);
    }
    if (!barred.has(path)) followed.set(path, { text: linkAt.get(path) ?? '', to: target.path });
  }
  withoutUnreadable(files, barred);
  return { files, barred, links: followed };
}

/** Bars names that Flux's untar stops at (github.com/fluxcd/pkg/tar `untar.go`, `validRelPath`), and those that are no UTF-8. */
function withoutUnreadable(files: Map<string, Entry>, barred: Map<string, string>): void {
  for (const path of files.keys()) {
    const why = /\\|\.\.\//.test(path)
      ? 'has a name that Flux refuses to unpack (it holds \\ or ../): rename it'
      : path.includes('\uFFFD')
        ? 'has a name that is not UTF-8: rename it'
        : null;
    if (why !== null) barred.set(path, why);
  }
  for (const path of barred.keys()) files.delete(path);
}

/** Puts a folder's files below a symlink to it; false where there are none. Symlinks inside it are followed once more. */
function copyFolder(
  path: string,
  folder: string,
  plain: readonly Entry[],
  linkAt: ReadonlyMap<string, string>,
  files: Map<string, Entry>,
  barred: Map<string, string>,
): boolean {
  if (path === folder || path.startsWith(`${folder}/`) || folder === '') {
    barred.set(path, `is a symlink to ${folder || 'the root'}, which contains it`);
    return true;
  }
  const below = plain.filter((entry) => entry.path.startsWith(`${folder}/`));
  for (const entry of below) {
    const copy = path + entry.path.slice(folder.length);
    files.set(copy, { ...entry, path: copy });
  }
  for (const inner of [...linkAt.keys()].filter((link) => link.startsWith(`${folder}/`))) {
    const target = resolveLink(inner, linkAt);
    const copy = path + inner.slice(folder.length);
    const found = target.path === null ? undefined : plain.find((entry) => entry.path === target.path);
    if (found) files.set(copy, { ...found, path: copy });
    else barred.set(copy, 'is a symlink inside a symlinked folder that leads to no file');
  }
  return below.length > 0;
}

/** The repository path that a symlink finally names. */
function resolveLink(
  link: string,
  linkAt: ReadonlyMap<string, string>,
): { readonly path: string } | { readonly path: null; readonly problem: string } {
  let path = link;
  for (let hops = 0; hops < 40; hops++) {
    const first = prefixes(path).find((prefix) => linkAt.has(prefix));
    if (first === undefined) return { path };
    const target = linkAt.get(first) ?? '';
    const rest = path.slice(first.length);
    const joined = posix.normalize(posix.join(posix.dirname(first), target) + rest);
    if (target === '' || posix.isAbsolute(target) || joined === '..' || joined.startsWith('../')) {
      return { path: null, problem: `is a symlink to ${target}, which leaves the repository` };
    }
    path = joined === '.' ? '' : joined.replace(/\/$/, '');
  }
  return { path: null, problem: 'is a symlink that leads to itself' };
}

function prefixes(path: string): readonly string[] {
  const segments = path.split('/');
  return segments.map((_, index) => segments.slice(0, index + 1).join('/'));
}
