import { Fault } from '../fault.ts';
import type { Clock } from '../systems/clock.ts';
import type { GitLab } from '../systems/gitlab.ts';
import { limitTo } from './limit.ts';
import { findPipeline } from './pipeline.ts';
import type { StatusReport, StatusState } from './report.ts';
import { isFinal, standingStatus, stepTo } from './step.ts';
import type { StandingStatus } from './step.ts';

/** What stands in GitLab after a post. */
export interface Posted {
  /** posted · standing: it (or a later state) stood already · missing: no such commit · invalid: GitLab refuses the fields. */
  readonly outcome: 'posted' | 'standing' | 'missing' | 'invalid';
  /** State that stands now, as far as known. */
  readonly state: StatusState | null;
  readonly id: number | null;
  /** The pipeline that it is attached to; to be used for the next post. */
  readonly pipelineId: number | null;
  /** GitLab's words where it was not posted. */
  readonly message: string;
}

export interface PostOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /**
   * Ends waiting for the answer to a status that has been sent; default `signal`. GitLab carries out what it was sent,
   * whether or not anybody waits: who posts a final state next must know that nothing overtakes it.
   */
  readonly sent?: AbortSignal | undefined;
  /** Milliseconds since the epoch until which an absent GitLab is asked again. */
  readonly deadline: number;
  /** Username of the token's bot; null: unknown. */
  readonly bot: (gitlab: GitLab) => Promise<string | null>;
  /** A final state that stands already is not reopened by pending or running. */
  readonly keep?: StatusState | undefined;
  /** State and row that this run itself posted a moment ago: `running` after `pending` needs no reading then. */
  readonly last?: { readonly state: StatusState; readonly id: number } | undefined;
  /** Post only while this row stands and is open. */
  readonly only?: number;
  /** Told before each wait for an absent GitLab. */
  readonly onWait?: (fault: Fault, waitMs: number) => void;
}

/**
 * Posts one status as GitLab's state machine wants it: reads what stands, posts only what changes it, follows a pipeline
 * that is gone to the one that took its place, and asks an absent GitLab again until the deadline, reading anew before
 * each try (an unanswered post may have been carried out). Faults: `token_refused`; `gitlab_unavailable` after the
 * deadline; the signal's reason.
 */
export async function post(gitlab: GitLab, report: StatusReport, options: PostOptions): Promise<Posted> {
  using limit = limitTo(options.deadline, options.clock, options.signal);
  using sent = limitTo(options.deadline, options.clock, options.sent ?? options.signal);
  let last: Fault | undefined;
  for (let attempt = 0; ; attempt += 1) {
    try {
      const known = attempt === 0 ? options : { ...options, last: undefined };
      const send = async (wanted: StatusReport) => {
        limit.signal.throwIfAborted();
        return gitlab.within(sent.signal).postStatus(wanted);
      };
      return await postOnce({ ...gitlab.within(limit.signal), postStatus: send }, report, known);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof Fault) || error.code !== 'gitlab_unavailable') throw error;
      const left = options.deadline - options.clock.now();
      if (left <= 0 || limit.signal.aborted) throw last ?? error;
      last = error;
      const wait = Math.min(left, 10_000, 500 * 2 ** attempt * (1 + options.clock.random()));
      options.onWait?.(error, wait);
      await options.clock.sleep(wait, options.signal);
    }
  }
}

async function postOnce(gitlab: GitLab, report: StatusReport, options: PostOptions): Promise<Posted> {
  const { project, sha } = report;
  let pipelineId = report.pipelineId ?? (await findPipeline(gitlab, project, sha, null));
  for (let again = true; ; again = false) {
    const answer = await postAt(gitlab, { ...report, pipelineId }, options);
    if (answer !== 'pipeline-missing') return answer;
    if (!again) return { outcome: 'missing', state: null, id: null, pipelineId: null, message: 'its pipeline is gone' };
    pipelineId = await findPipeline(gitlab, project, sha, pipelineId);
  }
}

async function standingIn(
  gitlab: GitLab,
  { project, sha, name, pipelineId }: StatusReport,
  options: PostOptions,
): Promise<{
  readonly id: number;
  readonly state: StandingStatus['state'];
  readonly pipelineId: number | null;
} | null> {
  const rows = await gitlab.statuses(project, sha, { name, ...(pipelineId === null ? {} : { pipelineId }) });
  return standingStatus(rows, name, pipelineId, await options.bot(gitlab));
}

async function postAt(
  gitlab: GitLab,
  report: StatusReport,
  options: PostOptions,
): Promise<Posted | 'pipeline-missing'> {
  const { pipelineId } = report;
  const fresh = options.last?.state === 'pending' && report.state === 'running' && options.only === undefined;
  const standing = fresh ? { ...options.last, pipelineId } : await standingIn(gitlab, report, options);
  const kept = options.keep !== undefined && standing?.state === options.keep && !isFinal(report.state);
  const moved = options.only !== undefined && (standing?.id !== options.only || isFinal(standing.state));
  const step = kept || moved ? 'done' : stepTo(standing?.state ?? null, report.state);
  const stands = { id: standing?.id ?? null, pipelineId: standing?.pipelineId ?? pipelineId, message: '' };
  if (step === 'done')
    return { outcome: 'standing', state: (standing?.state ?? report.state) as StatusState, ...stands };
  const state = step === 'impossible' ? 'canceled' : report.state;
  const answer = await gitlab.postStatus({ ...report, state });
  const refused = { id: null, pipelineId, message: answer.message };
  switch (answer.outcome) {
    case 'posted':
      return { outcome: 'posted', state, id: answer.id, pipelineId: answer.pipelineId ?? pipelineId, message: '' };
    case 'same':
      return { outcome: 'standing', state, ...stands };
    case 'pipeline-missing':
      return 'pipeline-missing';
    case 'commit-missing':
      return { outcome: 'missing', state: null, ...refused };
    case 'out-of-order':
      // Somebody else moved it between the read and the post; what is not final may be left at that.
      return { outcome: isFinal(state) ? 'invalid' : 'standing', state: null, ...stands, message: answer.message };
    default:
      return { outcome: 'invalid', state: null, ...refused };
  }
}
