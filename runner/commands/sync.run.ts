import type { Publication } from '../../src/artifact/published.ts';
import type { Config } from '../../src/config/config.ts';
import { appOf, environmentOf } from '../../src/config/pair.ts';
import type { CommitClaim } from '../../src/delivery/commit.ts';
import { parseClaim } from '../../src/delivery/message.ts';
import { Fault } from '../../src/fault.ts';
import { limitTo } from '../../src/status/limit.ts';
import { isStatusOf, statusName } from '../../src/status/name.ts';
import { lineageIn } from '../../src/sync/lineage.ts';
import type { DeliveryStatusPlace } from '../../src/sync/line.ts';
import { parsePublication } from '../../src/sync/publication.ts';
import { requestClaims } from '../../src/artifact/request-claims.ts';
import { repair, repairDepth } from '../../src/sync/repair.ts';
import type { OwnStatus, RepairedStatus } from '../../src/sync/repair.ts';
import { standingPublication } from '../../src/sync/standing.ts';
import { sync } from '../../src/sync/sync.ts';
import { repositoryUrls, targetsOf } from '../../src/sync/target.ts';
import type { SyncTarget } from '../../src/sync/target.ts';
import type { CommitInfo, GitRepository } from '../../src/systems/git.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { alignedTable } from '../output/table.ts';
import { followIn, followStatusesIn, ownTimeouts } from './sync.follow.ts';
import { planSync } from './sync.plan.ts';
import { syncCases, syncMetrics, syncSummary, syncText, syncVariables } from './sync.text.ts';

/** What a run of sync is about, from flags, job and checkout. */
export interface SyncRequest {
  readonly config: Config;
  readonly repository: GitRepository;
  /** Empty: all. */
  readonly environments: readonly string[];
  readonly apps: readonly string[];
  readonly place: DeliveryStatusPlace;
}

/** `sync`. Faults: those of configuration, git, registry and GitLab; the signal's. */
export async function run(context: Context): Promise<CommandResult> {
  const request = await readRequest(context);
  if (context.values.boolean('repair')) return repairOnly(context, request);
  return syncPublished(context, request, await readPublication(context, request));
}

/** Everything after the publication is known; `deliver` enters here. */
export async function syncPublished(
  context: Context,
  request: SyncRequest,
  publication: Publication,
): Promise<CommandResult> {
  const { config, repository } = request;
  const place = { ...request.place, branch: publication.branch };
  const targets = targetsOf(publication, config, request);
  const delivery = { ...place, urls: await deliveryUrls(context, place.project) };
  const lineage = lineageIn(
    repository,
    place.commit,
    (commit) => parseClaim(commit),
    (app) => appOf(config, app).artifacts.map(({ path }) => path),
  );
  if (context.values.boolean('dry-run')) return planSync(context, targets, delivery, lineage);
  const repairing = repairStale(context, request, ownStatuses(targets, place));
  context.reporter.step(`Following ${targets.length} app(s) of ${place.project}@${place.commit.slice(0, 12)}`);
  const result = await sync({
    clock: context.clock,
    signal: context.signal,
    deadline: context.deadline,
    ...(context.values.given('timeout') ? {} : { own: ownTimeouts(context) }),
    targets,
    delivery,
    place,
    jobUrl: context.job.jobUrl ?? null,
    gitlab: () => context.gitlab(),
    gitlabFor: (app) => context.gitlabFor(app),
    lineage,
    follow: followIn(context, repository, lineage),
    followStatuses: followStatusesIn(context, place.project),
    info: (text) => context.reporter.info(text),
    warn: (text) => context.reporter.warn(text),
  });
  const repaired = await repairing;
  return {
    record: {
      outcome: result.outcome,
      environments: [...new Set(targets.map((target) => target.pair.environment.name))],
      project: place.project,
      commit: place.commit,
      pairs: result.pairs,
      claimsRefused: result.refused,
      repaired,
    },
    text: syncText(result),
    exit: result.exit,
    dotenv: syncVariables(result),
    cases: syncCases(result),
    metrics: syncMetrics(result),
    summary: syncSummary(result),
  };
}

/** Flags, job and checkout. Faults: `config_*`, `unknown_*`, `commit_missing`, `usage`. */
export async function readRequest(context: Context): Promise<SyncRequest> {
  const { values, job, files } = context;
  const config = await context.config();
  const given = values.list('environment');
  const jobs = config.environments.filter((environment) => environment.name === job.environment);
  const environments = given.length > 0 ? given : jobs.map((environment) => environment.name);
  for (const name of environments) environmentOf(config, name);
  const apps = values.list('app');
  for (const name of apps) appOf(config, name);
  const repository = await context.repository(files.folder);
  const revision = values.string('commit') ?? 'HEAD';
  const commit = await repository.resolve(revision);
  if (commit === null) throw new Fault('commit_missing', `${revision} is no commit of ${files.folder}`);
  const project = values.required('delivery');
  const inOwnPipeline = job.project === project && job.commit === commit;
  // An open status in a child pipeline would hang the parent's trigger job: the parent's pipeline it is.
  const own =
    job.pipelineSource === 'parent_pipeline' ? job.parentPipelineId : (job.parentPipelineId ?? job.pipelineId);
  const branch = values.string('branch') ?? job.ref ?? job.defaultBranch ?? 'main';
  return {
    config,
    repository,
    environments,
    apps,
    place: { project, commit, branch, pipelineId: inOwnPipeline ? (own ?? null) : null },
  };
}

