import type { Hono } from 'hono';
import { mayUpdatePipeline } from './access.ts';
import { basicPipelineEntity, pipelineEntity } from './entities.ts';
import { evaluate } from './ci-config.ts';
import { isChild } from './downstream.ts';
import { newPipeline } from './pipelines.ts';
import { pipelineVariables } from './ci-variables.ts';
import { readRef, resolveCommit } from './repositories.ts';
import { choice, enter, forbidden, integer, notFound, page, parameters, required, text } from './request.ts';
import type { Api } from './request.ts';
import type { Pipeline, Project, User } from './state.ts';

const sources = [
  'push',
  'web',
  'trigger',
  'schedule',
  'api',
  'external',
  'pipeline',
  'chat',
  'merge_request_event',
  'external_pull_request_event',
  'parent_pipeline',
];

/** The pipeline of a request, when it is shown already. */
export function pipelineOf(api: Api, project: Project, id: number | undefined): Pipeline {
  const pipeline = project.pipelines.find((each) => each.id === id && each.visibleAt <= api.state.clock.now());
  if (!pipeline) throw notFound();
  return pipeline;
}

/** `/projects/:id/pipelines` and lint. */
export function pipelineRoutes(app: Hono, api: Api): void {
  const { state, engine } = api;

  app.get('/projects/:id/pipelines', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const query = await parameters(c);
    const [sha, ref, status, source, username] = ['sha', 'ref', 'status', 'source', 'username'].map((name) =>
      text(query, name),
    );
    if (source !== undefined) choice(query, 'source', sources);
    const found = project.pipelines
      .filter((each) => each.visibleAt <= state.clock.now())
      .filter((each) => sha === undefined || each.sha === sha)
      .filter((each) => ref === undefined || each.ref === ref)
      .filter((each) => status === undefined || each.status === status)
      .filter((each) => (source === undefined ? !isChild(each) : each.source === source))
      .filter((each) => username === undefined || each.user.username === username)
      .toSorted((a, b) => (text(query, 'sort') === 'asc' ? a.id - b.id : b.id - a.id));
    return c.json(page(api, c, found).map((each) => basicPipelineEntity(state, each)));
  });
  app.get('/projects/:id/pipelines/latest', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const ref = c.req.query('ref') ?? project.defaultBranch;
    const head = await readRef(state, project, `refs/heads/${ref}`);
    const found = project.pipelines.findLast((each) => each.ref === ref && each.sha === head && !isChild(each));
    if (!found) throw notFound();
    return c.json(pipelineEntity(state, found));
  });
  app.get('/projects/:id/pipelines/:pipeline', (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    return c.json(pipelineEntity(state, pipelineOf(api, project, Number(c.req.param('pipeline')))));
  });
  app.delete('/projects/:id/pipelines/:pipeline', (c) => {
    const { project } = enter(api, c, { level: 50, write: true });
    const pipeline = pipelineOf(api, project, Number(c.req.param('pipeline')));
    project.pipelines.splice(project.pipelines.indexOf(pipeline), 1);
    state.pipelines.delete(pipeline.id);
    for (const row of pipeline.rows) state.rows.delete(row.id);
    return c.body(null, 204);
  });
  for (const act of ['cancel', 'retry'] as const) {
    app.post(`/projects/:id/pipelines/:pipeline/${act}`, (c) => {
      const { project, user } = enter(api, c, { level: 30, write: true });
      const pipeline = pipelineOf(api, project, Number(c.req.param('pipeline')));
      if (!mayUpdatePipeline(state, user, project, pipeline.mergeRequest?.sourceBranch ?? pipeline.ref))
        throw forbidden();
      if (act === 'cancel') engine.cancelPipeline(pipeline);
      else engine.retryPipeline(pipeline, user);
      return c.json(pipelineEntity(state, pipeline), act === 'cancel' ? 200 : 201);
    });
  }

  const lint = async (project: Project, user: User, content: string | undefined, ref: string) => {
    const sha = await resolveCommit(state, project, ref);
    if (!sha) return { valid: false, errors: ['Reference not found'], warnings: [], merged_yaml: null, includes: null };
    const draft = newPipeline(state, { project, sha, ref, source: 'push', user });
    const result = await evaluate(state, {
      project,
      sha,
      changesBase: null,
      mergeRequest: false,
      values: await pipelineVariables(state, draft),
      user,
      ...(content === undefined ? {} : { content }),
    });
    const errors =
      result.outcome === 'error'
        ? [result.message]
        : result.outcome === 'nothing' && /Missing/.test(result.reason)
          ? ['Please provide content of .gitlab-ci.yml']
          : [];
    return {
      valid: errors.length === 0,
      errors,
      warnings: [],
      merged_yaml: result.outcome === 'jobs' ? result.merged : '',
      includes: [],
    };
  };
  app.post('/projects/:id/ci/lint', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true });
    const values = await parameters(c);
    return c.json(await lint(project, user, required(values, 'content'), text(values, 'ref') ?? project.defaultBranch));
  });
  app.get('/projects/:id/ci/lint', async (c) => {
    const { project, user } = enter(api, c, { level: 20 });
    const query = await parameters(c);
    return c.json(
      await lint(project, user, undefined, text(query, 'content_ref') ?? text(query, 'sha') ?? project.defaultBranch),
    );
  });

  app.get('/projects/:id/resource_groups', (c) => {
    const { project } = enter(api, c, { level: 20 });
    return c.json(page(api, c, resourceGroups(project)));
  });
  app.get('/projects/:id/resource_groups/:key', (c) => {
    const { project } = enter(api, c, { level: 20 });
    const found = resourceGroups(project).find((each) => each.key === c.req.param('key'));
    if (!found) throw notFound();
    return c.json(found);
  });
  app.put('/projects/:id/resource_groups/:key', async (c) => {
    const { project } = enter(api, c, { level: 30, write: true });
    const values = await parameters(c);
    const found = resourceGroups(project).find((each) => each.key === c.req.param('key'));
    if (!found) throw notFound();
    project.resourceModes.set(
      found.key,
      choice(
        values,
        'process_mode',
        ['unordered', 'oldest_first', 'newest_first', 'newest_ready_first'],
        found.process_mode,
      ),
    );
    return c.json(resourceGroups(project).find((each) => each.key === found.key));
  });
  app.get('/projects/:id/pipelines/:pipeline/variables', (c) => {
    const { project } = enter(api, c, { level: 30 });
    const pipeline = pipelineOf(api, project, integer({ id: c.req.param('pipeline') }, 'id'));
    return c.json(
      pipeline.variables.map((each) => ({
        variable_type: each.file ? 'file' : 'env_var',
        key: each.key,
        value: each.value,
        raw: false,
      })),
    );
  });
}

function resourceGroups(project: Project) {
  const keys = [
    ...new Set(project.pipelines.flatMap((each) => each.rows.flatMap((row) => row.job?.resourceGroup ?? []))),
  ];
  return keys.map((key, index) => ({
    id: index + 1,
    key,
    process_mode: project.resourceModes.get(key) ?? 'unordered',
    created_at: project.createdAt,
    updated_at: project.createdAt,
  }));
}
