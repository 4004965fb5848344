import type { AppChange } from '../../src/app/change.ts';
import type { Config } from '../../src/config/config.ts';
import { environmentOf } from '../../src/config/pair.ts';
import type { Delivery } from '../../src/delivery/commit.ts';
import { deliverByRequest, type RequestOptions } from '../../src/delivery/deliver-request.ts';
import { deliverByPush } from '../../src/delivery/deliver.ts';
import { type FollowedStatus, type Following, followMerge, followStatuses } from '../../src/delivery/follow.ts';
import { parseClaim } from '../../src/delivery/message.ts';
import type { Order, Workplace } from '../../src/delivery/order.ts';
import { verifyOrigin } from '../../src/delivery/origin.ts';
import { openTip } from '../../src/delivery/tip.ts';
import { Fault } from '../../src/fault.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { commonOrder, ordersOf, readChanges, readPlace } from './update.order.ts';
import { updateResult } from './update.text.ts';
import { runTrigger } from './update.trigger.ts';

/** `update`. Faults: those of the flags, of sluice.yaml, the manifests, git, the registry and GitLab. */
export async function run(context: Context): Promise<CommandResult> {
  const { values, job, reporter } = context;
  const changes = await readChanges(context);
  const dryRun = values.boolean('dry-run');
  if (values.string('mode') === 'trigger') return runTrigger(context, changes);
  const place = await readPlace(context);
  if (place.project === job.project && ownCommit(context)) {
    reporter.info('this pipeline’s commit was made by sluice: nothing to update');
    return updateResult({ changes, deliveries: [], skipped: true, dryRun: false });
  }
  const common = commonOrder(context, changes, place.project);
  reporter.step(`Updating ${namesOf(changes)} in ${place.project}`);
  const git = await context.deliveryGit();
  const branch = values.string('branch') ?? (values.boolean('local') ? job.ref : undefined) ?? null;
  await using clone = await git.clone(place.url, branch, context.signal);
  const work: Workplace = {
    clone,
    cache: { contents: new Map(), trees: new Map() },
    clock: context.clock,
    deadline: context.deadline,
    signal: context.signal,
    note: (text) => reporter.info(text),
  };
  const ways = await waysOf(context, work, common.config, changes);
  const deliveries: Delivery[] = [];
  const held: Fault[] = [];
  for (const order of ordersOf(context, common, ways.push)) {
    await unlessHeld(held, async () => deliveries.push(await deliverByPush(order, work)));
  }
  if (ways.requests.length > 0) {
    if (!place.onGitLab) {
      throw new Fault('usage', `${place.project} is not on this GitLab: merge requests need its API`, {
        hint: 'Use --mode push, or run in a job of the GitLab that holds the delivery repository.',
      });
    }
    const options: RequestOptions = {
      gitlab: await context.gitlab(),
      labels: values.list('label').length > 0 ? values.list('label') : ['sluice'],
      autoMerge: values.boolean('auto-merge'),
    };
    for (const order of ordersOf(context, common, ways.requests).flatMap(pairOrders)) {
      await unlessHeld(held, async () => deliveries.push(await deliverByRequest(order, work, options)));
    }
  }
  if (held.length > 0 && deliveries.length === 0) throw held[0]!;
  for (const fault of held) reporter.warn(fault.message);
  const followed = values.boolean('wait') && !dryRun ? await followAll(context, deliveries, clone.branch) : undefined;
  return updateResult({
    changes,
    deliveries,
    skipped: false,
    dryRun,
    held: held.map((fault) => fault.message),
    ...(followed ? { followed } : {}),
  });
}

/** In a batch a hold stops its own app alone: the fault is put aside. */
async function unlessHeld(held: Fault[], act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'held') throw error;
    held.push(error);
  }
}

/** One order for each app and environment, as merge requests are made. */
function pairOrders(order: Order): readonly Order[] {
  return order.changes.flatMap((change) =>
    order.environments.map((environment) => ({ ...order, changes: [change], environments: [environment] })),
  );
}

function namesOf(changes: readonly AppChange[]): string {
  return [...new Set(changes.map((change) => change.app))].join(', ');
}

/** Follows the delivery side of every delivery, merge requests first until they are merged. */
async function followAll(
  context: Context,
  deliveries: readonly Delivery[],
  branch: string,
): Promise<readonly FollowedStatus[]> {
  const { clock, deadline, signal, reporter } = context;
  const work: Following = {
    gitlab: await context.gitlab(),
    clock,
    deadline,
    signal,
    note: (text) => reporter.info(text),
  };
  const follow = async (delivery: Delivery): Promise<readonly FollowedStatus[]> => {
    const { commit, apps, environments, skipped } = delivery;
    if (commit === null || delivery.outcome === 'superseded') return [];
    const left = new Set(skipped.map((pair) => `${pair.environment}/${pair.app}`));
    const pairs = apps
      .flatMap((app) => environments.map((environment) => ({ app, environment })))
      .filter((pair) => !left.has(`${pair.environment}/${pair.app}`));
    const request = commit.mergeRequest;
    const sha = request ? await followMerge(commit.project, request.iid, work) : commit.sha;
    return followStatuses({ project: commit.project, branch, sha }, pairs, work);
  };
  reporter.step('Following the delivery side');
  return (await Promise.all(deliveries.map(follow))).flat();
}

/** Was the pipeline's own commit made by sluice? Where application and delivery are one project, that must end. */
function ownCommit(context: Context): boolean {
  const message = context.variable('CI_COMMIT_MESSAGE') ?? '';
  return parseClaim({ sha: context.job.commit ?? '', message })?.images !== undefined && /^Sluice-App:/m.test(message);
}

/** How each change arrives; origins that were handed in are verified. Fault `unknown_environment`, `origin_refused`. */
async function waysOf(
  context: Context,
  work: Workplace,
  config: Order['config'],
  changes: readonly AppChange[],
): Promise<{ readonly push: readonly AppChange[]; readonly requests: readonly AppChange[] }> {
  const { values, job } = context;
  const mode = values.string('mode');
  const inJob = values.boolean('local') && job.project !== undefined;
  const triggered = job.pipelineSource === 'trigger' && values.given('change');
  const claimed = changes.filter((change) => inJob && (triggered || change.origin !== null));
  const settings = mode === undefined || claimed.length > 0 ? await settingsOf(work, config, changes) : null;
  for (const change of claimed) {
    if (settings) await verifyOrigin(change, settings, await context.gitlabFor(change.app));
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

async function settingsOf(work: Workplace, config: Order['config'], changes: readonly AppChange[]): Promise<Config> {
  const tip = await openTip(work.clone, await work.clone.head(), work.cache, work.signal);
  await tip.prefetch(
    changes.map((change) => `apps/${change.app}`),
    ['sluice.yaml'],
  );
  return config(tip);
}
