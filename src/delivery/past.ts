import type { Origin } from '../app/change.ts';
import type { DeliveryClone } from '../systems/git-remote.ts';
import type { CommitClaim } from './commit.ts';
import type { Order } from './order.ts';
import { claimsOf, depthNeeded, depthOf, reachesBack, standingCommit } from './history.ts';

/** The commit that stands, with where it came from. */
export interface Standing {
  readonly sha: string;
  readonly origins: readonly Origin[];
}

/** The past of the delivery branch, fetched as far as a question needs it. */
export interface Past {
  /** Begins to fetch what judging the orders needs; answers whether something is under way. Its failure `claims` tells. */
  begin(orders: readonly PastOrder[]): Promise<boolean>;
  /** Claims that decide whether a pipeline of this creation time is older than what stands. */
  claims(pipelineCreatedAt: number | null): Promise<readonly CommitClaim[]>;
  /** Newest commit that claims one of the pairs; the tip where none of the last year does. */
  standing(pairs: readonly { readonly app: string; readonly environment: string }[]): Promise<Standing>;
}

/** What decides whether an order can be older than what stands. */
export type PastOrder = Pick<Order, 'origin' | 'allowOlder' | 'pipelineCreatedAt'>;

/** Can the order be older than what stands? Only pipelines have an order. */
export function isOrdered(order: PastOrder): boolean {
  return !order.allowOlder && order.origin?.pipeline != null;
}

/** How far back the orders need the history (see `depthNeeded`), as far as that can be told before it is looked at; undefined: not at all. */
export function pastNeeded(orders: readonly PastOrder[]): number | null | undefined {
  return earliest(orders.filter(isOrdered).map((order) => depthOf(order.pipelineCreatedAt)));
}

/** The one that reaches back furthest: null, for all of it, before every time. */
function earliest(depths: readonly (number | null)[]): number | null | undefined {
  return depths.includes(null) ? null : depths.toSorted((one, other) => Number(one) - Number(other))[0];
}

const DAY = 86_400;
const STEPS = [0, 30 * DAY, 365 * DAY] as const;

/** The past that ends in the clone's tip, as last fetched. */
export function openPast(clone: DeliveryClone, signal: AbortSignal): Past {
  let underWay: Promise<void> | null = null;
  return {
    async begin(orders) {
      if (underWay !== null) return true;
      const known = await clone.history();
      const depths = orders
        .filter(isOrdered)
        .map((order) => depthNeeded(order.pipelineCreatedAt, known))
        .filter((depth) => depth !== 'enough');
      const since = earliest(depths);
      if (since === undefined) return false;
      underWay = clone.deepen(since, signal);
      underWay.catch(() => {});
      return true;
    },
    async claims(pipelineCreatedAt) {
      await underWay;
      underWay = null;
      const known = await clone.history();
      const depth = depthNeeded(pipelineCreatedAt, known);
      if (depth === 'enough') return claimsOf(known.commits);
      await clone.deepen(depth, signal);
      return claimsOf((await clone.history()).commits);
    },
    async standing(pairs) {
      const head = await clone.head();
      for (const step of STEPS) {
        const known = await clone.history();
        const since = (known.commits[0]?.committedAt ?? 0) - step;
        if (step > 0 && !reachesBack(known, since)) await clone.deepen(since, signal);
        const claims = claimsOf((await clone.history()).commits);
        const found = pairs.flatMap((pair) => standingCommit(claims, pair.app, pair.environment) ?? []);
        const newest = claims.find((claim) => found.includes(claim));
        if (newest) return { sha: newest.commit, origins: newest.origin ? [newest.origin] : [] };
      }
      return { sha: head, origins: [] };
    },
  };
}
