import { readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { accessLevel, mayUpdatePipeline } from './access.ts';
import { compileIncludes } from './ci-includes.ts';
import { expand, pipelineVariables, settingsVariables } from './ci-variables.ts';
import type { Values } from './ci-variables.ts';
import { ConfigError, isMap } from './ci-yaml.ts';
import type { Config } from './ci-yaml.ts';
import { createPipeline } from './pipelines.ts';
import type { Made, PipelineRequest } from './pipelines.ts';
import { readRef } from './repositories.ts';
import type { VariableFields } from './handle.ts';
import type { Pipeline, Row, State } from './state.ts';

/** `trigger:` jobs: app/services/ci/create_downstream_pipeline_service.rb of GitLab. */

/** The pipeline that a trigger job made, or why there is none. */
export type Downstream = { readonly pipeline: Pipeline } | { readonly failure: string };

const deepest = 2;

/** Is it a child pipeline? Those stand behind their parent: they are no pipelines of the commit for others. */
export function isChild(pipeline: Pipeline): boolean {
  return pipeline.source === 'parent_pipeline';
}

/** Makes the pipeline of a trigger job. */
export async function createDownstream(state: State, row: Row): Promise<Downstream> {
  const trigger: unknown = row.job?.spec.data['trigger'];
  const settings: Config = isMap(trigger) ? trigger : { project: trigger };
  const known = await contextOf(state, row);
  const variables = forwarded(row, settings, known);
  try {
    const request =
      settings['include'] === undefined
        ? await otherProject(state, row, settings, known, variables)
        : await child(state, row, settings, variables);
    if ('failure' in request) return request;
    const made: Made = await createPipeline(state, { ...request, unsaved: true });
    return made.pipeline ? { pipeline: made.pipeline } : { failure: 'downstream_pipeline_creation_failed' };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    state.log(`downstream pipeline of ${row.name}: ${error.message}`);
    return { failure: 'downstream_pipeline_creation_failed' };
  }
}

/** What the trigger job becomes when its pipeline has moved on; null: nothing new. */
export function bridgeStatus(row: Row): string | null {
  const trigger: unknown = row.job?.spec.data['trigger'];
  const strategy = isMap(trigger) ? trigger['strategy'] : undefined;
  const status = row.downstream?.status;
  if (status === undefined) return null;
  if (strategy === 'mirror') return status === 'created' ? 'pending' : status;
  if (strategy !== 'depend') return 'success';
  if (status === 'success' || status === 'canceled') return status;
  return status === 'failed' || status === 'skipped' ? 'failed' : 'running';
}

async function contextOf(state: State, row: Row): Promise<Values> {
  const { pipeline } = row;
  const settings = [
    ...settingsVariables(state, pipeline.project, { protectedRef: pipeline.protectedRef, environment: null }),
    ...pipeline.variables,
  ];
  return {
    ...(await pipelineVariables(state, pipeline)),
    ...Object.fromEntries(settings.map((v) => [v.key, v.value])),
  };
}

/** The file's variables of the job, and the pipeline's own where `forward:` asks for them. */
function forwarded(row: Row, settings: Config, known: Values): readonly VariableFields[] {
  const spec = row.job?.spec;
  const forward = isMap(settings['forward']) ? settings['forward'] : {};
  const yaml = { ...spec?.globals, ...(spec?.data['variables'] as Config | undefined), ...spec?.matrix };
  const own = Object.entries(yaml).map(([key, value]) => ({
    key,
    value: expand(String(isMap(value) ? value['value'] : value), { ...known, CI_JOB_NAME: row.name }),
  }));
  return [
    ...(forward['pipeline_variables'] === true ? row.pipeline.variables : []),
    ...(forward['yaml_variables'] === false ? [] : own),
  ];
}

type Asked = PipelineRequest | { readonly failure: string };

async function child(state: State, row: Row, settings: Config, variables: readonly VariableFields[]): Promise<Asked> {
  const { pipeline, user } = row;
  let depth = 0;
  for (let above: Pipeline | undefined = pipeline; above && isChild(above); above = above.upstream?.pipeline)
    depth += 1;
  if (depth >= deepest) return { failure: 'reached_max_descendant_pipelines_depth' };
  const { project, sha } = pipeline;
  const values = await contextOf(state, row);
  const artifact = async (job: string, path: string) => {
    const producer = pipeline.rows.findLast((each) => each.kind === 'job' && each.name === job && !each.retried);
    const folder = producer?.job?.artifacts;
    if (!folder || normalize(path).startsWith('..')) return null;
    return readFile(join(folder, path), 'utf8').catch(() => null);
  };
  const place = { project, sha, user, values, masked: new Set<string>(), artifact };
  const config = await compileIncludes(state, place, settings['include']);
  return {
    project,
    sha,
    ref: pipeline.ref,
    tag: pipeline.tag,
    beforeSha: pipeline.beforeSha,
    source: 'parent_pipeline',
    user,
    mergeRequest: pipeline.mergeRequest,
    sourceSha: pipeline.sourceSha,
    targetSha: pipeline.targetSha,
    changesBase: pipeline.changesBase,
    variables,
    upstream: row,
    config,
  };
}

async function otherProject(
  state: State,
  row: Row,
  settings: Config,
  known: Values,
  variables: readonly VariableFields[],
): Promise<Asked> {
  const path = expand(String(settings['project']), known);
  const project = state.projects.get(path.toLowerCase());
  if (!project || (project.visibility === 'private' && accessLevel(state, row.user, project) === 0))
    return { failure: 'downstream_bridge_project_not_found' };
  const branch = settings['branch'];
  const ref = typeof branch === 'string' ? expand(branch, known) : project.defaultBranch;
  if (!mayUpdatePipeline(state, row.user, project, ref)) return { failure: 'insufficient_bridge_permissions' };
  const head = await readRef(state, project, `refs/heads/${ref}`);
  const tagged = head ? null : await readRef(state, project, `refs/tags/${ref}`);
  if (!head && !tagged) return { failure: 'downstream_pipeline_creation_failed' };
  const { inputs } = settings;
  return {
    project,
    sha: head ?? tagged ?? '',
    ref,
    tag: head === null,
    source: 'pipeline',
    user: row.user,
    variables,
    upstream: row,
    ...(isMap(inputs) ? { inputs } : {}),
  };
}
