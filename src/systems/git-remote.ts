import type { CommitInfo, GitRepository, TreeEntry } from './git.ts';

/** The delivery repository over the network: a bare, shallow, blobless clone in a temporary folder, and pushes. */

/** The tip of a branch on the server. */
export interface RemoteTip {
  readonly sha: string;
  readonly message: string;
  /** Was it committed with the identity that this clone commits with? */
  readonly ours: boolean;
}

/** What is known of a branch's history. */
export interface BranchHistory {
  /** Newest first; a commit without parents may be where the history is cut off. */
  readonly commits: readonly CommitInfo[];
  /** All commits since then are there (seconds since the epoch; null: all there are); undefined: it was never deepened. */
  readonly since: number | null | undefined;
}

/** A clone to compute a commit in. Never has a work tree; nothing of the repository's content is executed. */
export interface DeliveryClone extends AsyncDisposable {
  readonly url: string;
  readonly branch: string;
  /** Folder of the bare repository. */
  readonly folder: string;
  /** Reads what has been fetched; its `log` without `since` ends where the clone is cut off. */
  readonly repository: GitRepository;
  /** Tip of the branch, as last fetched. */
  head(): Promise<string>;
  /** All files of the tip, without sizes. */
  tree(): Promise<readonly TreeEntry[]>;
  /** The tip's history as far as it is here. */
  history(): Promise<BranchHistory>;
  /** Fetches the branch again, with what came since; answers its new tip. */
  refresh(signal?: AbortSignal): Promise<string>;
  /** Fetches the tip's history (commits without trees) back to `since` (seconds since the epoch), or all of it for null. */
  deepen(since: number | null, signal?: AbortSignal): Promise<void>;
  /** Contents of blobs in the order asked for; those that are missing are fetched in one request. */
  blobs(
    oids: readonly string[],
    signal?: AbortSignal,
  ): AsyncIterable<{ readonly oid: string; readonly content: Uint8Array }>;
  /** Writes a commit on `parent` that replaces the contents of the files named (modes are kept); answers its id. */
  commit(parent: string, files: ReadonlyMap<string, Uint8Array>, message: string): Promise<string>;
  /** Pushes a commit to a branch. 'raced': somebody pushed first. `lease`: expected old tip ('' = must not exist) for our own merge-request branches. */
  push(
    sha: string,
    branch: string,
    options?: { readonly lease?: string; readonly signal?: AbortSignal },
  ): Promise<'pushed' | 'raced'>;
  /** Tip of another branch on the server, or null. */
  remoteBranch(branch: string, signal?: AbortSignal): Promise<RemoteTip | null>;
  /** Deletes a branch on the server, if its tip is still `lease`. */
  deleteBranch(branch: string, lease: string, signal?: AbortSignal): Promise<'pushed' | 'raced'>;
}

/** What else a clone may be told. */
export interface CloneOptions {
  readonly signal?: AbortSignal;
  /** How far back `deepen` will be asked to go (see there), where that is known before: it is fetched beside the clone. */
  readonly since?: number | null | undefined;
  /** Called once git runs: what keeps this process busy while git waits for the server. */
  readonly meanwhile?: () => void;
}

/**
 * Rejects with `Fault`: `branch_missing`, `token_refused`, `git_unavailable`, `push_refused` (protected branch, hook;
 * the server's words in the message), `tool_missing`, `usage` (a URL whose scheme is not allowed).
 */
export interface DeliveryGit {
  /** `branch` null: the server's default branch. */
  clone(url: string, branch: string | null, options?: CloneOptions): Promise<DeliveryClone>;
}
