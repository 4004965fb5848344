import type { Commits, MergeRequests } from '@gitbeaker/rest';
import { z } from 'zod';
import { Fault } from '../fault.ts';
import type { Clock } from './clock.ts';
import { ask, fitting } from './gitlab-ask.ts';
import { GitLabRefusal, refusalFault } from './gitlab-refusal.ts';
import { mergeRequestSchema } from './gitlab-schema.ts';
import type { GitLab, GitLabMergeRequest } from './gitlab.ts';

type MergeRequestPart = Pick<
  GitLab,
  'mergeRequests' | 'mergeRequest' | 'createMergeRequest' | 'updateMergeRequest' | 'autoMerge' | 'commitMergeRequests'
>;

const needs = 'Merge requests need the scope api, and at least the role Developer in the delivery project.';

/** GitLab is still computing whether the merge request can be merged. */
const computing = new Set(['unchecked', 'checking', 'preparing', 'approvals_syncing', 'cannot_be_merged_recheck']);

/** Polls before GitLab's no counts, a second apart: right after a push its answers lag behind. */
const settlePolls = 15;

/** The merge request calls of GitLab. */
export function connectMergeRequests(
  requests: MergeRequests,
  commits: Commits,
  clock: Clock,
  signal: AbortSignal | undefined,
): MergeRequestPart {
  const list: MergeRequestPart['mergeRequests'] = async (project, filter) => {
    const { state = 'opened', ...branches } = filter;
    const found = await ask(needs, z.array(mergeRequestSchema), () =>
      requests.all({
        projectId: project,
        ...branches,
        perPage: 100,
        ...(state === 'all' ? {} : { state }),
      }),
    );
    // GitLab also lists those of forks, whose branches anybody can name.
    return (found ?? []).filter((request) => branches.sourceBranch === undefined || !request.fork);
  };
  const show: MergeRequestPart['mergeRequest'] = (project, iid) =>
    ask(needs, mergeRequestSchema, () => requests.show(project, iid));

  return {
    mergeRequests: list,
    mergeRequest: show,
    async createMergeRequest(project, fields) {
      try {
        const answer: unknown = await requests.create(project, fields.sourceBranch, fields.targetBranch, fields.title, {
          description: fields.description,
          labels: fields.labels.join(','),
          removeSourceBranch: true,
          // Its branch is one commit, of whose message a squash would keep the title alone.
          squash: false,
        });
        return fitting(mergeRequestSchema, answer);
      } catch (error) {
        if (!(error instanceof GitLabRefusal)) throw error;
        // 409: there is one already. No answer, or a gateway's: it may have been made all the same.
        if ([0, 409, 502, 503, 504].includes(error.status)) {
          const [standing] = await list(project, {
            sourceBranch: fields.sourceBranch,
            targetBranch: fields.targetBranch,
          });
          if (standing !== undefined) return standing;
        }
        throw mergeFault(error, `a merge request of ${fields.sourceBranch} into ${fields.targetBranch}`);
      }
    },
    async updateMergeRequest(project, iid, fields) {
      const { state, ...rest } = fields;
      try {
        const answer: unknown = await requests.edit(project, iid, {
          ...rest,
          ...(state === undefined ? {} : { stateEvent: state }),
        });
        return fitting(mergeRequestSchema, answer);
      } catch (error) {
        if (!(error instanceof GitLabRefusal)) throw error;
        throw mergeFault(error, `to change merge request !${iid} of ${project}`);
      }
    },
    async autoMerge(project, iid, sha) {
      for (let poll = 0; ; poll += 1) {
        const request = visible(await show(project, iid), project, iid);
        if (request.state === 'merged') return;
        if (request.state === 'closed')
          throw new Fault('push_refused', `merge request ${request.url} is closed`, { hint: 'Reopen it.' });
        const last = poll >= settlePolls;
        // GitLab learns of a push after it has accepted it: until then it would answer 409 to the new tip.
        if (last || (request.sha === sha && !computing.has(request.detailedMergeStatus))) {
          if (await accept(requests, project, request, sha, last)) return;
        }
        await clock.sleep(1000, signal);
      }
    },
    async commitMergeRequests(project, sha) {
      const requestsOfCommit = await ask(needs, z.array(mergeRequestSchema), () =>
        commits.allMergeRequests(project, sha, { perPage: 100 }),
      );
      return requestsOfCommit ?? [];
    },
  };
}

/**
 * Asks to merge when the pipeline succeeds, under the new parameter name (17.11) and the old. GitLab answers 405 while
 * it cannot be merged yet, which also means "no pipeline yet": true when accepted, false when to be asked again.
 * `last`: no more asking; a merge request that has no pipeline and could be merged is merged.
 */
async function accept(
  requests: MergeRequests,
  project: string,
  request: GitLabMergeRequest,
  sha: string,
  last: boolean,
): Promise<boolean> {
  const auto = { autoMerge: true, mergeWhenPipelineSucceeds: true };
  const attempts = last && request.detailedMergeStatus === 'mergeable' ? [auto, {}] : [auto];
  for (const [index, parameters] of attempts.entries()) {
    try {
      await requests.merge(project, request.iid, { ...parameters, sha });
      return true;
    } catch (error) {
      if (!(error instanceof GitLabRefusal)) throw error;
      const notYet = [405, 406, 422].includes(error.status);
      if (notYet && !last) return false;
      if (notYet && index < attempts.length - 1) continue;
      throw mergeFault(error, `to merge ${request.url} (${request.detailedMergeStatus})`);
    }
  }
  return false;
}

function visible(request: GitLabMergeRequest | null, project: string, iid: number): GitLabMergeRequest {
  if (request !== null) return request;
  throw new Fault('token_refused', `merge request !${iid} of ${project} is not there, or not visible`, { hint: needs });
}

/** `what` was refused. */
function mergeFault(refusal: GitLabRefusal, what: string): Fault {
  if (refusal.status === 409)
    return new Fault('branch_taken', `GitLab refuses ${what}: ${refusal.words}`, {
      hint: 'The branch has moved meanwhile; run again.',
    });
  if (refusal.status === 404) return new Fault('token_refused', `${what}: ${refusal.message}`, { hint: needs });
  // GitLab answers 401 to a valid token that may not merge into the target branch.
  if (refusal.status === 401)
    return new Fault('token_refused', refusal.message, {
      hint: `The token is wrong or expired, or its bot may not merge into that branch. ${needs}`,
    });
  if ([400, 405, 406, 422].includes(refusal.status))
    return new Fault('push_refused', `GitLab refuses ${what}: ${refusal.words}`, {
      hint: 'Look at the merge request for what is missing (approvals, pipeline, conflicts).',
    });
  return refusalFault(refusal, needs);
}
