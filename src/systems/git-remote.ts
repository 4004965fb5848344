/** The delivery repository over the network: a bare, shallow, blobless clone in a temporary folder, and pushes. */

/** A clone to compute a commit in. Never has a work tree; nothing of the repository's content is executed. */
export interface DeliveryClone extends AsyncDisposable {
  readonly branch: string;
  /** Folder of the bare repository; GitRepository reads it. */
  readonly folder: string;
  /** Tip of the branch, as last fetched. */
  head(): Promise<string>;
  /** Fetches the branch again; answers its new tip. */
  refresh(signal?: AbortSignal): Promise<string>;
  /** Fetches history (commits without trees) back to `since` (seconds since the epoch), or all of it for null. */
  deepen(since: number | null, signal?: AbortSignal): Promise<void>;
  /** Fetches missing blobs in one batch. */
  fetchBlobs(oids: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Writes a commit on `parent` that replaces the contents of the files named (modes are kept); answers its id. */
  commit(parent: string, files: ReadonlyMap<string, Uint8Array>, message: string): Promise<string>;
  /** Pushes a commit to a branch. 'raced': somebody pushed first. `lease`: expected old tip ('' = must not exist) for our own merge-request branches. */
  push(
    sha: string,
    branch: string,
    options?: { readonly lease?: string; readonly signal?: AbortSignal },
  ): Promise<'pushed' | 'raced'>;
  /** Tip of another branch on the server, or null. */
  remoteBranch(branch: string, signal?: AbortSignal): Promise<string | null>;
}

/**
 * Rejects with `Fault`: `branch_missing`, `token_refused`, `git_unavailable`, `push_refused` (protected branch, hook;
 * the server's words in the message), `tool_missing`.
 */
export interface DeliveryGit {
  clone(url: string, branch: string, signal?: AbortSignal): Promise<DeliveryClone>;
}