async function readPublication(context: Context, request: SyncRequest): Promise<Publication> {
  const { values, files } = context;
  const { place } = request;
  const file = values.string('published');
  if (file === undefined) {
    const asked = { ...request, ...place, registryImage: values.string('registry') };
    return standingPublication(
      asked,
      request.repository,
      () => context.registry(),
      (commit) => parseClaim(commit),
      (sha) => claimsOfRequests(context, place.project, sha),
    );
  }
  const content = await files.read(file);
  if (content === null)
    throw new Fault('file_missing', `${file} does not exist`, { hint: 'Run `sluice publish --report-dir` first.' });
  const publication = parsePublication(Buffer.from(content).toString(), file);
  if (publication.commit !== place.commit)
    throw new Fault('usage', `${file} is of commit ${publication.commit}, not of ${place.commit}`, {
      hint: 'Hand over the result of this very pipeline.',
    });
  return publication;
}

/** The claims of a commit's merge requests; none where there is no token to ask with. */
export async function claimsOfRequests(
  context: Context,
  project: string,
  sha: string,
): Promise<readonly CommitClaim[]> {
  if (context.secret('SLUICE_GITLAB_TOKEN') === undefined || project === '') return [];
  return requestClaims(await context.gitlab(), project, sha);
}

async function deliveryUrls(context: Context, project: string): Promise<readonly string[]> {
  const server = context.job.serverUrl ?? (await context.gitlab()).url;
  return repositoryUrls(server, project);
}

function ownStatuses(targets: readonly SyncTarget[], place: DeliveryStatusPlace): OwnStatus {
  const commits = new Set([
    place.commit,
    ...targets.flatMap((target) => target.origins.map((origin) => origin.commit)),
  ]);
  return (_, sha, name) =>
    commits.has(sha) &&
    targets.some(({ pair }) => {
      const own = statusName(pair.environment.name, pair.app.name);
      return (
        name === own || name.startsWith(`${own}/`) || (isStatusOf(pair.environment.name, name) && !name.includes('/'))
      );
    });
}

/** Beside the real work; what GitLab refuses here is said and fails nothing. */
async function repairStale(context: Context, request: SyncRequest, own: OwnStatus): Promise<readonly RepairedStatus[]> {
  using limit = limitTo(context.deadline, context.clock, context.signal);
  try {
    return await repairWith(context, request, { own, ownJob: null, signal: limit.signal });
  } catch (error) {
    if (error instanceof Fault) context.reporter.warn(`statuses of earlier runs were not looked at: ${error.message}`);
    else if (!context.signal.aborted) throw error;
    return [];
  }
}

async function repairOnly(context: Context, request: SyncRequest): Promise<CommandResult> {
  const { jobId } = context.job;
  const state = context.variable('CI_JOB_STATUS') === 'failed' ? 'failed' : 'canceled';
  const repaired = await repairWith(context, request, {
    ownJob: jobId === undefined ? null : { id: jobId, state },
    signal: context.signal,
  });
  const rows = repaired.map((one) => [`${one.project}@${one.sha.slice(0, 12)}`, one.name, one.state]);
  return {
    record: { outcome: 'repaired', project: request.place.project, repaired },
    text: rows.length === 0 ? 'No status was left open.' : alignedTable([['COMMIT', 'STATUS', 'STATE'], ...rows]),
    exit: 0,
  };
}

async function repairWith(
  context: Context,
  request: SyncRequest,
  more: Pick<Parameters<typeof repair>[0], 'own' | 'ownJob' | 'signal'>,
): Promise<readonly RepairedStatus[]> {
  const { config, place, repository } = request;
  const commits = await repository.log(null, place.commit, repairDepth);
  const bySha = new Map<string, CommitInfo>(commits.map((commit) => [commit.sha, commit]));
  const names = request.environments.length > 0 ? request.environments : config.environments.map(({ name }) => name);
  return repair({
    clock: context.clock,
    deadline: context.deadline,
    config,
    environments: names,
    project: place.project,
    commits: commits.map((commit) => ({ sha: commit.sha, claim: parseClaim(commit, (sha) => bySha.get(sha)) })),
    gitlab: await context.gitlab(),
    gitlabFor: (app) => context.gitlabFor(app),
    ...more,
  });
}
