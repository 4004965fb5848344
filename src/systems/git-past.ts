import type { Files } from './files.ts';
import { type Git, parseLog } from './git-local.ts';
import type { BranchHistory } from './git-remote.ts';
import type { CommitInfo } from './git.ts';

/**
 * The history of a shallow clone's branch: commits without trees, in a repository of their own. In the clone itself they
 * would be offered to the server at the next fetch, which then leaves out trees that they share with new commits (as after
 * a revert).
 */
export interface BranchPast {
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

/** The past, of which nothing is known yet. */
export function openBranchPast({ local, transport, files, url, folder }: BranchPastOptions): BranchPast {
  let made = false;
  let known: BranchHistory = { commits: [], since: undefined };

  async function depthFlags(tip: CommitInfo, since: number | null): Promise<readonly string[]> {
    // A history that is complete stays so.
    if (made && (await files.read(`${folder}/shallow`)) === null) return [];
    if (since === null) return made ? ['--unshallow'] : [];
    // Of a time after the tip the server would give nothing at all.
    return [`--shallow-since=${Math.floor(Math.min(since, tip.committedAt))}`];
  }

  return {
    async fetch(tip, since, signal) {
      const depth = await depthFlags(tip, since);
      if (!made) await local(['init', '--quiet', '--bare', '--template=', folder], { cwd: '/' });
      made = true;
      const flags = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--filter=tree:0'];
      await transport(['fetch', ...flags, ...depth, '--', url, tip.sha], { cwd: folder, signal });
      const log = ['log', '-z', '--no-color', '--no-decorate', FORMAT, '--end-of-options', tip.sha, '--'];
      const complete = (await files.read(`${folder}/shallow`)) === null;
      const commits = parseLog((await local(log, { cwd: folder })).text);
      known = { commits, since: complete ? null : since };
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
