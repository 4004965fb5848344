import type { Commits } from '@gitbeaker/rest';
import { z } from 'zod';
import type { StatusReport } from '../status/report.ts';
import { GitLabRefusal, refusalFault } from './gitlab-refusal.ts';
import type { PostAnswer } from './gitlab.ts';

const postedSchema = z.object({ id: z.number(), pipeline_id: z.number().nullish() });

/** The state that an event of GitLab's state machine leads to (app/models/commit_status.rb). */
const stateOfEvent: Readonly<Record<string, string>> = {
  enqueue: 'pending',
  run: 'running',
  success: 'success',
  drop: 'failed',
  cancel: 'canceled',
  skip: 'skipped',
};

/**
 * Posts one status. Every refusal that has to do with the commit, its pipeline or the state is an answer; Faults:
 * `token_refused` (401, 403), `gitlab_unavailable`. After the latter the status may or may not stand: read before the
 * next try.
 */
export async function postStatus(commits: Commits, report: StatusReport): Promise<PostAnswer> {
  const place = report.pipelineId === null ? { ref: report.ref ?? undefined } : { pipelineId: report.pipelineId };
  try {
    const answer: unknown = await commits.editStatus(
      report.project,
      report.sha,
      report.state as never,
      {
        name: report.name,
        description: report.description,
        ...(report.targetUrl === null ? {} : { targetUrl: report.targetUrl }),
        ...place,
      } as object,
    );
    const posted = postedSchema.safeParse(answer);
    return {
      outcome: 'posted',
      id: posted.data?.id ?? null,
      pipelineId: posted.data?.pipeline_id ?? report.pipelineId,
      message: '',
    };
  } catch (error) {
    if (!(error instanceof GitLabRefusal)) throw error;
    const outcome = refusedOutcome(error, report.state);
    if (outcome !== null) return { outcome, id: null, pipelineId: null, message: error.words };
    throw refusalFault(error, statusNeeds(error, report));
  }
}

function refusedOutcome(refusal: GitLabRefusal, wanted: string): PostAnswer['outcome'] | null {
  if (refusal.status === 404) return /pipeline/i.test(refusal.words) ? 'pipeline-missing' : 'commit-missing';
  if (refusal.status === 422) return 'invalid';
  if (refusal.status !== 400) return null;
  const step = /Cannot transition status via :(\w+) from :(\w+)/.exec(refusal.words);
  if (step === null) return 'invalid';
  return step[2] === wanted && stateOfEvent[step[1] ?? ''] === wanted ? 'same' : 'out-of-order';
}

function statusNeeds(refusal: GitLabRefusal, report: StatusReport): string {
  const role =
    refusal.status === 403
      ? `, and the role Developer in ${report.project}; where the ref is protected, Maintainer, or a bot that may push to it`
      : `, and the role Developer in ${report.project}`;
  return `Posting a commit status needs the scope api${role}. Job tokens and deploy tokens cannot.`;
}
