import { posix } from 'node:path';
import { Fault } from '../fault.ts';
import { treeOf, type Tree } from '../manifest/tree.ts';
import type { DeliveryClone } from '../systems/git-remote.ts';
import type { TreeEntry } from '../systems/git.ts';

/** The files of one commit of the delivery repository; contents come on demand, each round in one batch. */
export interface Tip extends Tree {
  readonly sha: string;
  /**
   * Fetches the manifests below the folders of each app (of one app at most a few hundred) in one batch, since they will
   * most likely be read.
   */
  prefetch(apps: readonly (readonly string[])[], files?: readonly string[]): Promise<void>;
  /** Content by path; Fault `file_missing` where a path is no file. A symlink gives that of the file it leads to. */
  read(paths: Iterable<string>): Promise<ReadonlyMap<string, Uint8Array>>;
  /** The path that a symlink finally names (inside the repository), else the path itself; null where it leads nowhere. */
  follow(path: string): Promise<string | null>;
}

/** Contents by object id: what an earlier attempt has read is not read again. */
export type TipCache = Map<string, Uint8Array>;

const MOST_LINKS = 20;
/** Files of one app that a prefetch brings at most: beyond, only what is really reached is fetched. */
const MOST_FILES = 300;

/** Opens the clone's tip. */
export async function openTip(clone: DeliveryClone, cache: TipCache, signal?: AbortSignal): Promise<Tip> {
  const entries = new Map((await clone.tree()).map((entry) => [entry.path, entry]));
  const tree = treeOf(entries.keys());

  async function load(wanted: readonly TreeEntry[]): Promise<void> {
    const missing = [...new Set(wanted.map((entry) => entry.oid))].filter((oid) => !cache.has(oid));
    if (missing.length === 0) return;
    for await (const { oid, content } of clone.blobs(missing, signal)) cache.set(oid, content);
  }

  async function follow(path: string): Promise<string | null> {
    let at = path;
    for (let links = 0; links < MOST_LINKS; links += 1) {
      const entry = entries.get(at);
      if (!entry || entry.mode === '160000') return null;
      if (entry.mode !== '120000') return at;
      await load([entry]);
      const goal = new TextDecoder().decode(cache.get(entry.oid));
      const next = posix.join(posix.dirname(at), goal);
      if (goal.startsWith('/') || next.startsWith('../') || next === '..') {
        throw new Fault('path_outside', `${at} is a symlink that leaves the repository`);
      }
      at = next;
    }
    return null;
  }

  return {
    sha: await clone.head(),
    ...tree,
    follow,
    async prefetch(apps, files = []) {
      const manifests = apps.flatMap((folders) => {
        const below = new Set(folders.flatMap((folder) => tree.below(folder)));
        const own = [...below].filter((path) => /\.(ya?ml|json)$/.test(path));
        return own.length > MOST_FILES ? [] : own;
      });
      const wanted = [...files, ...manifests];
      const found = wanted.flatMap((path) => entries.get(path) ?? []);
      await load(found.filter((entry) => entry.mode !== '160000'));
    },
    async read(paths) {
      const wanted: [string, TreeEntry][] = [];
      for (const path of paths) {
        const real = entries.get(path)?.mode === '120000' ? await follow(path) : path;
        const entry = real === null ? undefined : entries.get(real);
        if (!entry || entry.mode === '160000')
          throw new Fault('file_missing', `${path} is not in the delivery repository`);
        wanted.push([path, entry]);
      }
      await load(wanted.map(([, entry]) => entry));
      return new Map(wanted.map(([path, entry]) => [path, cache.get(entry.oid)!]));
    },
  };
}
