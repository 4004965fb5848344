import { parseClaim } from '../delivery/message.ts';
import type { CommitClaim } from '../delivery/commit.ts';
import { Fault } from '../fault.ts';
import type { CommitInfo, GitRepository } from '../systems/git.ts';

/** Commits of a range whose merge requests are looked up. */
const MOST_ASKED = 10;

/** Reads what commits claim. */
export interface Ranges {
  /** Claims of the commits after `since` up to ours, newest first; null: of our commit alone, with what it merged. */
  claims(since: string | null): Promise<readonly CommitClaim[]>;
}

/**
 * Claims by range, each range read once. `mergeRequest` is asked where no commit of a range claims anything: a squash
 * may have dropped the trailers. A `since` that nobody has any more counts as null, and so does our own commit (a
 * retried job answers its commit once more).
 */
export function rangesOf(
  git: GitRepository,
  commit: CommitInfo,
  mergeRequest?: (sha: string) => Promise<readonly CommitClaim[]>,
): Ranges {
  const known = new Map<string | null, Promise<readonly CommitClaim[]>>();
  async function read(since: string | null): Promise<readonly CommitClaim[]> {
    const commits = await commitsAfter(since);
    const byId = new Map(commits.map((one) => [one.sha, one]));
    const claims = commits.flatMap((one) => parseClaim(one, (sha) => byId.get(sha)) ?? []);
    if (claims.length > 0 || !mergeRequest) return claims;
    const asked = await Promise.all(commits.slice(0, MOST_ASKED).map(({ sha }) => mergeRequest(sha)));
    return asked.flat();
  }
  async function commitsAfter(since: string | null): Promise<readonly CommitInfo[]> {
    if (since === commit.sha) return commitsAfter(null);
    try {
      const [parent] = commit.parents;
      const from = since ?? parent;
      return from === undefined ? [commit] : await git.log(from, commit.sha);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'commit_missing') throw error;
      return since === null ? [commit] : commitsAfter(null);
    }
  }
  return {
    claims(since) {
      const answer = known.get(since) ?? read(since);
      known.set(since, answer);
      return answer;
    },
  };
}
