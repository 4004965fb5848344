import type { Hono } from 'hono';
import { mayChange } from './access.ts';
import { basicPipelineEntity, commitEntity, pipelineEntity } from './entities.ts';
import { mergeRequestEntity } from './merge-request-entity.ts';
import { announceRequest, createMergeRequest, mergeNow, mergeStatus } from './merge.ts';
import type { MergeOptions } from './merge.ts';
import { isChild } from './downstream.ts';
import { commitsOfRequest } from './commits.ts';
import { afterPush } from './pushes.ts';
import { requestPipeline } from './request-pipelines.ts';
import { readRef, resolveCommit, zeros } from './repositories.ts';
import {
  ApiError,
  badRequest,
  choice,
  enter,
  flag,
  forbidden,
  integer,
  list,
  notFound,
  page,
  parameters,
  required,
  text,
  unauthorized,
} from './request.ts';
import type { Api } from './request.ts';
import type { MergeRequest, Project, User } from './state.ts';

/** The merge request of a request, when it is shown already. */
export function requestOf(api: Api, project: Project, iid: string): MergeRequest {
  const found = project.mergeRequests.find(
    (each) => each.iid === Number(iid) && each.visibleAt <= api.state.clock.now(),
  );
  if (!found) throw notFound();
  return found;
}

