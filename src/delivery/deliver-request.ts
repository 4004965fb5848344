import { Fault } from '../fault.ts';
import type { GitLab, GitLabMergeRequest } from '../systems/gitlab.ts';
import { backoff } from './backoff.ts';
import type { Delivery, DeliveryOutcome, MergeRequestRef } from './commit.ts';
import type { Order, Workplace } from './order.ts';
import { deliveryOf, prepare, type Prepared, referenceOf, versionOf } from './prepare.ts';
import {
  parseRequestBlock,
  type RequestBlock,
  requestBranch,
  requestDescription,
  requestTitle,
} from './request-text.ts';
import { openTip } from './tip.ts';

/** How merge requests are made. */
export interface RequestOptions {
  readonly gitlab: GitLab;
  readonly labels: readonly string[];
  readonly autoMerge: boolean;
}

/**
 * Delivers an order of one app and one environment by its merge request: opened, or updated in place. The branch is
 * always one commit on the target's tip, rewritten only with lease and only while its tip is ours. Faults:
 * `branch_taken`, `contention`, those of `prepare`, `order.verified`, the push and GitLab.
 */
export async function deliverByRequest(order: Order, work: Workplace, options: RequestOptions): Promise<Delivery> {
  const { clone, cache, past, clock, signal } = work;
  const { gitlab } = options;
  const change = order.changes[0]!;
  const environment = order.environments[0]!;
  const branch = requestBranch(change.app, environment);
  for (let attempts = 1; ; attempts += 1) {
    const started = clock.now();
    const head = await clone.head();
    const prepared = await prepare(await openTip(clone, cache, signal), past, order);
    const result = (outcome: DeliveryOutcome, commit: Delivery['commit']) =>
      deliveryOf(order, prepared, outcome, commit, attempts);
    if (order.dryRun && prepared.plan.files.size > 0) {
      await order.verified();
      return result('planned', null);
    }
    const open = await openRequest(order, options, branch, clone.branch);
    const tip = await clone.remoteBranch(branch, signal);
    if (prepared.pairs.length === 0 || prepared.plan.files.size === 0) {
      if (!order.dryRun) await cleanUp(order, work, options, open, branch, tip?.ours ? tip.sha : null);
      const stands = await past.standing([{ app: change.app, environment }]);
      const outcome = prepared.pairs.length === 0 ? 'superseded' : 'unchanged';
      return result(outcome, { project: order.project, branch: clone.branch, ...stands, mergeRequest: null });
    }
    const newer = newerThan(order, open);
    if (open && newer !== null && !order.allowOlder) {
      work.note(`${open.url} already carries pipeline ${newer}, which is newer`);
      return result('superseded', commitOf(order, open, open.sha, parseRequestBlock(open.description)));
    }
    if (tip && !tip.ours) {
      throw new Fault(
        'branch_taken',
        `${open?.url ?? `branch ${branch}`}: its last commit ${tip.sha.slice(0, 12)} is not sluice's`,
      );
    }
    await order.verified();
    const block: RequestBlock = {
      app: change.app,
      environment,
      images: change.images.map(referenceOf),
      origin: order.origin,
      base: head,
    };
    const same = tip !== null && tip.message.trimEnd() === prepared.message.trimEnd() && baseOf(open) === head;
    const sha = same ? tip.sha : await clone.commit(head, prepared.plan.files, prepared.message);
    if (same || (await clone.push(sha, branch, { lease: tip?.sha ?? '', signal })) === 'pushed') {
      const request = await writeRequest(order, options, open, branch, clone.branch, block, prepared);
      if (options.autoMerge) await gitlab.autoMerge(order.project, request.iid, sha);
      return result('merge-request', commitOf(order, request, sha, block));
    }
    if (clock.now() >= work.deadline)
      throw new Fault('contention', `${branch} was rewritten by others until the deadline`);
    await clock.sleep(backoff({ attempts, landed: 1, attemptMs: clock.now() - started }, clock.random()), signal);
    await clone.refresh(signal);
  }
}

async function openRequest(
  order: Order,
  { gitlab }: RequestOptions,
  branch: string,
  target: string,
): Promise<GitLabMergeRequest | null> {
  const found = await gitlab.mergeRequests(order.project, {
    sourceBranch: branch,
    targetBranch: target,
    state: 'opened',
  });
  const me = found.length === 0 ? '' : await gitlab.me();
  return found.find((request) => request.author === me) ?? found[0] ?? null;
}

/** Pipeline that the open merge request carries, where it is newer than the order's; else null. */
function newerThan(order: Order, open: GitLabMergeRequest | null): number | null {
  const carried = open ? parseRequestBlock(open.description)?.origin : null;
  const own = order.origin;
  if (!carried || !own || carried.project !== own.project || carried.pipeline === null || own.pipeline === null)
    return null;
  return carried.pipeline > own.pipeline ? carried.pipeline : null;
}

function baseOf(open: GitLabMergeRequest | null): string | null {
  return open ? (parseRequestBlock(open.description)?.base ?? null) : null;
}

async function writeRequest(
  order: Order,
  { gitlab, labels }: RequestOptions,
  open: GitLabMergeRequest | null,
  branch: string,
  target: string,
  block: RequestBlock,
  prepared: Prepared,
): Promise<GitLabMergeRequest> {
  const title = requestTitle(block.app, block.environment, versionOf(order.changes[0]!.images));
  const description = requestDescription(block, prepared.plan.manifest.targets, gitlab.url);
  if (!open) {
    const fields = { sourceBranch: branch, targetBranch: target, title, description, labels };
    return gitlab.createMergeRequest(order.project, fields);
  }
  if (open.title === title && open.description === description) return open;
  return gitlab.updateMergeRequest(order.project, open.iid, { title, description });
}

/** What the target branch already has needs no merge request: ours is closed and its branch deleted. */
async function cleanUp(
  order: Order,
  work: Workplace,
  { gitlab }: RequestOptions,
  open: GitLabMergeRequest | null,
  branch: string,
  tip: string | null,
): Promise<void> {
  if (open) {
    if (newerThan(order, open) !== null || open.author !== (await gitlab.me())) return;
    await gitlab.updateMergeRequest(order.project, open.iid, { state: 'close' });
    work.note(`closed ${open.url}: ${work.clone.branch} already has what it brings, or something newer`);
  }
  if (tip !== null) await work.clone.deleteBranch(branch, tip, work.signal);
}

function commitOf(
  order: Order,
  request: GitLabMergeRequest,
  sha: string,
  block: RequestBlock | null,
): NonNullable<Delivery['commit']> {
  const { iid, url, state, branch } = request;
  const mergeRequest: MergeRequestRef = { iid, url, state, branch };
  return { project: order.project, branch, sha, mergeRequest, origins: block?.origin ? [block.origin] : [] };
}
