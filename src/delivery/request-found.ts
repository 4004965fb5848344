import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';
import type { RemoteTip } from '../systems/git-remote.ts';
import type { GitLab, GitLabMergeRequest } from '../systems/gitlab.ts';
import type { MergeRequestRef } from './commit.ts';
import { parseClaim } from './message.ts';
import type { Order, Workplace } from './order.ts';
import { type Carried, parseCarried } from './request-carry.ts';
import { parseRequestBlock, type RequestBlock } from './request-text.ts';

/** Where merge requests are read. */
export interface RequestSource {
  readonly gitlab: GitLab;
  /** The bot's token: what a description says about earlier updates counts only with its signature; null: not at all. */
  readonly key: Secret | null;
}

/** What stands on the server for an app in an environment. */
export interface Found {
  readonly branch: string;
  /** The open merge request, our own bot's or a person's. */
  readonly open: GitLabMergeRequest | null;
  /** Its block, where our own bot opened or signed it. */
  readonly block: RequestBlock | null;
  readonly tip: RemoteTip | null;
  /** What the tip brings, by our bot's signature; null: it is not signed. */
  readonly carried: readonly Carried[] | null;
}

/** Reads what stands on the server; writes nothing. Faults of GitLab and git. */
export async function findRequest(
  order: Order,
  { clone, signal }: Workplace,
  { gitlab, key }: RequestSource,
  branch: string,
): Promise<Found> {
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

/** Pipeline that the open merge request carries by its block or commit, where it is newer than the order's; else null. */
export function newerThan({ origin }: Order, { block, tip }: Found): number | null {
  const claim = tip?.ours ? parseClaim(tip) : null;
  const pipelines = [block?.origin, claim?.origin].flatMap((carried) =>
    carried && carried.project === origin?.project ? (carried.pipeline ?? []) : [],
  );
  const newest = Math.max(0, ...pipelines);
  return origin?.pipeline != null && newest > origin.pipeline ? newest : null;
}

/** Fault `branch_taken` where the branch's last commit is not ours. */
export function refuseForeign({ open, tip, branch }: Found): void {
  if (!tip || tip.ours) return;
  const where = open?.url ?? `branch ${branch}`;
  throw new Fault('branch_taken', `${where}: its last commit ${tip.sha.slice(0, 12)} is not sluice's`);
}

/** What records say of a merge request. */
export function refOf({ iid, url, state, branch }: GitLabMergeRequest): MergeRequestRef {
  return { iid, url, state, branch };
}
