import type { AppChange } from '../../src/app/change.ts';
import type { Config } from '../../src/config/config.ts';
import { environmentOf } from '../../src/config/pair.ts';
import type { Delivery } from '../../src/delivery/commit.ts';
import { deliverByRequest } from '../../src/delivery/deliver-request.ts';
import { deliverByPush } from '../../src/delivery/deliver.ts';
import { type FollowedStatus, type Following, followMerge, followStatuses } from '../../src/delivery/follow.ts';
import type { Order, Workplace } from '../../src/delivery/order.ts';
import { verifyOrigin } from '../../src/delivery/origin.ts';
import { openPast } from '../../src/delivery/past.ts';
import type { DeliveryPlace } from '../../src/delivery/place.ts';
import { previewRequests } from '../../src/delivery/preview-request.ts';
import { openTip } from '../../src/delivery/tip.ts';
import { Fault } from '../../src/fault.ts';
import type { DeliveryClone } from '../../src/systems/git-remote.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { endingGitLab } from './update.gitlab.ts';
import { type CommonOrder, ordersOf } from './update.order.ts';
import { updateResult } from './update.text.ts';

/** An update that has its clone. */
interface Update {
  readonly context: Context;
  readonly changes: readonly AppChange[];
  readonly place: DeliveryPlace;
  readonly common: CommonOrder;
  readonly clone: DeliveryClone;
}

/** Delivers the changes, each in its way, and follows them where that is asked for. Faults as `update`. */
export async function deliverChanges({ context, changes, place, common, clone }: Update): Promise<CommandResult> {
  const { values, reporter } = context;
  const dryRun = values.boolean('dry-run');
  const work: Workplace = {
    clone,
    cache: new Map(),
    past: openPast(clone, context.signal),
    clock: context.clock,
    deadline: context.deadline,
    signal: context.signal,
    note: (text) => reporter.info(text),
  };
  if (values.boolean('wait') && !place.onGitLab) {
    throw new Fault('usage', `${place.project} is not on this GitLab: --wait needs its API`, {
      hint: 'Leave --wait out, or run in a job of the GitLab that holds the delivery repository.',
    });
  }
  const ways = await waysOf(context, work, common, changes);
  const once = isTriggered(context);
  const byRequest = ways.requests.length > 0 ? await requestWay(context, place, work) : null;
  const deliveries: Delivery[] = [];
  const refused: Fault[] = [];
  const pushes = ordersOf(context, { ...common, once }, ways.push);
  if (pushes.length + ways.requests.length > 1 && !dryRun) await planAll(pushes, work);
  for (const order of pushes) {
    await orTold(deliveries, async () => {
      await afterOwn(deliveries, work);
      await unlessRefused(refused, HOLD, async () => deliveries.push(await deliverByPush(order, work)));
    });
  }
  if (byRequest) {
    await orTold(deliveries, () => afterOwn(deliveries, work));
    for (const order of ordersOf(context, { ...common, once }, ways.requests).flatMap(pairOrders)) {
      await orTold(deliveries, () => unlessRefused(refused, OWN, async () => deliveries.push(await byRequest(order))));
    }
  }
  if (refused.length > 0 && deliveries.length === 0) throw refused[0]!;
  for (const fault of refused) reporter.warn(fault.message);
  const followed = values.boolean('wait') && !dryRun ? await followAll(context, deliveries, clone.branch) : undefined;
  return updateResult({
    changes,
    deliveries,
    skipped: false,
    dryRun,
    refused: refused.map(({ code, message }) => ({ code, message })),
    ...(followed ? { followed } : {}),
  });
}

/** How an order becomes a merge request, or with --dry-run its plan. Faults `usage`, `token_missing`. */
async function requestWay(
  context: Context,
  place: DeliveryPlace,
  work: Workplace,
): Promise<(order: Order) => Promise<Delivery>> {
  const { values, reporter } = context;
  const dryRun = values.boolean('dry-run');
  const key = context.secret('SLUICE_GITLAB_TOKEN') ?? null;
  if (dryRun && !(place.onGitLab && key)) {
    const why = place.onGitLab ? 'SLUICE_GITLAB_TOKEN is not set' : `${place.project} is not on this GitLab`;
    reporter.warn(`the plan shows this change without what an open merge request already brings: ${why}`);
    return previewRequests(null, work);
  }
  if (!place.onGitLab) {
    throw new Fault('usage', `${place.project} is not on this GitLab: merge requests need its API`, {
      hint: 'Use --mode push, or run in a job of the GitLab that holds the delivery repository.',
    });
  }
  const gitlab = await endingGitLab(context);
  if (dryRun) return previewRequests({ gitlab, key }, work);
  const labels = values.list('label').length > 0 ? values.list('label') : ['sluice'];
  return (order) => deliverByRequest(order, work, { gitlab, key, labels, autoMerge: values.boolean('auto-merge') });
}

/** Where several commits are to be made, none is before all of them are known to be possible. Faults as the deliveries. */
async function planAll(orders: readonly Order[], work: Workplace): Promise<void> {
  for (const order of orders) {
    await unlessRefused([], HOLD, () => deliverByPush({ ...order, dryRun: true }, { ...work, note: () => {} }));
  }
}

/** What was pushed here before is no race of the next one: it begins on the tip that it made. */
async function afterOwn(deliveries: readonly Delivery[], { clone, signal }: Workplace): Promise<void> {
  if (deliveries.at(-1)?.outcome === 'pushed') await clone.refresh(signal);
}

