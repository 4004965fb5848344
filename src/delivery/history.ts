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

/**
 * How far back the history must be known: a newer pipeline's commit cannot be older than this pipeline's creation
 * (milliseconds since the epoch; null: not known). `known` is the history at hand, where a commit without parents may be
 * the edge of a shallow clone. Answers seconds since the epoch, null for "all of it", or 'enough' where all edges are
 * older than that already.
 */
export function depthNeeded(
  pipelineCreatedAt: number | null,
  known: readonly { readonly parents: readonly string[]; readonly committedAt: number }[],
): number | null | 'enough' {
  if (pipelineCreatedAt === null) return null;
  const since = Math.floor(pipelineCreatedAt / 1000) - SKEW;
  return known.some((commit) => commit.parents.length === 0 && commit.committedAt >= since) ? since : 'enough';
}
