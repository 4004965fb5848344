import type { Hono } from 'hono';
import { readdir, readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { mayUpdatePipeline } from './access.ts';
import { basicJobEntity, bridgeEntity, jobEntity, basicPipelineEntity, userEntity } from './entities.ts';
import { commitOf } from './repositories.ts';
import { enter, forbidden, identityOf, list, notFound, page, parameters, unauthorized, ApiError } from './request.ts';
import type { Api } from './request.ts';
import { pipelineOf } from './pipeline-routes.ts';
import type { Project, Row } from './state.ts';

/** Jobs of pipelines: read, log, artifacts, cancel, retry, play. */
export function jobRoutes(app: Hono, api: Api): void {
  const { state, engine } = api;
  const entity = async (row: Row) =>
    jobEntity(state, row, await commitOf(state, row.pipeline.project, row.pipeline.sha));
  const bridge = async (row: Row) =>
    bridgeEntity(state, row, await commitOf(state, row.pipeline.project, row.pipeline.sha));
  const jobOf = (project: Project, id: string): Row => {
    const row = state.rows.get(Number(id));
    if (!row || row.kind === 'external' || row.pipeline.project !== project) throw notFound();
    return row;
  };

  app.get('/projects/:id/pipelines/:pipeline/jobs', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const pipeline = pipelineOf(api, project, Number(c.req.param('pipeline')));
    const query = await parameters(c);
    const scope = list(query, 'scope');
    const retried = query['include_retried'] === 'true';
    const rows = pipeline.rows
      .filter((row) => row.kind === 'job' && (retried || !row.retried) && (!scope || scope.includes(row.status)))
      .toReversed();
    return c.json(await Promise.all(page(api, c, rows).map(entity)));
  });
  app.get('/projects/:id/pipelines/:pipeline/bridges', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const pipeline = pipelineOf(api, project, Number(c.req.param('pipeline')));
    const scope = list(await parameters(c), 'scope');
    const rows = pipeline.rows
      .filter((row) => row.kind === 'bridge' && !row.retried && (!scope || scope.includes(row.status)))
      .toReversed();
    return c.json(await Promise.all(page(api, c, rows).map(bridge)));
  });
  app.get('/projects/:id/jobs', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const scope = list(await parameters(c), 'scope');
    const rows = project.pipelines
      .flatMap((pipeline) => pipeline.rows)
      .filter((row) => row.kind === 'job' && (!scope || scope.includes(row.status)))
      .toReversed();
    return c.json(await Promise.all(page(api, c, rows).map(entity)));
  });
  app.get('/projects/:id/jobs/:job', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    return c.json(await entity(jobOf(project, c.req.param('job'))));
  });
  app.get('/projects/:id/jobs/:job/trace', (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    return c.text(jobOf(project, c.req.param('job')).job?.log() ?? '');
  });
  app.get('/projects/:id/jobs/:job/artifacts/*', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const row = jobOf(project, c.req.param('job'));
    const path = normalize(decodeURIComponent(c.req.path.split('/artifacts/').slice(1).join('/artifacts/')));
    if (!row.job?.artifacts || path.startsWith('..')) throw notFound();
    const bytes = await readFile(join(row.job.artifacts, path)).catch(() => null);
    if (!bytes) throw notFound();
    return c.body(new Uint8Array(bytes), 200, { 'content-type': 'application/octet-stream' });
  });
  app.get('/projects/:id/jobs/:job/artifacts', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const row = jobOf(project, c.req.param('job'));
    if (!row.job?.artifacts) throw notFound();
    // GitLab sends a zip archive; the simulation lists the files.
    const files = await readdir(row.job.artifacts, { recursive: true });
    return c.text(files.join('\n'));
  });

  for (const act of ['cancel', 'retry', 'play'] as const) {
    app.post(`/projects/:id/jobs/:job/${act}`, async (c) => {
      const { project, user } = enter(api, c, { level: 30, write: true });
      const row = jobOf(project, c.req.param('job'));
      if (!mayUpdatePipeline(state, user, project, row.pipeline.mergeRequest?.sourceBranch ?? row.pipeline.ref))
        throw forbidden();
      if (act === 'cancel') {
        engine.cancel(row);
        return c.json(await entity(row), 201);
      }
      if (act === 'play') {
        if (row.status !== 'manual') throw new ApiError(400, { message: '400 Bad request - Unplayable Job' });
        const given = (await parameters(c))['job_variables_attributes'];
        const variables = Array.isArray(given)
          ? given.map((each: { key: string; value: string }) => ({ key: each.key, value: each.value }))
          : [];
        engine.play(row, user, variables);
        return c.json(basicJobEntity(state, row, await commitOf(state, project, row.pipeline.sha)), 200);
      }
      const retryable = ['success', 'failed', 'canceled'].includes(row.status) && !row.retried;
      if (!retryable) throw new ApiError(403, { message: '403 Forbidden - Job is not retryable' });
      return c.json(await entity(engine.retry(row, user)), 201);
    });
  }

  app.get('/job', async (c) => {
    const identity = identityOf(api, c, { jobToken: true });
    if (identity.kind !== 'job') throw unauthorized();
    return c.json({
      ...(await entity(identity.row)),
      pipeline: basicPipelineEntity(state, identity.row.pipeline),
      user: userEntity(state, identity.user),
    });
  });
}
