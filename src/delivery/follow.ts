import { Fault } from '../fault.ts';
import type { ExitCode } from '../fault.ts';
import type { Clock } from '../systems/clock.ts';
import type { GitLab, GitLabPipeline, GitLabStatus } from '../systems/gitlab.ts';
import type { DeliveryCommit } from './commit.ts';

/** A pair whose status is followed. */
export interface FollowedPair {
  readonly app: string;
  readonly environment: string;
}

/** How a pair ended, as the delivery side says. `state` null: it said nothing, since nothing of the pair changed. */
export interface FollowedStatus extends FollowedPair {
  readonly state: 'success' | 'failed' | 'canceled' | 'skipped' | null;
  readonly description: string;
  readonly url: string | null;
}

/** What following works with. Times are milliseconds since the epoch. */
export interface Following {
  readonly gitlab: GitLab;
  readonly clock: Clock;
  readonly deadline: number;
  readonly signal: AbortSignal;
  note(text: string): void;
}

/** GitLab makes the pipeline of a push within seconds; after this time none comes any more. */
const PIPELINE_MS = 60_000;
/** A pipeline that no runner took by then may be waiting for this very job's runner. */
const RUNNER_MS = 30_000;
const SHORTEST_MS = 2_000;
const LONGEST_MS = 15_000;
const ENDED = new Set(['success', 'failed', 'canceled', 'skipped']);

/** Names under which sync tells of a pair: its own, and the environment's sum where one commit changes very many. */
function namesOf({ app, environment }: FollowedPair): readonly string[] {
  return [`sync: ${environment}/${app}`, `sync: ${environment}`];
}

/**
 * Follows the delivery side until each pair has a final status on the delivery commit (or on a newer one that took
 * over). Faults: `timed_out` at the deadline; `pipeline_missing` where no pipeline comes or it ends without a word.
 */
export async function followStatuses(
  commit: Pick<DeliveryCommit, 'project' | 'branch' | 'sha'>,
  pairs: readonly FollowedPair[],
  work: Following,
): Promise<readonly FollowedStatus[]> {
  const { gitlab, clock } = work;
  const started = clock.now();
  const told = new Map<string, string>();
  let { sha } = commit;
  let warned = false;
  for (let wait = SHORTEST_MS; ; wait = Math.min(LONGEST_MS, wait * 1.3)) {
    let own = await pipelineOf(gitlab, commit, sha);
    if (own === null && wait === SHORTEST_MS) {
      sha = await landedAs(gitlab, commit);
      if (sha !== commit.sha) own = await pipelineOf(gitlab, commit, sha);
    }
    const later = own && ['canceled', 'skipped'].includes(own.status) ? await successor(gitlab, commit, own) : null;
    const statuses = await gitlab.statuses(commit.project, later?.sha ?? sha);
    const found = pairs.map((pair) => statusOf(pair, statuses));
    for (const each of statuses) tell(told, each, work);
    if (found.every((each) => each?.state != null)) return found.filter((each) => each !== null);
    const pipeline = later ?? own;
    if (pipeline === null && clock.now() - started > PIPELINE_MS) {
      throw missing(`no pipeline came for commit ${sha.slice(0, 12)} of ${commit.project} on ${commit.branch}`);
    }
    if (pipeline && ENDED.has(pipeline.status)) {
      // Lists do not tell why a pipeline could not be made.
      const whole = pipeline.status === 'failed' ? await gitlab.pipeline(commit.project, pipeline.id) : null;
      if (whole?.yamlErrors) throw missing(`${whole.webUrl}: ${whole.yamlErrors}`);
      return ended(pipeline, pairs, found);
    }
    if (!warned && pipeline && ['created', 'pending', 'waiting_for_resource'].includes(pipeline.status)) {
      warned = clock.now() - started > RUNNER_MS;
      if (warned)
        work.note(`no runner took ${pipeline.webUrl} yet; where this job holds the only runner, it waits for itself`);
    }
    if (!warned && pipeline?.status === 'manual') {
      warned = true;
      work.note(`${pipeline.webUrl} waits for somebody to start its manual job`);
    }
    if (clock.now() + wait > work.deadline) {
      throw new Fault(
        'timed_out',
        `${pipeline ? `${pipeline.webUrl} (${pipeline.status})` : commit.project}: no final status of ${pairs.map((pair) => namesOf(pair)[0]).join(', ')} in time`,
      );
    }
    await clock.sleep(wait, work.signal);
  }
}

/** Exit code of followed statuses: success and canceled 0, skipped 3 (held), failed 4. */
export function followedExit(statuses: readonly FollowedStatus[]): ExitCode {
  if (statuses.some((status) => status.state === 'failed')) return 4;
  return statuses.some((status) => status.state === 'skipped') ? 3 : 0;
}

