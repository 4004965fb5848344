import type { Origin } from '../app/change.ts';
import type { DeliveryClone } from '../systems/git-remote.ts';
import type { CommitClaim } from './commit.ts';
import { claimsOf, depthNeeded, standingCommit } from './history.ts';

/** The commit that stands, with where it came from. */
export interface Standing {
  readonly sha: string;
  readonly origins: readonly Origin[];
}

/** The past of the delivery branch, fetched as far as a question needs it. */
export interface Past {
  /** Claims that decide whether a pipeline of this creation time is older than what stands. */
  claims(pipelineCreatedAt: number | null): Promise<readonly CommitClaim[]>;
  /** Newest commit that claims one of the pairs; the tip where none of the last year does. */
  standing(pairs: readonly { readonly app: string; readonly environment: string }[]): Promise<Standing>;
}

const DAY = 86_400;
const STEPS = [0, 30 * DAY, 365 * DAY] as const;

/** The past that ends in the clone's tip, as last fetched. */
export function openPast(clone: DeliveryClone, signal: AbortSignal): Past {
  const log = async () => clone.repository.log(null, await clone.head());
  return {
    async claims(pipelineCreatedAt) {
      const known = await log();
      const depth = depthNeeded(pipelineCreatedAt, known);
      if (depth === 'enough') return claimsOf(known);
      await clone.deepen(depth, signal);
      return claimsOf(await log());
    },
    async standing(pairs) {
      const tip = await clone.repository.commit(await clone.head());
      for (const step of STEPS) {
        const known = await log();
        const since = tip.committedAt - step;
        const edge = known.some((commit) => commit.parents.length === 0 && commit.committedAt >= since);
        if (step > 0 && edge) await clone.deepen(since, signal);
        const claims = claimsOf(step > 0 && edge ? await log() : known);
        const found = pairs.flatMap((pair) => standingCommit(claims, pair.app, pair.environment) ?? []);
        const newest = claims.find((claim) => found.includes(claim));
        if (newest) return { sha: newest.commit, origins: newest.origin ? [newest.origin] : [] };
      }
      return { sha: tip.sha, origins: [] };
    },
  };
}
