import type { Origin } from '../app/change.ts';
import { type CommitText, parseClaim } from './message.ts';
import type { CommitClaim } from './commit.ts';

/** How a change stands against the history of one app in one environment. */
export type Standing =
  | { readonly standing: 'current' }
  /** A newer pipeline's commit stands; `rerun`: below it is one of this very pipeline. */
  | { readonly standing: 'superseded'; readonly by: CommitClaim; readonly rerun: boolean };

/** Allowed difference between the clocks of runners, in seconds. */
const SKEW = 3600;

/** Claims of commits, newest first, with reverts understood; commits without claims are left out. */
export function claimsOf(commits: readonly CommitText[]): readonly CommitClaim[] {
  const bySha = new Map(commits.map((commit) => [commit.sha, commit]));
  return commits.flatMap((commit) => parseClaim(commit, (sha) => bySha.get(sha)) ?? []);
}

/**
 * Does a newer pipeline of the same project stand in the history (newest first) for this app and environment?
 * Without a pipeline number nothing can be older. Pipeline ids grow with time in a GitLab.
 */
export function judgeStanding(
  claims: readonly CommitClaim[],
  app: string,
  environment: string,
  origin: Origin | null,
): Standing {
  const own = origin?.pipeline ?? null;
  if (origin === null || own === null) return { standing: 'current' };
  let newer: CommitClaim | null = null;
  for (const claim of claims) {
    if (!claim.apps.includes(app) || !claim.environments.includes(environment)) continue;
    const pipeline = claim.origin?.project === origin.project ? claim.origin.pipeline : null;
    if (pipeline === null) continue;
    if (pipeline === own) {
      return newer === null ? { standing: 'current' } : { standing: 'superseded', by: newer, rerun: true };
    }
    if (pipeline > own) newer ??= claim;
  }
  return newer === null ? { standing: 'current' } : { standing: 'superseded', by: newer, rerun: false };
}

/** The newest commit that claims the app and environment, or null. */
export function standingCommit(claims: readonly CommitClaim[], app: string, environment: string): CommitClaim | null {
  return claims.find((claim) => claim.apps.includes(app) && claim.environments.includes(environment)) ?? null;
}

/** What is known of a history: all commits back to `since`, or (undefined) those at hand, whose edges have no parents. */
export interface KnownHistory {
  readonly commits: readonly { readonly parents: readonly string[]; readonly committedAt: number }[];
  /** Seconds since the epoch; null: there are no more. */
  readonly since: number | null | undefined;
}

/** Are all commits since then (seconds since the epoch) known? */
export function reachesBack(known: KnownHistory, since: number): boolean {
  if (known.since === null || (known.since !== undefined && known.since <= since)) return true;
  return !known.commits.some((commit) => commit.parents.length === 0 && commit.committedAt >= since);
}

/**
 * How far back the history must be known: a newer pipeline's commit cannot be older than this pipeline's creation
 * (milliseconds since the epoch; null: not known). Answers seconds since the epoch, null for "all of it", or 'enough'.
 */
export function depthNeeded(pipelineCreatedAt: number | null, known: KnownHistory): number | null | 'enough' {
  const since = depthOf(pipelineCreatedAt);
  const enough = since === null ? known.since === null : reachesBack(known, since);
  return enough ? 'enough' : since;
}

/** The same where nothing of the history is known. */
export function depthOf(pipelineCreatedAt: number | null): number | null {
  return pipelineCreatedAt === null ? null : Math.floor(pipelineCreatedAt / 1000) - SKEW;
}