/** A fault tells what was delivered before it. */
async function orTold(deliveries: readonly Delivery[], act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    const made = deliveries.flatMap(({ outcome, apps, environments, commit }) =>
      commit && (outcome === 'pushed' || outcome === 'merge-request')
        ? [`${apps.join(', ')} → ${environments.join(', ')} (${commit.mergeRequest?.url ?? commit.sha.slice(0, 12)})`]
        : [],
    );
    if (!(error instanceof Fault) || made.length === 0) throw error;
    throw new Fault(error.code, `${error.message}; delivered before: ${made.join('; ')}`, { hint: error.hint });
  }
}

/** In a batch a hold stops its own app alone. */
const HOLD: readonly string[] = ['held'];
/** Merge requests stand each for itself: what refuses one does not stop the others. */
const OWN: readonly string[] = [...HOLD, 'branch_taken', 'older_run', 'push_refused'];

/** Puts faults of these codes aside. */
async function unlessRefused(refused: Fault[], codes: readonly string[], act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Fault) || !codes.includes(error.code)) throw error;
    refused.push(error);
  }
}

/** One order for each app and environment, as merge requests are made. */
function pairOrders(order: Order): readonly Order[] {
  return order.changes.flatMap((change) =>
    order.environments.map((environment) => ({ ...order, changes: [change], environments: [environment] })),
  );
}

/** Follows the delivery side of every delivery, merge requests first until they are merged. */
async function followAll(
  context: Context,
  deliveries: readonly Delivery[],
  branch: string,
): Promise<readonly FollowedStatus[]> {
  const { clock, deadline, signal, reporter } = context;
  const work: Following = {
    gitlab: await endingGitLab(context),
    clock,
    deadline,
    signal,
    note: (text) => reporter.info(text),
  };
  const pushing = context.secret('SLUICE_GIT_TOKEN') ?? context.secret('SLUICE_GITLAB_TOKEN');
  const byJobToken = pushing !== undefined && pushing.reveal() === context.secret('CI_JOB_TOKEN')?.reveal();
  const follow = async (delivery: Delivery): Promise<readonly FollowedStatus[]> => {
    const { commit, apps, environments, skipped } = delivery;
    if (commit === null || delivery.outcome === 'superseded') return [];
    const left = new Set(skipped.map((pair) => `${pair.environment}/${pair.app}`));
    const pairs = apps
      .flatMap((app) => environments.map((environment) => ({ app, environment })))
      .filter((pair) => !left.has(`${pair.environment}/${pair.app}`));
    if (delivery.outcome === 'pushed' && byJobToken) {
      throw new Fault(
        'pipeline_missing',
        `${commit.sha.slice(0, 12)} was pushed with the job token: no pipeline comes`,
        {
          hint: 'Set SLUICE_GIT_TOKEN to a project access token of the delivery project (write_repository).',
        },
      );
    }
    const request = commit.mergeRequest;
    const sha = request ? await followMerge(commit.project, request.iid, work) : commit.sha;
    return followStatuses({ project: commit.project, branch, sha }, pairs, work);
  };
  reporter.step('Following the delivery side');
  return (await Promise.all(deliveries.map(follow))).flat();
}

/** Did a trigger's sender bring the change? */
function isTriggered({ job, values }: Context): boolean {
  return job.pipelineSource === 'trigger' && values.given('change');
}

/** How each change arrives; origins that were handed in are verified. Fault `unknown_environment`, `origin_refused`. */
async function waysOf(
  context: Context,
  work: Workplace,
  common: CommonOrder,
  changes: readonly AppChange[],
): Promise<{ readonly push: readonly AppChange[]; readonly requests: readonly AppChange[] }> {
  const { values, job } = context;
  const mode = values.string('mode');
  const inJob = values.boolean('local') && job.project !== undefined;
  const triggered = isTriggered(context);
  const triggeredAt = job.pipelineSource === 'trigger' ? (job.pipelineCreatedAt ?? null) : null;
  const claimed = changes.filter((change) => inJob && (triggered || change.origin !== null));
  const settings = mode === undefined || claimed.length > 0 ? await settingsOf(context, work, common, changes) : null;
  for (const change of claimed) {
    if (!settings) continue;
    await verifyOrigin(change, settings, await endingGitLab(context, context.gitlabFor(change.app)), triggeredAt);
  }
  if (mode === 'push') return { push: changes, requests: [] };
  if (mode === 'merge-request' || settings === null) return { push: [], requests: changes };
  const along = (way: 'push' | 'merge-request') =>
    changes.flatMap((change) => {
      const environments = change.environments.filter((name) => environmentOf(settings, name).changes === way);
      return environments.length === 0 ? [] : [{ ...change, environments }];
    });
  return { push: along('push'), requests: along('merge-request') };
}

/** sluice.yaml of the tip. What the orders will need is fetched beside it. */
async function settingsOf(
  context: Context,
  work: Workplace,
  common: CommonOrder,
  changes: readonly AppChange[],
): Promise<Config> {
  const tip = await openTip(work.clone, work.cache, work.signal);
  const apps = changes.map((change) => [`apps/${change.app}`]);
  await work.past.begin(ordersOf(context, common, changes));
  await tip.prefetch(apps, ['sluice.yaml']);
  return common.config(tip);
}
