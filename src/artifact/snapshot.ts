import { posix } from 'node:path';
import { Fault } from '../fault.ts';
import { treeOf, type Tree } from '../manifest/tree.ts';
import type { CommitInfo, GitRepository } from '../systems/git.ts';
import type { ArchiveFile } from './archive.ts';
import { expandLinks, isLinked, links, type Entries, type Entry } from './entries.ts';
import { ignoreFileName, ignoreRules } from './ignore.ts';

/** A commit as Flux would see it: symlinks followed, ignored files gone. Read from git's objects only. */
export interface Snapshot {
  readonly commit: CommitInfo;
  readonly entries: Entries;
  readonly tree: Tree;
  /** Files that Flux leaves out. */
  readonly ignored: readonly string[];
  /** Texts read so far, by path. */
  readonly texts: ReadonlyMap<string, string>;
  /** Reads texts, in one batch. */
  readTexts(paths: readonly string[]): Promise<void>;
  /** Keeps small blobs at hand, in one batch; the others are streamed when they are wanted. */
  prefetch(entries: readonly Entry[]): Promise<void>;
  /** Files with their contents, in order. Fault `tree_refused` for a Git LFS pointer. */
  files(entries: readonly Entry[], signal?: AbortSignal): AsyncGenerator<ArchiveFile>;
  /** As `files`, pointers among them. */
  anyFiles(entries: readonly Entry[], signal?: AbortSignal): AsyncGenerator<ArchiveFile>;
}

/** Larger contents are never held as a whole. */
const STREAMED = 256 * 1024;
const SMALL = 256 * 1024;
const KEPT = 64 * 1024 * 1024;

