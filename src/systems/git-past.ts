import { Fault } from '../fault.ts';
import type { Files } from './files.ts';
import { type Git, parseLog } from './git-local.ts';
import type { BranchHistory } from './git-remote.ts';
import type { CommitInfo } from './git.ts';
import { ProcessFailure } from './process.ts';

/**
 * The history of a shallow clone's branch: commits without trees, in a repository of their own. In the clone itself they
 * would be offered to the server at the next fetch, which then leaves out trees that they share with new commits (as after
 * a revert).
 */
export interface BranchPast {
  /**
   * Fetches `ref` as it stands on the server now, back to `since`, before its tip is known; answers once git runs. What
   * failed (the server refuses where nothing is as new as `since`), or came too early, `fetch` does again.
   */
  begin(ref: string, since: number | null, signal: AbortSignal): Promise<void>;
  /** What was begun is over. Never rejects. */
  settled(): Promise<void>;
  /** Fetches the commits from `tip` back to `since` (seconds since the epoch), or all for null. */
  fetch(tip: CommitInfo, since: number | null, signal?: AbortSignal): Promise<void>;
  /** The clone's own history (newest first), continued by what was fetched. */
  continued(own: readonly CommitInfo[]): BranchHistory;
}

/** What `openBranchPast` needs. */
export interface BranchPastOptions {
  /** Runs git in `folder` offline. */
  readonly local: Git;
  /** Runs git with the network in `folder`, with patience; rejects with a `Fault`. */
  readonly transport: Git;
  readonly files: Files;
  readonly url: string;
  /** Where the repository is made on first use. */
  readonly folder: string;
}

/** The format that `parseLog` reads. */
const FORMAT = '--format=%H%x00%P%x00%ct%x00%B';

const FLAGS = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--filter=tree:0'];

/** The past, of which nothing is known yet. */
export function openBranchPast({ local, transport, files, url, folder }: BranchPastOptions): BranchPast {
  let made = false;
  let begun: Promise<unknown> = Promise.resolve();
  /** How far the repository reaches back; undefined: it holds nothing. */
  let reached: number | null | undefined;
  let known: BranchHistory = { commits: [], since: undefined };

  async function make(): Promise<void> {
    if (!made) await local(['init', '--quiet', '--bare', '--template=', folder], { cwd: '/' });
    made = true;
  }

  async function bring(ref: string, depth: readonly string[], since: number | null, signal?: AbortSignal) {
    const fetch = (flags: readonly string[]) => transport(['fetch', ...flags, '--', url, ref], { cwd: folder, signal });
    await fetch([...FLAGS, ...depth]).catch((error: unknown) => {
      if (depth.length > 0 && error instanceof Fault && /not support --shallow-since/i.test(error.message))
        return fetch(FLAGS);
      throw error;
    });
    reached = (await files.read(`${folder}/shallow`)) === null ? null : since;
  }

  function depthFlags(since: number | null): readonly string[] {
    // A history that is complete stays so.
    if (reached === null) return [];
    if (since === null) return reached === undefined ? [] : ['--unshallow'];
    return [`--shallow-since=${Math.floor(since)}`];
  }

  /** The commits below `tip`, newest first; null: it is not here. */
  async function commitsOf(tip: string): Promise<readonly CommitInfo[] | null> {
    const log = ['log', '-z', '--no-color', '--no-decorate', FORMAT, '--end-of-options', tip, '--'];
    try {
      return parseLog((await local(log, { cwd: folder })).text);
    } catch (error) {
      if (error instanceof ProcessFailure && /bad object|bad revision/i.test(error.stderr)) return null;
      throw error;
    }
  }

  return {
    async begin(ref, since, signal) {
      const making = make();
      begun = making.catch(() => {});
      await making;
      begun = bring(ref, depthFlags(since), since, signal).catch(() => {});
    },
    async settled() {
      await begun;
    },
    async fetch(tip, since, signal) {
      await begun;
      await make();
      const enough = reached === null || (since !== null && reached !== undefined && reached <= since);
      const here = enough ? await commitsOf(tip.sha) : null;
      // Of a time after the tip the server would give nothing at all.
      const depth = depthFlags(since === null ? null : Math.min(since, tip.committedAt));
      if (here === null) await bring(tip.sha, depth, since, signal);
      known = { commits: here ?? (await commitsOf(tip.sha)) ?? [], since: reached };
    },
    continued(own) {
      const [tip] = known.commits;
      if (tip === undefined || !own.some((commit) => commit.sha === tip.sha)) return { commits: own, since: undefined };
      const older = new Set(known.commits.map((commit) => commit.sha));
      const newer = own.filter((commit) => !older.has(commit.sha));
      return { commits: [...newer, ...known.commits], since: known.since };
    },
  };
}
