import type { DeliveryClone } from '../systems/git-remote.ts';
import type { CommitClaim } from './commit.ts';
import { claimsOf, depthNeeded, standingCommit } from './history.ts';

/** The past of the delivery branch, fetched as far as a question needs it. */
export interface Past {
  /** Claims that decide whether a pipeline of this creation time is older than what stands. */
  claims(pipelineCreatedAt: number | null): Promise<readonly CommitClaim[]>;
  /** Newest commit that claims one of the pairs; the tip where none of the last year does. */
  standing(pairs: readonly { readonly app: string; readonly environment: string }[]): Promise<string>;
}

const DAY = 86_400;
const STEPS = [30 * DAY, 365 * DAY] as const;

/** The past that ends in the clone's tip, as last fetched. */
export function openPast(clone: DeliveryClone, signal: AbortSignal): Past {
  const read = async () => claimsOf(await clone.repository.log(null, await clone.head()));
  return {
    async claims(pipelineCreatedAt) {
      const tip = await clone.repository.commit(await clone.head());
      const depth = depthNeeded(pipelineCreatedAt, tip.committedAt);
      if (depth !== 'enough') await clone.deepen(depth, signal);
      return read();
    },
    async standing(pairs) {
      const tip = await clone.repository.commit(await clone.head());
      for (const step of [0, ...STEPS]) {
        if (step > 0) await clone.deepen(tip.committedAt - step, signal);
        const claims = await read();
        const found = pairs.flatMap((pair) => standingCommit(claims, pair.app, pair.environment) ?? []);
        const newest = claims.find((claim) => found.includes(claim));
        if (newest) return newest.commit;
      }
      return tip.sha;
    },
  };
}
