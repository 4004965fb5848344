import { Fault } from '../fault.ts';
import type { DeliveredTarget } from './commit.ts';
import type { Order, Workplace } from './order.ts';
import { paceWith } from './pace.ts';
import { prepare, type Prepared } from './prepare.ts';
import { type Carried, isOutdated, stillCarried } from './request-carry.ts';
import type { Found } from './request-found.ts';
import { openTip } from './tip.ts';

/** What a merge request is to bring. */
export interface RequestPlan {
  readonly prepared: Prepared;
  /** Of earlier updates. */
  readonly carried: readonly Carried[];
  /** Those and the order's own. */
  readonly kept: readonly Carried[];
}

/**
 * Prepares the order together with what the open merge request brings of earlier updates, whose targets are marked;
 * where the two do not fit, the order alone. Faults of `prepare`.
 */
export async function planRequest(found: Found, order: Order, work: Workplace): Promise<RequestPlan> {
  const { clone, cache, past, signal } = work;
  const change = order.changes[0]!;
  const own: Carried = { images: change.images, values: change.values, origin: order.origin };
  const carried = await carriedBy(found, order, work);
  const tip = await openTip(clone, cache, signal);
  const planOf = (changes: Order['changes']) => prepare(tip, past, { ...order, changes }, paceWith(work));
  if (carried.length > 0) {
    const kept = [...carried, own];
    const [images, values] = [kept.flatMap((each) => each.images), kept.flatMap((each) => each.values)];
    try {
      const prepared = await planOf([{ ...change, images, values }]);
      return { prepared: await marked(prepared, carried, () => planOf(order.changes)), kept, carried };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      work.note(`what the merge request brought before is left out: ${error.message}`);
    }
  }
  return { prepared: await planOf(order.changes), kept: [own], carried: [] };
}

/** What the open merge request brings beside the order, as far as the target branch has nothing newer by now. */
async function carriedBy(found: Found, order: Order, work: Workplace): Promise<readonly Carried[]> {
  const carried = stillCarried(found.carried ?? [], order.changes[0]!);
  if (carried.length === 0 || found.block?.base === (await work.clone.head())) return carried;
  const claims = await work.past.claims(null);
  const [app, environment] = [order.changes[0]!.app, order.environments[0]!];
  return carried.filter((each) => !isOutdated(each, claims, app, environment));
}

/** Marks what the order alone would not change; where it cannot be planned alone, the images that are carried. */
async function marked(
  prepared: Prepared,
  carried: readonly Carried[],
  alone: () => Promise<Prepared>,
): Promise<Prepared> {
  const own = await alone().catch((error: unknown) => {
    if (error instanceof Fault) return null;
    throw error;
  });
  const places = own && new Set(own.plan.manifest.targets.map(placeOf));
  const images = new Set(carried.flatMap((each) => each.images.map(({ name }) => name)));
  const isCarried = (target: DeliveredTarget) =>
    places ? !places.has(placeOf(target)) : target.image !== null && images.has(target.image);
  const { manifest } = prepared.plan;
  const targets = manifest.targets.map((target) => (isCarried(target) ? { ...target, carried: true } : target));
  return { ...prepared, plan: { ...prepared.plan, manifest: { ...manifest, targets } } };
}

function placeOf({ file, line, column, after }: DeliveredTarget): string {
  return `${line}:${column} ${file} ${after}`;
}
