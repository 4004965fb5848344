import { Fault } from '../fault.ts';
import type { GitLabMergeRequest } from '../systems/gitlab.ts';
import { backoff } from './backoff.ts';
import type { Delivery, DeliveryOutcome } from './commit.ts';
import type { Order, Workplace } from './order.ts';
import { deliveryOf, type Prepared, referenceOf, versionOf } from './prepare.ts';
import { formatCarried } from './request-carry.ts';
import { type Found, findRequest, newerThan, refOf, refuseForeign, type RequestSource } from './request-found.ts';
import { planRequest } from './request-plan.ts';
import { type RequestBlock, requestBranch, requestDescription, requestTitle } from './request-text.ts';

/** How merge requests are made. */
export interface RequestOptions extends RequestSource {
  readonly labels: readonly string[];
  readonly autoMerge: boolean;
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
    const found = await findRequest(order, work, options, branch);
    const merging = found.open === null && found.tip !== null && (await isMerging(order, work, options, branch));
    const { prepared, kept, carried } = await planRequest(found, order, work);
    const result = (outcome: DeliveryOutcome, commit: Delivery['commit']): Delivery => ({
      ...deliveryOf(order, prepared, outcome, commit, attempts),
      request: { open: found.open && refOf(found.open), carried },
    });
    const { open, block, tip } = found;
    if (prepared.pairs.length === 0 || prepared.plan.files.size === 0) {
      if (!merging) await cleanUp(order, work, options, found);
      const stands = await past.standing([{ app: change.app, environment }]);
      const outcome = prepared.pairs.length === 0 ? 'superseded' : 'unchanged';
      return result(outcome, { project: order.project, branch: clone.branch, ...stands, mergeRequest: null });
    }
    const newer = newerThan(order, found);
    if (open && newer !== null && !order.allowOlder) {
      work.note(`${open.url} already carries pipeline ${newer}, which is newer`);
      return result('superseded', commitOf(order, open, open.sha, block));
    }
    refuseForeign(found);
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
  if (tip?.ours !== true) return;
  try {
    await work.clone.deleteBranch(branch, tip.sha, work.signal);
  } catch (error) {
    // Branches may be protected from it; what was asked for is done.
    if (!(error instanceof Fault) || error.code !== 'push_refused') throw error;
    work.note(`branch ${branch} stays: ${error.message}`);
  }
}

function commitOf(
  order: Order,
  request: GitLabMergeRequest,
  sha: string,
  block: RequestBlock | null,
): NonNullable<Delivery['commit']> {
  const mergeRequest = refOf(request);
  return {
    project: order.project,
    branch: request.branch,
    sha,
    mergeRequest,
    origins: block?.origin ? [block.origin] : [],
  };
}