/** Opens a commit; `ignore: false`: with the files that .sourceignore leaves out. Fault `commit_missing`. */
export async function openSnapshot(
  git: GitRepository,
  sha: string,
  { ignore = true }: { readonly ignore?: boolean } = {},
): Promise<Snapshot> {
  const [commit, tree] = await Promise.all([git.commit(sha), git.tree(sha)]);
  const kept = new Map<string, Uint8Array>();
  let keptBytes = 0;
  const keep = async (oids: readonly string[]) => {
    const wanted = [...new Set(oids)].filter((oid) => !kept.has(oid));
    if (wanted.length === 0) return;
    try {
      for await (const { oid, content } of git.blobs(wanted)) {
        kept.set(oid, content);
        keptBytes += content.byteLength;
      }
    } catch (error) {
      throw unread(
        error,
        wanted.filter((oid) => !kept.has(oid)),
      );
    }
  };
  /** git names an object; people know files. */
  const unread = (error: unknown, oids: readonly string[]) => {
    const file = tree.find(({ oid }) => oids[0] === oid);
    if (!(error instanceof Fault) || error.code !== 'commit_missing' || !file) return error;
    return new Fault(error.code, `${file.path} cannot be read from git (object ${file.oid.slice(0, 12)})`, {
      hint: 'The clone is damaged or incomplete: clone it again (GIT_STRATEGY: clone).',
    });
  };
  const text = (oid: string) => Buffer.from(kept.get(oid) ?? []).toString();

  await keep(links(tree).map((entry) => entry.oid));
  const expanded = expandLinks(tree, new Map(links(tree).map((entry) => [entry.oid, text(entry.oid)])));
  const ignoreFiles = [...expanded.files.values()].filter(({ path }) => posix.basename(path) === ignoreFileName);
  await keep(ignoreFiles.map((entry) => entry.oid));
  const rules = ignore ? ignoreFiles.map((entry) => [entry.path, text(entry.oid)] as const) : [];
  const ignored = ignoreRules(new Map(rules));
  const remaining = <T>(map: ReadonlyMap<string, T>) => new Map([...map].filter(([path]) => !ignored(path)));
  const entries: Entries = { ...expanded, files: remaining(expanded.files), barred: remaining(expanded.barred) };
  const texts = new Map<string, string>();
  for (const { path, oid } of ignoreFiles) if (entries.files.has(path)) texts.set(path, text(oid));

  async function* anyFiles(wanted: readonly Entry[], signal?: AbortSignal): AsyncGenerator<ArchiveFile> {
    const isHeld = (entry: Entry) => entry.size === null || entry.size <= STREAMED;
    const first = new Map<string, number>();
    for (const [index, { oid }] of wanted.entries()) if (!first.has(oid)) first.set(oid, index);
    const last = new Map(wanted.map(({ oid }, index) => [oid, index]));
    // Large contents are read again for each path that has them; others once.
    const asked = wanted.filter((entry, index) => {
      return !kept.has(entry.oid) && (!isHeld(entry) || first.get(entry.oid) === index);
    });
    const oids = asked.map(({ oid }) => oid);
    const stream = git.contents(oids, signal)[Symbol.asyncIterator]();
    const early = new Map<string, Uint8Array>();
    try {
      for (const [index, entry] of wanted.entries()) {
        const { path, oid, executable } = entry;
        let content: ArchiveFile['content'] | undefined = kept.get(oid) ?? early.get(oid);
        if (content === undefined) {
          const next = await stream.next().catch((error: unknown) => Promise.reject(unread(error, [oid])));
          if (next.done || next.value.oid !== oid) throw new Fault('commit_missing', `git gave no content for ${path}`);
          const held = isHeld(entry) ? await next.value.whole() : null;
          if (held && last.get(oid) !== index) early.set(oid, held);
          content = held ?? next.value;
        }
        if (last.get(oid) === index) early.delete(oid);
        yield { path, executable, content };
      }
    } finally {
      await stream.return?.(undefined);
    }
  }

  return {
    commit,
    entries,
    ignored: [...expanded.files.keys()].filter((path) => !entries.files.has(path)),
    texts,
    tree: treeOf([...entries.files.keys(), ...entries.barred.keys()]),
    async readTexts(paths) {
      const found = paths.map((path) => ({ path, oid: entries.files.get(path)?.oid }));
      await keep(found.flatMap(({ oid }) => oid ?? []));
      for (const { path, oid } of found) texts.set(path, oid === undefined ? '' : text(oid));
    },
    async prefetch(wanted) {
      const small: string[] = [];
      let bytes = keptBytes;
      for (const { oid, size } of wanted) {
        if (size === null || size > SMALL || kept.has(oid)) continue;
        bytes += size;
        if (bytes > KEPT) break;
        small.push(oid);
      }
      await keep(small);
    },
    anyFiles,
    async *files(wanted, signal) {
      for await (const file of anyFiles(wanted, signal)) {
        if (file.content instanceof Uint8Array) refusePointer(file.path, file.content);
        yield file;
      }
    },
  };
}

/** A commit as a checkout has it, with its symlinks (those that lead to something), for `materialize`. */
export function checkoutOf(snapshot: Snapshot, signal?: AbortSignal) {
  const { files, links: followed } = snapshot.entries;
  const whole = [...followed].filter(([, { to }]) => files.has(to) || snapshot.tree.isDirectory(to));
  const linked = new Map(whole.map(([path, { text }]) => [path, text]));
  const plain = [...files.values()].filter(({ path }) => !isLinked(path, linked));
  return { content: snapshot.anyFiles(plain, signal), links: linked, names: files.keys() };
}

/** Git LFS leaves a small text in the place of the file (github.com/git-lfs/git-lfs docs/spec.md). */
function refusePointer(path: string, content: Uint8Array): void {
  if (content.byteLength > 1024) return;
  if (!Buffer.from(content).toString('latin1').startsWith('version https://git-lfs.github.com/spec/')) return;
  throw new Fault('tree_refused', `${path} is a Git LFS pointer: Flux would deliver the pointer, not the file`, {
    hint: 'Commit the file itself, or exclude it with .sourceignore.',
  });
}
