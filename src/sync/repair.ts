import pMap from 'p-map';
import type { Config } from '../config/config.ts';
import type { CommitClaim } from '../delivery/commit.ts';
import { isStatusOf } from '../status/name.ts';
import { post } from '../status/post.ts';
import type { StatusState } from '../status/report.ts';
import { isFinal } from '../status/step.ts';
import { jobOfUrl } from '../status/text.ts';
import type { Clock } from '../systems/clock.ts';
import type { GitLab } from '../systems/gitlab.ts';

/** Delivery commits that are looked at, newest first. */
export const repairDepth = 50;

/** A status that was closed because nobody was left to close it. */
export interface RepairedStatus {
  readonly project: string;
  readonly sha: string;
  readonly name: string;
  readonly state: StatusState;
}

export interface RepairOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly deadline: number;
  readonly config: Config;
  readonly environments: readonly string[];
  /** Path of the delivery project. */
  readonly project: string;
  /** The last delivery commits with what their trailers claim. */
  readonly commits: readonly { readonly sha: string; readonly claim: CommitClaim | null }[];
  readonly gitlab: GitLab;
  readonly gitlabFor: (app: string) => Promise<GitLab>;
  /** Statuses that this very run posts: they are left to it. */
  readonly own?: OwnStatus;
  /** The job whose after_script this is, and how it ends; null: the own job is alive and left alone. */
  readonly ownJob: { readonly id: number; readonly state: StatusState } | null;
}

/** A status that this run posts itself. */
export type OwnStatus = (project: string, sha: string, name: string) => boolean;

interface Place {
  readonly project: string;
  readonly sha: string;
  readonly gitlab: GitLab;
}

/** States in which a job may still post. */
const alive = new Set([
  'created',
  'waiting_for_resource',
  'preparing',
  'waiting_for_callback',
  'pending',
  'running',
  'canceling',
  'scheduled',
  'manual',
]);

/**
 * Closes open statuses of the environments on the last delivery commits and on the application commits that they
 * rightly name, where the job that the status points to has ended. Statuses without a job's URL are left alone: nobody
 * can tell whether they are followed. Faults as `GitLab`.
 */
export async function repair(options: RepairOptions): Promise<readonly RepairedStatus[]> {
  const places = await placesOf(options);
  const jobs = new Map<number, Promise<StatusState | null>>();
  const endOf = (url: string | null): Promise<StatusState | null> => {
    const job = jobOfUrl(options.gitlab.url, url);
    if (job === null || job.project !== options.project) return Promise.resolve(null);
    if (job.id === options.ownJob?.id) return Promise.resolve(options.ownJob.state);
    const known = jobs.get(job.id) ?? endOfJob(options.gitlab.within(options.signal), job.project, job.id);
    jobs.set(job.id, known);
    return known;
  };
  const repaired = await pMap(places, (place) => repairPlace(options, place, endOf), {
    concurrency: 6,
    signal: options.signal,
  });
  return repaired.flat();
}

async function placesOf(options: RepairOptions): Promise<readonly Place[]> {
  const places = new Map<string, Place>();
  const add = (place: Place) => places.set(`${place.project}@${place.sha}`, place);
  for (const { sha, claim } of options.commits) {
    add({ project: options.project, sha, gitlab: options.gitlab });
    const origin = claim?.origin ?? null;
    if (claim === null || origin === null) continue;
    const app = options.config.apps.find(
      (candidate) => claim.apps.includes(candidate.name) && candidate.project === origin.project,
    );
    if (app && claim.environments.some((environment) => options.environments.includes(environment)))
      add({ project: origin.project, sha: origin.commit, gitlab: await options.gitlabFor(app.name) });
  }
  return [...places.values()];
}

async function repairPlace(
  options: RepairOptions,
  place: Place,
  endOf: (url: string | null) => Promise<StatusState | null>,
): Promise<readonly RepairedStatus[]> {
  const { project, sha } = place;
  const rows = await place.gitlab.within(options.signal).statuses(project, sha);
  const repaired: RepairedStatus[] = [];
  for (const row of rows) {
    const ours = options.environments.some((environment) => isStatusOf(environment, row.name));
    if (!ours || isFinal(row.state) || options.own?.(project, sha, row.name) === true) continue;
    const state = await endOf(row.targetUrl);
    if (state === null) continue;
    const posted = await post(
      place.gitlab,
      {
        project,
        sha,
        pipelineId: row.pipelineId,
        ref: null,
        name: row.name,
        state,
        description: `the job that followed it has ended (${state}) without a verdict`,
        targetUrl: row.targetUrl,
      },
      // Another bot's row is replaced as well: nobody is left to close it.
      {
        clock: options.clock,
        signal: options.signal,
        deadline: options.deadline,
        bot: async () => row.author,
        only: row.id,
      },
    );
    if (posted.outcome === 'posted') repaired.push({ project, sha, name: row.name, state: posted.state ?? state });
  }
  return repaired;
}

/** The state in which a job's open statuses end; null while it may still post. A job that is gone has ended. */
async function endOfJob(gitlab: GitLab, project: string, id: number): Promise<StatusState | null> {
  const job = await gitlab.job(project, id);
  if (job !== null && alive.has(job.status)) return null;
  return job?.status === 'failed' ? 'failed' : 'canceled';
}
