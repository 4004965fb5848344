import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A stored artifact: a folder of files, or one file (`layerSelector.operation: copy`, a packed chart). */
export interface StoredArtifact {
  readonly folder: string;
  /** Name of the one file inside, for a copied layer. */
  readonly file: string | null;
  readonly digest: string;
  readonly size: number;
}

/** Source-controller's storage: the newest two artifacts of each source. */
export interface Artifacts {
  keep(source: string, url: string, artifact: StoredArtifact): Promise<void>;
  find(url: string): StoredArtifact | undefined;
  /** Forgets one source's artifacts, or all (a lost volume). */
  forget(source?: string): Promise<void>;
}

/** Empty storage. Folders handed to `keep` belong to it from then on. */
export function createArtifacts(): Artifacts {
  const bySource = new Map<string, { readonly url: string; readonly artifact: StoredArtifact }[]>();
  const drop = (kept: readonly { readonly artifact: StoredArtifact }[]) =>
    Promise.all(kept.map(({ artifact }) => rm(artifact.folder, { recursive: true, force: true, maxRetries: 5 })));
  return {
    keep: async (source, url, artifact) => {
      const kept = [{ url, artifact }, ...(bySource.get(source) ?? []).filter((one) => one.url !== url)];
      bySource.set(source, kept.slice(0, 2));
      await drop(kept.slice(2));
    },
    find: (url) => [...bySource.values()].flat().find((one) => one.url === url)?.artifact,
    forget: async (source) => {
      const names = source === undefined ? [...bySource.keys()] : [source];
      for (const name of names) {
        await drop(bySource.get(name) ?? []);
        bySource.delete(name);
      }
    },
  };
}

/** Files and folders below a folder, in order, as paths with forward slashes; symbolic links are left out. */
export async function walk(folder: string, below = ''): Promise<string[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  const sorted = entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const parts = await Promise.all(
    sorted.map(async (entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) return walk(folder, path);
      return entry.isFile() ? [path] : [];
    }),
  );
  return parts.flat();
}

/** Digest and size over paths, executable bits and contents: the same files give the same digest. */
export async function measure(folder: string): Promise<{ readonly digest: string; readonly size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for (const path of await walk(folder)) {
    const content = await readFile(join(folder, path));
    const { mode } = await lstat(join(folder, path));
    hash.update(`${path}\0${(mode & 0o100) === 0 ? '0600' : '0700'}\0${content.length}\0`).update(content);
    size += content.length;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}
