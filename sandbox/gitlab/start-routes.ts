import type { Hono } from 'hono';
import { identifyJob, jobMayReach, mayUpdatePipeline } from './access.ts';
import { pipelineEntity } from './entities.ts';
import type { VariableFields } from './handle.ts';
import type { Inputs } from './ci-inputs.ts';
import { isMap } from './ci-yaml.ts';
import { findProject } from './lookup.ts';
import { readRef, resolveCommit } from './repositories.ts';
import { ApiError, badParameter, badRequest, enter, notFound, parameters, required, text } from './request.ts';
import type { Api } from './request.ts';
import type { Pipeline, Project, Row, User } from './state.ts';

/** Starts pipelines: `POST /projects/:id/pipeline`, and with the tokens of triggers and jobs. */
export function startRoutes(app: Hono, api: Api): void {
  const { state, engine } = api;

  app.post('/projects/:id/pipeline', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true });
    const values = await parameters(c);
    const ref = required(values, 'ref');
    if (!mayUpdatePipeline(state, user, project, ref))
      throw badRequest({
        base: [
          "You do not have sufficient permission to run a pipeline on '" +
            ref +
            "'. Please select a different branch or contact your administrator for assistance.",
        ],
      });
    const inputs = inputsOf(values);
    const variables = variableList(values['variables']);
    return c.json(pipelineEntity(state, await make({ project, user, ref, source: 'api', variables, inputs })), 201);
  });

  /** Who a token speaks for; a job's makes a pipeline of another project's (`pipeline`), with the job's user. */
  const sender = (project: Project, token: string) => {
    const entry = project.triggers.find((each) => each.token === token);
    if (entry) return { user: entry.user, source: 'trigger' as const };
    const job = identifyJob(state, token);
    if (job.kind !== 'job' || !jobMayReach(state, job, project)) throw notFound();
    return { user: job.user, source: 'pipeline' as const, upstream: job.row };
  };
  const trigger = async (
    project: Project | undefined,
    given: string | undefined,
    values: Readonly<Record<string, unknown>>,
  ) => {
    if (!project) throw notFound();
    const whole = (values['variables'] ?? {}) as Record<string, unknown>;
    const variables = Object.entries({ ...whole, ...nestedOf(values, 'variables') });
    const ref = given ?? required(values, 'ref');
    const from = sender(project, text(values, 'token') ?? '');
    if (from.upstream && !mayUpdatePipeline(state, from.user, project, ref))
      throw badRequest({ base: ['Insufficient permissions to create a new pipeline'] });
    return make({
      ...from,
      project,
      ref,
      variables: variables.map(([key, value]) => ({ key, value: String(value), raw: false })),
      inputs: inputsOf(values),
    });
  };
  app.post('/projects/:id/trigger/pipeline', async (c) => {
    const made = await trigger(findProject(state, c.req.param('id')), undefined, await parameters(c));
    return c.json(pipelineEntity(state, made), 201);
  });
  app.post('/projects/:id/ref/:ref/trigger/pipeline', async (c) => {
    const made = await trigger(findProject(state, c.req.param('id')), c.req.param('ref'), await parameters(c));
    return c.json(pipelineEntity(state, made), 201);
  });

  async function make(request: {
    readonly project: Project;
    readonly user: User;
    readonly ref: string;
    readonly source: 'api' | 'trigger' | 'pipeline';
    readonly upstream?: Row;
    readonly variables: readonly VariableFields[];
    readonly inputs: Inputs;
  }): Promise<Pipeline> {
    const { project, ref, source } = request;
    const tag =
      (await readRef(state, project, `refs/tags/${ref}`)) !== null &&
      (await readRef(state, project, `refs/heads/${ref}`)) === null;
    const sha = await resolveCommit(state, project, ref);
    if (!sha) throw badRequest({ base: ['Reference not found'] });
    const made = await engine.create({ ...request, sha, tag, unsaved: source === 'api' });
    if (!made.pipeline) throw badRequest({ base: [made.reason] });
    // A triggered pipeline that cannot be read stays, and is refused (app/services/ci/pipeline_trigger_service.rb).
    if (made.pipeline.yamlErrors) throw new ApiError(422, { message: { base: [made.pipeline.yamlErrors] } });
    return made.pipeline;
  }
}

/** `inputs` of JSON, and `inputs[name]` of forms. */
function inputsOf(values: Readonly<Record<string, unknown>>): Inputs {
  const whole = values['inputs'] ?? {};
  if (!isMap(whole)) throw badParameter('inputs is invalid');
  return { ...whole, ...nestedOf(values, 'inputs') };
}

/** Form fields `name[key]`. */
function nestedOf(values: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([field, value]) => {
      const [, owner, key] = /^(\w+)\[([^\]]+)\]$/.exec(field) ?? [];
      return owner === name && key !== undefined ? [[key, value]] : [];
    }),
  );
}

function variableList(value: unknown): readonly VariableFields[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: Record<string, unknown>) =>
    typeof each['key'] === 'string'
      ? [{ key: each['key'], value: text(each, 'value') ?? '', file: each['variable_type'] === 'file', raw: false }]
      : [],
  );
}
