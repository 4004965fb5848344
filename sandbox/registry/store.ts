import { createHash } from 'node:crypto';

/** A manifest as it was pushed. */
export interface StoredManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly content: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly pushedAt: number;
}

/** One accepted manifest push, oldest first in the log; `tag` is null for a push by digest. */
export interface Push {
  readonly at: number;
  readonly repository: string;
  readonly tag: string | null;
  readonly digest: string;
}

interface Repository {
  readonly blobs: Set<string>;
  readonly manifests: Map<string, StoredManifest>;
  readonly tags: Map<string, string>;
}

/** The registry's content, in memory: blobs are shared, but visible only in the repositories they were pushed to. */
export interface Store {
  /** Names with at least one manifest or blob, sorted. */
  repositories(): readonly string[];
  /** Tag → manifest digest, sorted by tag; empty for an unknown repository. */
  tags(repository: string): ReadonlyMap<string, string>;
  exists(repository: string): boolean;
  /** By tag or digest. */
  manifest(repository: string, reference: string): StoredManifest | null;
  blob(repository: string, digest: string): Uint8Array | null;
  putBlob(repository: string, content: Uint8Array): string;
  /** `reference` is a tag, or the content's digest. */
  putManifest(repository: string, reference: string, mediaType: string, content: Uint8Array): StoredManifest;
  /** Removes a tag, or a manifest with all its tags; false: not there. */
  removeManifest(repository: string, reference: string): boolean;
  removeBlob(repository: string, digest: string): boolean;
  readonly pushes: readonly Push[];
}

/** "sha256:<hex>" of bytes. */
export function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** An empty store; `now` gives milliseconds since the epoch. */
export function createStore(now: () => number): Store {
  const repositories = new Map<string, Repository>();
  const blobs = new Map<string, Uint8Array>();
  const pushes: Push[] = [];
  const at = (name: string) => repositories.get(name);
  const open = (name: string): Repository => {
    const found = repositories.get(name) ?? { blobs: new Set(), manifests: new Map(), tags: new Map() };
    repositories.set(name, found);
    return found;
  };
  const digestIn = (repository: Repository | undefined, reference: string) =>
    reference.startsWith('sha256:') ? reference : repository?.tags.get(reference);

  return {
    pushes,
    repositories: () => [...repositories.keys()].sort(),
    tags: (name) => new Map([...(at(name)?.tags ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))),
    exists: (name) => repositories.has(name),
    manifest(name, reference) {
      const digest = digestIn(at(name), reference);
      return (digest === undefined ? undefined : at(name)?.manifests.get(digest)) ?? null;
    },
    blob: (name, digest) => (at(name)?.blobs.has(digest) ? (blobs.get(digest) ?? null) : null),
    putBlob(name, content) {
      const digest = digestOf(content);
      blobs.set(digest, content);
      open(name).blobs.add(digest);
      return digest;
    },
    putManifest(name, reference, mediaType, content) {
      const repository = open(name);
      const digest = digestOf(content);
      const tag = reference.startsWith('sha256:') ? null : reference;
      const manifest = repository.manifests.get(digest) ?? { digest, mediaType, content, pushedAt: now() };
      repository.manifests.set(digest, manifest);
      if (tag !== null) repository.tags.set(tag, digest);
      pushes.push({ at: now(), repository: name, tag, digest });
      return manifest;
    },
    removeManifest(name, reference) {
      const repository = at(name);
      if (!repository) return false;
      if (!reference.startsWith('sha256:')) return repository.tags.delete(reference);
      for (const [tag, digest] of repository.tags) if (digest === reference) repository.tags.delete(tag);
      return repository.manifests.delete(reference);
    },
    removeBlob: (name, digest) => at(name)?.blobs.delete(digest) ?? false,
  };
}
