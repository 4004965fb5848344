import type { AppChange } from '../app/change.ts';
import type { Config } from '../config/config.ts';
import { appOf } from '../config/pair.ts';
import { Fault } from '../fault.ts';
import type { GitLab, GitLabMergeRequest } from '../systems/gitlab.ts';

/** States of a pipeline in which nothing of it runs. */
const ENDED = new Set(['success', 'failed', 'canceled', 'skipped']);
/** A child pipeline may still trigger when its parent, which is the origin, has ended. */
const LATEST_MS = 3_600_000;

/**
 * Asks GitLab whether a change comes from where it says: its project is the app's in sluice.yaml, and its pipeline runs
 * there for this commit and ref; a merge request's pipeline counts for its source branch, a fork's not at all. A trigger's sender can claim
 * anything, also an origin that was true once: of a pipeline triggered at `triggeredAt` (milliseconds since the epoch;
 * null: it was not) the origin must have run then, or ended shortly before. Faults `origin_refused`, `token_refused` where
 * the project cannot be seen, those of GitLab.
 */
export async function verifyOrigin(
  change: Pick<AppChange, 'app' | 'origin'>,
  config: Config,
  gitlab: GitLab,
  triggeredAt: number | null,
): Promise<void> {
  const { origin } = change;
  const app = appOf(config, change.app);
  const refuse = (why: string, hint?: string): never => {
    throw new Fault('origin_refused', `the change of ${app.name}: ${why}`, { hint });
  };
  if (app.project === null) {
    return refuse(`sluice.yaml does not say from which project it comes`, `Set apps.${app.name}.project.`);
  }
  if (origin === null) return refuse(`it names no origin, and must come from ${app.project}`);
  if (origin.project !== app.project) return refuse(`it comes from ${origin.project}, and must from ${app.project}`);
  if (origin.pipeline === null) return refuse(`it names no pipeline of ${origin.project}`);
  const pipeline = await gitlab.pipeline(origin.project, origin.pipeline);
  if (pipeline === null) {
    if ((await gitlab.project(origin.project)) === null) throw notVisible(app.name, origin.project);
    return refuse(`${origin.project} has no pipeline ${origin.pipeline}`);
  }
  const says = `pipeline ${origin.pipeline} of ${origin.project}`;
  if (pipeline.sha !== origin.commit) return refuse(`${says} is of commit ${pipeline.sha}, not of ${origin.commit}`);
  const request = await requestOf(gitlab, origin.project, pipeline.ref);
  // It runs in the project, but whose code and branch names they are the project does not decide.
  if (request?.fork) return refuse(`${says} is of a fork's merge request, ${request.url}`);
  const ref = request?.branch ?? pipeline.ref;
  if (ref !== origin.ref) return refuse(`${says} is of ${ref}, not of ${origin.ref}`);
  const ended = ENDED.has(pipeline.status) ? pipeline.finishedAt : null;
  if (triggeredAt !== null && ended !== null && ended < triggeredAt - LATEST_MS) {
    const when = new Date(ended).toISOString();
    return refuse(
      `${says} ended at ${when}, long before it was triggered`,
      'Run the job in a new pipeline; from a child pipeline whose parent has ended, name its own with --source-pipeline.',
    );
  }
}

/** GitLab answers 404 for both: what is not there, and what the token must not see. */
function notVisible(app: string, project: string): Fault {
  const variable = `SLUICE_GITLAB_TOKEN_${app.toUpperCase().replaceAll('-', '_')}`;
  return new Fault('token_refused', `the origin of ${app} cannot be verified: ${project} is not visible to the token`, {
    hint: `Set ${variable}, or SLUICE_GITLAB_TOKEN of a group, with the scope read_api and the role Reporter there.`,
  });
}

/** The merge request that a ref is of (`refs/merge-requests/N/head` or `/merge`), or null. */
async function requestOf(gitlab: GitLab, project: string, ref: string): Promise<GitLabMergeRequest | null> {
  const iid = /^refs\/merge-requests\/(\d+)\//.exec(ref)?.[1];
  return iid === undefined ? null : gitlab.mergeRequest(project, Number(iid));
}
