import { Fault } from '../fault.ts';
import type { Delivery, DeliveryOutcome } from './commit.ts';
import type { Order, Workplace } from './order.ts';
import { deliveryOf } from './prepare.ts';
import { type Found, findRequest, newerThan, refOf, refuseForeign, type RequestSource } from './request-found.ts';
import { planRequest } from './request-plan.ts';
import { requestBranch } from './request-text.ts';

/**
 * Plans orders of one app and one environment as `deliverByRequest` would deliver them, with what their open merge
 * requests already bring, and writes nothing. Without a source, or where it cannot be read (told once), an order is
 * planned as if no merge request were open. Faults: `branch_taken`, those of `prepare` and `order.verified`.
 */
export function previewRequests(source: RequestSource | null, work: Workplace): (order: Order) => Promise<Delivery> {
  let readable = source;
  const find = async (order: Order, branch: string): Promise<Found> => {
    try {
      if (readable) return await findRequest(order, work, readable, branch);
    } catch (error) {
      work.signal.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
      readable = null;
      work.note(`the plan shows this change without what an open merge request already brings: ${error.message}`);
    }
    return { branch, open: null, block: null, tip: null, carried: null };
  };
  return async (order) => {
    const { clone, past } = work;
    const { app } = order.changes[0]!;
    const environment = order.environments[0]!;
    const found = await find(order, requestBranch(app, environment));
    if (found.open && found.carried === null)
      work.note(`${found.open.url}: this token has not signed what it already brings, and would not carry it on`);
    const { prepared, carried } = await planRequest(found, order, work);
    const request = { open: found.open && refOf(found.open), carried };
    const result = (outcome: DeliveryOutcome, commit: Delivery['commit']): Delivery => ({
      ...deliveryOf(order, prepared, outcome, commit, 1),
      request,
    });
    if (prepared.pairs.length === 0 || prepared.plan.files.size === 0) {
      const stands = await past.standing([{ app, environment }]);
      const outcome = prepared.pairs.length === 0 ? 'superseded' : 'unchanged';
      return result(outcome, { project: order.project, branch: clone.branch, ...stands, mergeRequest: null });
    }
    const newer = newerThan(order, found);
    if (found.open && newer !== null && !order.allowOlder) {
      work.note(`${found.open.url} already carries pipeline ${newer}, which is newer`);
      return result('superseded', null);
    }
    refuseForeign(found);
    await order.verified();
    return result('planned', null);
  };
}
