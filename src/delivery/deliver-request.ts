import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';
import type { RemoteTip } from '../systems/git-remote.ts';
import type { GitLab, GitLabMergeRequest } from '../systems/gitlab.ts';
import { backoff } from './backoff.ts';
import type { Delivery, DeliveryOutcome, MergeRequestRef } from './commit.ts';
import { parseClaim } from './message.ts';
import type { Order, Workplace } from './order.ts';
import { paceWith } from './pace.ts';
import { deliveryOf, prepare, type Prepared, referenceOf, versionOf } from './prepare.ts';
import { type Carried, formatCarried, isOutdated, parseCarried, stillCarried } from './request-carry.ts';
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
  /** The bot's token: what a description says about earlier updates counts only with its signature; null: not at all. */
  readonly key: Secret | null;
}

/** What stands on the server for an app in an environment. */
interface Found {
  readonly branch: string;
  /** The open merge request, our own bot's or a person's. */
  readonly open: GitLabMergeRequest | null;
  /** Its block, where our own bot opened or signed it. */
  readonly block: RequestBlock | null;
  readonly tip: RemoteTip | null;
  /** What the tip brings, by our bot's signature; null: it is not signed. */
  readonly carried: readonly Carried[] | null;
}

/**
 * Delivers an order of one app and one environment by its merge request: opened, or updated in place, with what earlier
 * updates brought of other images and values. The branch is always one commit on the target's tip, rewritten only with
 * lease and only while its tip is ours. Faults: `branch_taken`, `contention`, those of `prepare`, `order.verified`, the
 * push and GitLab.
 */
export async function deliverByRequest(order: Order, work: Workplace, options: RequestOptions): Promise<Delivery> {
  const { clone, past, clock, signal } = work;
  const change = order.changes[0]!;
  const environment = order.environments[0]!;
  const branch = requestBranch(change.app, environment);
  for (let attempts = 1; ; attempts += 1) {
    const started = clock.now();
    const head = await clone.head();
    const found = order.dryRun ? nothingFound(branch) : await look(order, work, options, branch);
    const merging = found.open === null && found.tip !== null && (await isMerging(order, work, options, branch));
    const carried = await carriedBy(found, order, work);
    const { prepared, kept } = await prepareWith(carried, order, work);
    const result = (outcome: DeliveryOutcome, commit: Delivery['commit']) =>
      deliveryOf(order, prepared, outcome, commit, attempts);
    if (order.dryRun && prepared.plan.files.size > 0) {
      await order.verified();
      return result('planned', null);
    }
    const { open, block, tip } = found;
    if (prepared.pairs.length === 0 || prepared.plan.files.size === 0) {
      if (!order.dryRun && !merging) await cleanUp(order, work, options, found);
      const stands = await past.standing([{ app: change.app, environment }]);
      const outcome = prepared.pairs.length === 0 ? 'superseded' : 'unchanged';
      return result(outcome, { project: order.project, branch: clone.branch, ...stands, mergeRequest: null });
    }
    const newer = newerThan(order, found);
    if (open && newer !== null && !order.allowOlder) {
      work.note(`${open.url} already carries pipeline ${newer}, which is newer`);
      return result('superseded', commitOf(order, open, open.sha, block));
    }
    if (tip && !tip.ours) {
      throw new Fault(
        'branch_taken',
        `${open?.url ?? `branch ${branch}`}: its last commit ${tip.sha.slice(0, 12)} is not sluice's`,
      );
    }
    await order.verified();
    if (!merging) {
      // A forged commit can have our name and message: only a signed one is taken for ours.
      const message = found.carried === null ? null : tip?.message.trimEnd();
      const same = tip !== null && message === prepared.message.trimEnd() && block?.base === head;
      const sha = same ? tip.sha : await clone.commit(head, prepared.plan.files, prepared.message);
      if (same || (await clone.push(sha, branch, { lease: tip?.sha ?? '', signal })) === 'pushed') {
        const written: RequestBlock = {
          app: change.app,
          environment,
          images: kept.flatMap(({ images }) => images.map(referenceOf)),
          origin: order.origin,
          base: head,
          ...(options.key ? { carried: formatCarried(kept, sha, options.key) } : {}),
        };
        const version = versionOf(kept.flatMap(({ images }) => images));
        const request = await writeRequest(order, options, found, clone.branch, written, prepared, version);
        // One that was merged or closed meanwhile carries nothing any more, and a new one may have come too late.
        const late = request.state !== 'opened' || (open === null && (await clone.refresh(signal)) !== head);
        if (!late && (await merged(order, work, options, request, sha))) {
          return result('merge-request', commitOf(order, request, sha, written));
        }
      }
    }
    if (clock.now() >= work.deadline)
      throw new Fault('contention', `${branch} was rewritten by others until the deadline`);
    await clock.sleep(backoff({ attempts, landed: 1, attemptMs: clock.now() - started }, clock.random()), signal);
    await clone.refresh(signal);
  }
}

function nothingFound(branch: string): Found {
  return { branch, open: null, block: null, tip: null, carried: null };
}

