import { jobToken } from './tokens.ts';
import { evaluate } from './ci-config.ts';
import type { Inputs } from './ci-inputs.ts';
import type { Config } from './ci-yaml.ts';
import { expand, pipelineVariables, settingsVariables } from './ci-variables.ts';
import type { Values } from './ci-variables.ts';
import { composite } from './composite.ts';
import { ensureEnvironment, openDeployment } from './environments.ts';
import { protection } from './access.ts';
import { fileAt, git, zeros } from './repositories.ts';
import type { VariableFields } from './handle.ts';
import type { JobPart, JobSpec } from './ci-jobs.ts';
import type { MergeRequest, Pipeline, Project, Row, State, User } from './state.ts';

/** What a pipeline is made for. */
export interface PipelineRequest {
  readonly project: Project;
  readonly sha: string;
  /** Branch or tag name, or `refs/merge-requests/N/head`. */
  readonly ref: string;
  readonly tag?: boolean;
  readonly beforeSha?: string;
  readonly source: string;
  readonly user: User;
  readonly mergeRequest?: MergeRequest | null;
  /** See `Pipeline`. */
  readonly sourceSha?: string | null;
  readonly targetSha?: string | null;
  readonly variables?: readonly VariableFields[];
  /** What `rules:changes` compares with; null: everything counts as changed. */
  readonly changesBase?: string | null;
  readonly inputs?: Inputs;
  /** The trigger job that asks for it. */
  readonly upstream?: Row;
  /** The configuration of a child pipeline. */
  readonly config?: Config;
  /** A configuration that is refused leaves no pipeline behind (requests of the API). */
  readonly unsaved?: boolean;
}

/** A pipeline without rows. */
export function newPipeline(state: State, request: PipelineRequest): Pipeline {
  const now = state.time();
  return {
    id: state.next('pipeline'),
    iid: state.next(`pipeline:${request.project.id}`),
    project: request.project,
    sha: request.sha,
    ref: request.ref,
    tag: request.tag ?? false,
    beforeSha: request.beforeSha ?? zeros,
    source: request.source,
    user: request.user,
    createdAt: now,
    visibleAt: state.clock.now() + (request.source === 'push' || request.mergeRequest ? (state.faults.lagMs ?? 0) : 0),
    protectedRef: !request.mergeRequest && protection(request.project, request.ref) !== undefined,
    mergeRequest: request.mergeRequest ?? null,
    sourceSha: request.sourceSha ?? null,
    targetSha: request.targetSha ?? null,
    upstream: request.upstream ?? null,
    changesBase: request.changesBase ?? null,
    variables: request.variables ?? [],
    rows: [],
    status: 'created',
    updatedAt: now,
    startedAt: null,
    finishedAt: null,
    yamlErrors: null,
    archived: false,
  };
}

/** Shows a pipeline from now on. */
export async function addPipeline(state: State, pipeline: Pipeline): Promise<void> {
  await git(state, pipeline.project.repository, ['update-ref', `refs/pipelines/${pipeline.id}`, pipeline.sha]);
  pipeline.project.pipelines.push(pipeline);
  state.pipelines.set(pipeline.id, pipeline);
  if (pipeline.source === 'parent_pipeline') return;
  const request =
    pipeline.mergeRequest ??
    pipeline.project.mergeRequests.find(
      (each) =>
        each.state === 'opened' &&
        each.sourceProject === pipeline.project &&
        each.sourceBranch === pipeline.ref &&
        each.sha === pipeline.sha &&
        !each.headPipeline,
    );
  if (
    request &&
    request.sha === (pipeline.sourceSha ?? pipeline.sha) &&
    (pipeline.mergeRequest || !request.headPipeline?.mergeRequest)
  )
    request.headPipeline = pipeline;
}

/** Announces a pipeline's state. */
export function announce(state: State, pipeline: Pipeline): void {
  const { id, sha, ref, source, status, yamlErrors } = pipeline;
  state.emit({ type: 'pipeline', project: pipeline.project.path, id, sha, ref, source, status, yamlErrors });
}

/** Takes the status of its rows. Answers whether it changed. */
export function recalculate(state: State, pipeline: Pipeline): boolean {
  if (pipeline.rows.length === 0) return false;
  const status = composite(pipeline.rows.filter((row) => !row.retried));
  if (status === pipeline.status) return false;
  pipeline.status = status;
  pipeline.updatedAt = state.time();
  if (status === 'running' && !pipeline.startedAt) pipeline.startedAt = state.time();
  const ended = ['success', 'failed', 'canceled', 'skipped'].includes(status);
  pipeline.finishedAt = ended ? state.time() : null;
  announce(state, pipeline);
  return true;
}

/** The outcome of asking for a pipeline. */
export type Made =
  | { readonly pipeline: Pipeline }
  /** Nothing to run: GitLab makes none. */
  | { readonly pipeline: null; readonly reason: string };

