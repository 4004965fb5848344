import type { AppChange } from '../../src/app/change.ts';
import { environmentOf } from '../../src/config/pair.ts';
import type { Delivery } from '../../src/delivery/commit.ts';
import { deliverByRequest, type RequestOptions } from '../../src/delivery/deliver-request.ts';
import { deliverByPush } from '../../src/delivery/deliver.ts';
import { type FollowedStatus, type Following, followMerge, followStatuses } from '../../src/delivery/follow.ts';
import { parseClaim } from '../../src/delivery/message.ts';
import type { Workplace } from '../../src/delivery/order.ts';
import { openTip } from '../../src/delivery/tip.ts';
import { Fault } from '../../src/fault.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { orderOf, readChange, readPlace } from './update.order.ts';
import { updateResult } from './update.text.ts';

/** `update`. Faults: those of the flags, of sluice.yaml, the manifests, git, the registry and GitLab. */
export async function run(context: Context): Promise<CommandResult> {
  const { values, job, reporter } = context;
  const change = readChange(context);
  const place = await readPlace(context);
  if (place.project === job.project && ownCommit(context)) {
    reporter.info('this pipeline’s commit was made by sluice: nothing to update');
    return updateResult({ change, deliveries: [], skipped: true, dryRun: false });
  }
  const order = orderOf(context, change, place.project);
  reporter.step(`Updating ${change.app} in ${place.project}`);
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
  const ways = await waysOf(context, work, order.config, change);
  const deliveries: Delivery[] = [];
  if (ways.push.length > 0) deliveries.push(await deliverByPush({ ...order, environments: ways.push }, work));
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
    for (const environment of ways.requests) {
      deliveries.push(await deliverByRequest({ ...order, environments: [environment] }, work, options));
    }
  }
  const followed =
    values.boolean('wait') && !order.dryRun ? await followAll(context, deliveries, clone.branch) : undefined;
  return updateResult({ change, deliveries, skipped: false, dryRun: order.dryRun, ...(followed ? { followed } : {}) });
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

/** How each environment's change arrives. Fault `unknown_environment`, and those of sluice.yaml. */
async function waysOf(
  context: Context,
  work: Workplace,
  config: ReturnType<typeof orderOf>['config'],
  { app, environments }: AppChange,
): Promise<{ readonly push: readonly string[]; readonly requests: readonly string[] }> {
  const mode = context.values.string('mode');
  if (mode === 'push') return { push: environments, requests: [] };
  if (mode === 'merge-request') return { push: [], requests: environments };
  const tip = await openTip(work.clone, await work.clone.head(), work.cache, work.signal);
  await tip.prefetch([`apps/${app}`], ['sluice.yaml']);
  const settings = await config(tip);
  const way = Map.groupBy(environments, (name) => environmentOf(settings, name).changes);
  return { push: way.get('push') ?? [], requests: way.get('merge-request') ?? [] };
}