async function look(
  order: Order,
  { clone, signal }: Workplace,
  options: RequestOptions,
  branch: string,
): Promise<Found> {
  const { gitlab, key } = options;
  const filter = { sourceBranch: branch, targetBranch: clone.branch, state: 'opened' } as const;
  const [requests, tip] = await Promise.all([
    gitlab.mergeRequests(order.project, filter),
    clone.remoteBranch(branch, signal),
  ]);
  const me = requests.length === 0 ? '' : await gitlab.me();
  const open = requests.find((request) => request.author === me) ?? requests[0] ?? null;
  const read = open && parseRequestBlock(open.description);
  const signed = tip?.ours && key ? parseCarried(read?.carried ?? '', tip.sha, key) : null;
  return { branch, open, block: open?.author === me || signed ? read : null, tip, carried: signed };
}

/** GitLab is merging the branch at this very moment: it is neither open nor merged. */
async function isMerging(
  order: Order,
  { clone }: Workplace,
  { gitlab }: RequestOptions,
  branch: string,
): Promise<boolean> {
  const filter = { sourceBranch: branch, targetBranch: clone.branch, state: 'locked' } as const;
  return (await gitlab.mergeRequests(order.project, filter)).length > 0;
}

/** What the open merge request brings beside the order, as far as the target branch has nothing newer by now. */
async function carriedBy(found: Found, order: Order, work: Workplace): Promise<readonly Carried[]> {
  const carried = stillCarried(found.carried ?? [], order.changes[0]!);
  if (carried.length === 0 || found.block?.base === (await work.clone.head())) return carried;
  const claims = await work.past.claims(null);
  const [app, environment] = [order.changes[0]!.app, order.environments[0]!];
  return carried.filter((each) => !isOutdated(each, claims, app, environment));
}

/** Prepares the order together with what is carried; where the two do not fit, the order alone. */
async function prepareWith(
  carried: readonly Carried[],
  order: Order,
  work: Workplace,
): Promise<{ readonly prepared: Prepared; readonly kept: readonly Carried[] }> {
  const { clone, cache, past, signal } = work;
  const change = order.changes[0]!;
  const own: Carried = { images: change.images, values: change.values, origin: order.origin };
  const tip = await openTip(clone, cache, signal);
  if (carried.length > 0) {
    const kept = [...carried, own];
    const [images, values] = [kept.flatMap((each) => each.images), kept.flatMap((each) => each.values)];
    try {
      const together = { ...order, changes: [{ ...change, images, values }] };
      return { prepared: await prepare(tip, past, together, paceWith(work)), kept };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      work.note(`what the merge request brought before is left out: ${error.message}`);
    }
  }
  return { prepared: await prepare(tip, past, order, paceWith(work)), kept: [own] };
}

/** Lets it merge where that is asked for; false: somebody rewrote the branch meanwhile. */
async function merged(
  order: Order,
  work: Workplace,
  { gitlab, autoMerge }: RequestOptions,
  request: GitLabMergeRequest,
  sha: string,
): Promise<boolean> {
  if (!autoMerge) return true;
  try {
    await gitlab.autoMerge(order.project, request.iid, sha);
    return true;
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'branch_taken') throw error;
    work.note(`${request.url}: ${error.message}`);
    return false;
  }
}

/** Pipeline that the open merge request carries by its block or commit, where it is newer than the order's; else null. */
function newerThan({ origin }: Order, { block, tip }: Found): number | null {
  const claim = tip?.ours ? parseClaim(tip) : null;
  const pipelines = [block?.origin, claim?.origin].flatMap((carried) =>
    carried && carried.project === origin?.project ? (carried.pipeline ?? []) : [],
  );
  const newest = Math.max(0, ...pipelines);
  return origin?.pipeline != null && newest > origin.pipeline ? newest : null;
}

async function writeRequest(
  order: Order,
  { gitlab, labels }: RequestOptions,
  { branch, open }: Found,
  target: string,
  block: RequestBlock,
  prepared: Prepared,
  version: string,
): Promise<GitLabMergeRequest> {
  const text = requestTitle(block.app, block.environment, version);
  const description = requestDescription(block, prepared.plan.manifest.targets, gitlab.url);
  if (!open) {
    const fields = { sourceBranch: branch, targetBranch: target, title: text, description, labels };
    return gitlab.createMergeRequest(order.project, fields);
  }
  // A person has marked it as a draft: so it stays.
  const title = open.draft ? `Draft: ${text}` : text;
  if (open.title === title && open.description === description) return open;
  return gitlab.updateMergeRequest(order.project, open.iid, { title, description });
}

/** What the target branch already has needs no merge request: ours is closed and its branch deleted. */
async function cleanUp(order: Order, work: Workplace, { gitlab }: RequestOptions, found: Found): Promise<void> {
  const { branch, open, tip } = found;
  if (open) {
    if (newerThan(order, found) !== null || open.author !== (await gitlab.me())) return;
    if (tip?.ours === false) {
      work.note(`${open.url} stays: somebody else committed there`);
      return;
    }
    await gitlab.updateMergeRequest(order.project, open.iid, { state: 'close' });
    work.note(`closed ${open.url}: ${work.clone.branch} already has what it brings, or something newer`);
  }
  if (tip?.ours === true) await work.clone.deleteBranch(branch, tip.sha, work.signal);
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