/** Reads the project's CI file at the commit and makes the pipeline with its jobs (none of them started). */
export async function createPipeline(state: State, request: PipelineRequest): Promise<Made> {
  if (!request.config && !(await fileAt(state, request.project, request.sha, '.gitlab-ci.yml')))
    return { pipeline: null, reason: 'Missing CI config file' };
  const pipeline = newPipeline(state, request);
  const predefined = await pipelineVariables(state, pipeline);
  const { protectedRef } = pipeline;
  const settings: Values = {};
  const masked = new Set<string>();
  for (const variable of [
    ...settingsVariables(state, request.project, { protectedRef, environment: null }),
    ...pipeline.variables,
  ]) {
    if (!variable.file) settings[variable.key] = variable.value;
    if (variable.masked) masked.add(variable.key);
  }
  const evaluation = await evaluate(state, {
    project: request.project,
    sha: request.sha,
    changesBase: request.changesBase ?? null,
    mergeRequest: pipeline.mergeRequest !== null,
    values: { ...predefined, ...settings },
    masked,
    user: request.user,
    // A job token reads no other project (gitlab.com/gitlab-org/gitlab/-/issues/585668); a trigger job is none.
    aloneWithToken: request.upstream?.kind === 'job',
    ...(request.inputs ? { inputs: request.inputs } : {}),
    ...(request.config ? { config: request.config } : {}),
  });
  if (evaluation.outcome === 'nothing') return { pipeline: null, reason: evaluation.reason };
  if (evaluation.outcome === 'error') {
    if (request.unsaved) return { pipeline: null, reason: evaluation.message };
    pipeline.yamlErrors = evaluation.message;
    pipeline.status = 'failed';
    pipeline.finishedAt = state.time();
    await addPipeline(state, pipeline);
    announce(state, pipeline);
    return { pipeline };
  }
  const specs = evaluation.jobs.toSorted(
    (a, b) => evaluation.stages.indexOf(a.stage) - evaluation.stages.indexOf(b.stage),
  );
  for (const spec of specs)
    addJob(state, pipeline, spec, evaluation.stages.indexOf(spec.stage), { predefined, settings });
  await addPipeline(state, pipeline);
  announce(state, pipeline);
  return { pipeline };
}

/** What names of environments and resource groups are made of, or a job that is done again. */
export type JobNames =
  | { readonly predefined: Values; readonly settings: Values; readonly like?: undefined; readonly user?: undefined }
  | { readonly like: JobPart; readonly user: User };

/** A job or status in state `created`. */
export function newRow(
  state: State,
  row: Pick<Row, 'id' | 'kind' | 'pipeline' | 'name' | 'stage' | 'stageIndex' | 'user' | 'job'> &
    Partial<Pick<Row, 'allowFailure'>>,
): Row {
  return {
    createdAt: state.time(),
    status: 'created',
    description: null,
    targetUrl: null,
    coverage: null,
    allowFailure: false,
    startedAt: null,
    finishedAt: null,
    queuedAt: null,
    retried: false,
    failureReason: null,
    downstream: null,
    ...row,
  };
}

/** Adds a job (again, for a retry) in state `created`. */
export function addJob(state: State, pipeline: Pipeline, spec: JobSpec, stageIndex: number, names: JobNames): Row {
  const id = state.next('row');
  const user = names.user ?? pipeline.user;
  const yaml: Values = {};
  for (const [key, value] of Object.entries({
    ...spec.globals,
    ...(spec.data['variables'] as Record<string, unknown> | undefined),
  })) {
    yaml[key] = String(typeof value === 'object' && value !== null && 'value' in value ? value.value : value);
  }
  const lookup: Values = names.like
    ? {}
    : {
        ...names.predefined,
        CI_JOB_NAME: spec.name,
        CI_JOB_STAGE: spec.stage,
        ...yaml,
        ...spec.matrix,
        ...names.settings,
      };
  const deep = (text: string) => expand(expand(text, lookup), lookup);
  const settings = environmentSettings(spec);
  const group = spec.data['resource_group'];
  const environmentName = names.like ? names.like.environment : settings && deep(settings.name);
  const row = newRow(state, {
    id,
    kind: spec.data['trigger'] === undefined ? 'job' : 'bridge',
    pipeline,
    name: spec.name,
    stage: spec.stage,
    stageIndex,
    user,
    allowFailure: spec.allowFailure === true,
    job: {
      spec,
      token: jobToken(state, id, pipeline.project.id, user.id),
      alive: false,
      environment: environmentName === '' ? null : environmentName,
      resourceGroup: names.like ? names.like.resourceGroup : typeof group === 'string' ? deep(group) : null,
      exitCode: null,
      log: () => '',
      raw: () => '',
      artifacts: null,
      dotenv: {},
      cancel: null,
      variables: names.like?.variables ?? [],
    },
  });
  pipeline.rows.push(row);
  state.rows.set(id, row);
  if (row.job?.environment && settings) {
    const environment = ensureEnvironment(state, pipeline.project, row.job.environment, {
      tier: settings.deployment_tier,
      externalUrl: settings.url === undefined || names.like ? undefined : deep(settings.url),
    });
    if ((settings.action ?? 'start') === 'start') openDeployment(state, row, environment);
  }
  return row;
}

/** `environment:` of a job. */
export function environmentSettings(spec: JobSpec): {
  readonly name: string;
  readonly url?: string;
  readonly action?: string;
  readonly deployment_tier?: string;
} | null {
  const value = spec.data['environment'];
  if (typeof value === 'string') return { name: value };
  return typeof value === 'object' && value !== null && 'name' in value ? (value as { name: string }) : null;
}

/** Announces a job's state. */
export function announceJob(state: State, row: Row): void {
  const { id, pipeline, name, stage, status } = row;
  state.emit({
    type: 'job',
    project: pipeline.project.path,
    id,
    pipeline: pipeline.id,
    name,
    stage,
    status,
    exitCode: row.job?.exitCode ?? null,
  });
}