/** `/projects/:id/merge_requests`. */
export function mergeRequestRoutes(app: Hono, api: Api): void {
  const { state, engine } = api;
  const detailed = async (request: MergeRequest) => {
    const status = await mergeStatus(state, request);
    const target = (await readRef(state, request.project, `refs/heads/${request.targetBranch}`)) ?? zeros;
    return {
      ...mergeRequestEntity(state, request, status),
      subscribed: false,
      changes_count: null,
      latest_build_started_at: request.headPipeline?.startedAt ?? null,
      latest_build_finished_at: request.headPipeline?.finishedAt ?? null,
      first_deployed_to_production_at: null,
      pipeline: request.headPipeline ? basicPipelineEntity(state, request.headPipeline) : null,
      head_pipeline: request.headPipeline ? pipelineEntity(state, request.headPipeline) : null,
      diff_refs: { base_sha: request.baseSha, head_sha: request.sha, start_sha: target },
      merge_error: null,
      first_contribution: false,
      user: { can_merge: true },
    };
  };

  app.get('/projects/:id/merge_requests', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    const query = await parameters(c);
    const wanted = choice(query, 'state', ['opened', 'closed', 'locked', 'merged', 'all'], 'all');
    const [source, target, author, search] = ['source_branch', 'target_branch', 'author_username', 'search'].map(
      (name) => text(query, name),
    );
    const labels = list(query, 'labels');
    const iids = list(query, 'iids');
    const found = project.mergeRequests
      .filter((each) => each.visibleAt <= state.clock.now())
      .filter((each) => wanted === 'all' || each.state === wanted)
      .filter((each) => source === undefined || each.sourceBranch === source)
      .filter((each) => target === undefined || each.targetBranch === target)
      .filter((each) => author === undefined || each.author.username === author)
      .filter((each) => iids === undefined || iids.includes(String(each.iid)))
      .filter((each) => search === undefined || each.title.includes(search) || each.description.includes(search))
      .filter((each) => !labels || labels.every((label) => each.labels.includes(label)))
      .toSorted((a, b) => b.id - a.id);
    return c.json(
      await Promise.all(
        page(api, c, found).map(async (each) => mergeRequestEntity(state, each, await mergeStatus(state, each))),
      ),
    );
  });
  app.get('/projects/:id/merge_requests/:iid', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    return c.json(await detailed(requestOf(api, project, c.req.param('iid'))));
  });
  app.post('/projects/:id/merge_requests', async (c) => {
    const { project: sourceProject, user } = enter(api, c, { level: 30, write: true });
    const values = await parameters(c);
    const project = targetOf(sourceProject, integer(values, 'target_project_id'));
    const fields = {
      title: required(values, 'title'),
      sourceBranch: required(values, 'source_branch'),
      targetBranch: required(values, 'target_branch'),
    };
    if (project === sourceProject && fields.sourceBranch === fields.targetBranch)
      throw badRequest(["You can't use same project/branch for source and target"]);
    const open = project.mergeRequests.find(
      (each) =>
        each.state === 'opened' &&
        each.sourceProject === sourceProject &&
        each.sourceBranch === fields.sourceBranch &&
        each.targetBranch === fields.targetBranch,
    );
    if (open)
      throw new ApiError(409, {
        message: [`Another open merge request already exists for this source branch: !${open.iid}`],
      });
    if (!(await resolveCommit(state, sourceProject, fields.sourceBranch)))
      throw badRequest(['Source branch "' + fields.sourceBranch + '" does not exist']);
    const request = await createMergeRequest(state, {
      project,
      sourceProject,
      author: user,
      ...fields,
      description: text(values, 'description') ?? '',
      labels: list(values, 'labels') ?? [],
      removeSourceBranch: flag(values, 'remove_source_branch') ?? project.removeSourceBranch,
      squash: flag(values, 'squash') ?? project.squash === 'default_on',
    });
    engine.background(requestPipeline(state, engine, request, user));
    return c.json(await detailed(request), 201);
  });
  app.put('/projects/:id/merge_requests/:iid', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true });
    const request = requestOf(api, project, c.req.param('iid'));
    const values = await parameters(c);
    request.title = text(values, 'title') ?? request.title;
    request.description = text(values, 'description') ?? request.description;
    request.targetBranch = text(values, 'target_branch') ?? request.targetBranch;
    request.squash = flag(values, 'squash') ?? request.squash;
    request.removeSourceBranch = flag(values, 'remove_source_branch') ?? request.removeSourceBranch;
    const labels = list(values, 'labels') ?? request.labels;
    const gone = list(values, 'remove_labels') ?? [];
    request.labels = [...new Set([...labels, ...(list(values, 'add_labels') ?? [])])].filter(
      (label) => !gone.includes(label),
    );
    const event = text(values, 'state_event');
    if (event === 'close' && request.state === 'opened') {
      request.state = 'closed';
      request.closedAt = state.time();
    } else if (event === 'reopen' && request.state === 'closed') request.state = 'opened';
    request.updatedAt = state.time();
    announceRequest(state, request, event === 'close' ? 'close' : 'update', user);
    return c.json(await detailed(request));
  });
  app.get('/projects/:id/merge_requests/:iid/commits', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    const commits = await commitsOfRequest(api, requestOf(api, project, c.req.param('iid')));
    return c.json(page(api, c, commits).map((commit) => commitEntity(state, project, commit)));
  });
  app.get('/projects/:id/merge_requests/:iid/pipelines', (c) => {
    const { project } = enter(api, c, { level: 0 });
    const request = requestOf(api, project, c.req.param('iid'));
    const found = [...new Set([...project.pipelines, ...request.sourceProject.pipelines])]
      .filter(
        (each) => !isChild(each) && (each.mergeRequest === request || (each.ref === request.sourceBranch && !each.tag)),
      )
      .toReversed();
    return c.json(page(api, c, found).map((each) => basicPipelineEntity(state, each)));
  });
  app.post('/projects/:id/merge_requests/:iid/pipelines', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true });
    const made = await requestPipeline(state, engine, requestOf(api, project, c.req.param('iid')), user);
    if (!made.pipeline) throw badRequest({ base: [made.reason] });
    return c.json(pipelineEntity(state, made.pipeline), 201);
  });
  app.get('/projects/:id/merge_requests/:iid/approvals', (c) => {
    const { project } = enter(api, c, { level: 0 });
    requestOf(api, project, c.req.param('iid'));
    return c.json({ user_has_approved: false, user_can_approve: true, approved: true, approved_by: [] });
  });

  app.put('/projects/:id/merge_requests/:iid/merge', async (c) => {
    const { project, user } = enter(api, c, { level: 20, write: true });
    const request = requestOf(api, project, c.req.param('iid'));
    const values = await parameters(c);
    if (!mayChange(state, user, project, request.targetBranch, 'merge')) throw unauthorized();
    const sha = text(values, 'sha');
    if (sha !== undefined && sha !== request.sha)
      throw new ApiError(409, { message: 'SHA does not match HEAD of source branch: ' + request.sha });
    // The parameter's new name came with 17.11.
    const later = (flag(values, 'auto_merge') ?? flag(values, 'merge_when_pipeline_succeeds')) === true;
    const status = await mergeStatus(state, request);
    const options = mergeOptions(values);
    const pending =
      request.headPipeline !== null &&
      ['created', 'pending', 'running', 'waiting_for_resource'].includes(request.headPipeline.status);
    const soon =
      ['mergeable', 'ci_still_running'].includes(status) ||
      (later && status === 'ci_must_pass' && !request.headPipeline);
    if (!soon)
      throw new ApiError(status === 'conflict' ? 422 : 405, {
        message: status === 'conflict' ? 'Branch cannot be merged' : '405 Method Not Allowed',
      });
    if (later && (pending || status !== 'mergeable')) {
      request.autoMerge = { user, options: { ...options } };
      announceRequest(state, request, 'update', user);
      return c.json(await detailed(request));
    }
    if (status !== 'mergeable') throw new ApiError(405, { message: '405 Method Not Allowed' });
    await mergeAndTell(api, request, user, options);
    return c.json(await detailed(request));
  });
  app.post('/projects/:id/merge_requests/:iid/cancel_merge_when_pipeline_succeeds', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true });
    const request = requestOf(api, project, c.req.param('iid'));
    if (!request.autoMerge) throw new ApiError(406, { message: "Can't cancel the automatic merge" });
    request.autoMerge = null;
    announceRequest(state, request, 'update', user);
    return c.json(await detailed(request), 201);
  });
}

