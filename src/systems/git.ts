/** A local git repository, read only: objects and history, never the work tree. */

/** One entry of a commit's tree. */
export interface TreeEntry {
  /** Path from the root, forward slashes. */
  readonly path: string;
  /** git's mode: 100644, 100755, 120000 (symlink), 160000 (submodule). */
  readonly mode: string;
  readonly oid: string;
  /** Bytes; null for submodules. */
  readonly size: number | null;
}

/** One commit. */
export interface CommitInfo {
  readonly sha: string;
  readonly parents: readonly string[];
  /** Committer date, seconds since the epoch. */
  readonly committedAt: number;
  readonly message: string;
}

/** One blob, to be read whole or in chunks before the next is asked for; what is not read is passed over. */
export interface BlobContent {
  readonly oid: string;
  /** Bytes. */
  readonly size: number;
  whole(): Promise<Uint8Array>;
  chunks(): AsyncIterable<Uint8Array>;
}

/** Reads a local repository. Methods reject with `Fault` `commit_missing` where a commit is not there. */
export interface GitRepository {
  /** Folder of the repository (work tree or bare). */
  readonly folder: string;
  /** The commit (40 hex) that a revision names, or null. */
  resolve(revision: string): Promise<string | null>;
  commit(sha: string): Promise<CommitInfo>;
  /** All files of the commit's tree, recursively, in git's order; below `folders` only, when given. */
  tree(sha: string, folders?: readonly string[]): Promise<readonly TreeEntry[]>;
  /** Contents of the blobs, in the order asked for, one at a time. */
  blobs(
    oids: readonly string[],
    signal?: AbortSignal,
  ): AsyncIterable<{ readonly oid: string; readonly content: Uint8Array }>;
  /** As `blobs`, for contents that are too large to be held. */
  contents(oids: readonly string[], signal?: AbortSignal): AsyncIterable<BlobContent>;
  /** Blobs (oids) that a file was in the history of `until`, newest first, each once, as far as the clone shows it. */
  versions(path: string, until: string, limit: number): Promise<readonly string[]>;
  /** Are commits missing because the clone is shallow? */
  isShallow(): Promise<boolean>;
  /** Commits reachable from `until` and not from `since` (null: all), newest first. */
  log(since: string | null, until: string, limit?: number): Promise<readonly CommitInfo[]>;
  /** Is `older` an ancestor of (or equal to) `newer`? Deepens a shallow clone without trees where needed. */
  isAncestor(older: string, newer: string): Promise<boolean>;
}