/**
 * Waits until a merge request is merged; answers the commit on the target branch. Faults: `push_refused` where it is
 * closed, `timed_out`.
 */
export async function followMerge(project: string, iid: number, work: Following): Promise<string> {
  let told = '';
  for (let wait = SHORTEST_MS; ; wait = Math.min(LONGEST_MS, wait * 1.3)) {
    const request = await work.gitlab.mergeRequest(project, iid);
    if (request?.state === 'merged') return request.mergeCommit ?? request.sha;
    if (request === null || request.state === 'closed') {
      throw new Fault('push_refused', `${request?.url ?? `merge request !${iid}`} was closed without being merged`, {
        hint: 'Run again to open another.',
      });
    }
    if (told !== request.detailedMergeStatus) work.note(`${request.url} is open: ${request.detailedMergeStatus}`);
    told = request.detailedMergeStatus;
    if (work.clock.now() + wait > work.deadline) {
      throw new Fault('timed_out', `${request.url} is not merged yet (${request.detailedMergeStatus})`);
    }
    await work.clock.sleep(wait, work.signal);
  }
}

/** The newest pipeline of a commit on the delivery branch: a merge request's may have run for the same commit before. */
async function pipelineOf(
  gitlab: GitLab,
  { project, branch }: Pick<DeliveryCommit, 'project' | 'branch'>,
  sha: string,
): Promise<GitLabPipeline | null> {
  return newest(await gitlab.pipelines(project, { sha, ref: branch }));
}

/**
 * The commit by which a merge request's commit came to the branch, else the commit itself. Fault `token_refused` where
 * the project cannot be seen: what GitLab does not show would look like something that never comes.
 */
async function landedAs(gitlab: GitLab, commit: Pick<DeliveryCommit, 'project' | 'branch' | 'sha'>): Promise<string> {
  const { project, branch, sha } = commit;
  if ((await gitlab.project(project)) === null) {
    throw new Fault('token_refused', `${project} is not there, or not visible with this token`, {
      hint: '--wait needs SLUICE_GITLAB_TOKEN with the scope api (or read_api) for the delivery project.',
    });
  }
  const requests = await gitlab.commitMergeRequests(project, sha);
  const merged = requests.find((request) => request.state === 'merged' && request.targetBranch === branch);
  return merged?.mergeCommit ?? sha;
}

function newest(pipelines: readonly GitLabPipeline[]): GitLabPipeline | null {
  const real = pipelines.filter((pipeline) => !['external', 'parent_pipeline'].includes(pipeline.source));
  return real.toSorted((a, b) => b.id - a.id)[0] ?? null;
}

/** The branch's newest pipeline after ours: GitLab cancels what a newer push makes redundant. */
async function successor(
  gitlab: GitLab,
  commit: Pick<DeliveryCommit, 'project' | 'branch'>,
  own: GitLabPipeline,
): Promise<GitLabPipeline | null> {
  const found = newest(await gitlab.pipelines(commit.project, { ref: commit.branch }));
  return found && found.id > own.id ? found : null;
}

function statusOf(pair: FollowedPair, statuses: readonly GitLabStatus[]): FollowedStatus | null {
  for (const name of namesOf(pair)) {
    const status = statuses.filter((each) => each.name === name).toSorted((a, b) => b.id - a.id)[0];
    if (status && isFinal(status.state)) {
      return { ...pair, state: status.state, description: status.description ?? '', url: status.targetUrl };
    }
  }
  return null;
}

function isFinal(state: GitLabStatus['state']): state is NonNullable<FollowedStatus['state']> {
  return ENDED.has(state);
}

function ended(
  pipeline: GitLabPipeline,
  pairs: readonly FollowedPair[],
  found: readonly (FollowedStatus | null)[],
): readonly FollowedStatus[] {
  if (pipeline.status !== 'success') throw missing(`${pipeline.webUrl} ended as ${pipeline.status} without a status`);
  const description = 'the delivery pipeline ended without a status: nothing of it changed';
  return pairs.map((pair, index) => found[index] ?? { ...pair, state: null, description, url: pipeline.webUrl });
}

function tell(told: Map<string, string>, status: GitLabStatus, work: Following): void {
  if (!status.name.startsWith('sync: ')) return;
  const text = `${status.name}: ${status.state}${status.description ? `, ${status.description}` : ''}`;
  if (told.get(status.name) !== text) work.note(text);
  told.set(status.name, text);
}

function missing(message: string): Fault {
  return new Fault('pipeline_missing', message);
}