/** The project that a branch is to be merged into: the own one, or that which it is a fork of. */
function targetOf(source: Project, id: number | undefined): Project {
  if (id === undefined || id === source.id) return source;
  if (source.forkedFrom?.id === id) return source.forkedFrom;
  throw forbidden();
}

function mergeOptions(values: Readonly<Record<string, unknown>>): MergeOptions {
  return {
    squash: flag(values, 'squash'),
    removeSourceBranch: flag(values, 'should_remove_source_branch'),
    mergeMessage: text(values, 'merge_commit_message'),
    squashMessage: text(values, 'squash_commit_message'),
  };
}

async function mergeAndTell(api: Api, request: MergeRequest, user: User, options: MergeOptions): Promise<void> {
  const { state, engine } = api;
  const updates = await mergeNow(state, request, user, options).catch((error: unknown) => {
    state.log(`merge of ${request.project.path}!${request.iid}: ${String(error)}`);
    return null;
  });
  if (!updates) throw new ApiError(422, { message: 'Branch cannot be merged' });
  engine.background(afterPush(state, engine, { project: request.project, user, updates, pipelines: true }));
}

/** Merges what waits for its pipeline, once that has succeeded. */
export function autoMergeOnEnd(api: Api): void {
  api.engine.onEnd((pipeline) => {
    for (const request of pipeline.project.mergeRequests) {
      if (!request.autoMerge || request.headPipeline !== pipeline || request.state !== 'opened') continue;
      const { user, options } = request.autoMerge;
      request.autoMerge = null;
      if (pipeline.status === 'success') {
        const work = mergeAndTell(api, request, user, options).catch((error: unknown) => api.state.log(String(error)));
        api.engine.background(work);
      }
    }
  });
}
