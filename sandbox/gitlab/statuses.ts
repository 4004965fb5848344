import type { Hono } from 'hono';
import { mayUpdatePipeline } from './access.ts';
import { statusEntity } from './entities.ts';
import { addPipeline, announce, newPipeline, newRow, recalculate } from './pipelines.ts';
import { isChild } from './downstream.ts';
import { branchesWith, resolveCommit } from './repositories.ts';
import {
  ApiError,
  badParameter,
  badRequest,
  enter,
  forbidden,
  integer,
  notFound,
  page,
  parameters,
  text,
  flag,
} from './request.ts';
import type { Api } from './request.ts';
import type { Pipeline, Project, Row, State, User } from './state.ts';

/**
 * Commit statuses: app/services/ci/create_commit_status_service.rb and app/models/commit_status.rb of GitLab,
 * step by step, with the rows and pipelines that refused posts leave behind.
 */

const states = ['pending', 'running', 'success', 'failed', 'canceled', 'skipped'];
const open = new Set(['pending', 'running']);
const externalStage = { name: 'external', index: 1_000_000 };
const events: Readonly<Record<string, string>> = {
  pending: 'enqueue',
  running: 'run',
  success: 'success',
  failed: 'drop',
  canceled: 'cancel',
  skipped: 'skip',
};

/** Adds the two endpoints. */
export function statusRoutes(app: Hono, api: Api): void {
  const { state } = api;
  const locks = createLocks(state);

  app.get('/projects/:id/repository/commits/:sha/statuses', async (c) => {
    const { project } = enter(api, c, { level: 20 });
    const query = await parameters(c);
    const order = text(query, 'order_by') ?? 'id';
    if (!['id', 'pipeline_id'].includes(order)) throw badParameter('order_by does not have a valid value');
    const sort = text(query, 'sort') ?? 'asc';
    if (!['asc', 'desc'].includes(sort)) throw badParameter('sort does not have a valid value');
    const sha = await resolveCommit(state, project, c.req.param('sha'));
    if (!sha) throw notFound('Commit');
    const id = integer(query, 'pipeline_id');
    const pipelines = project.pipelines.filter(
      (each) => each.sha === sha && !isChild(each) && (id === undefined || each.id === id),
    );
    const [ref, stage, name] = ['ref', 'stage', 'name'].map((key) => text(query, key));
    const rows = pipelines
      .flatMap((pipeline) => pipeline.rows)
      .filter((row) => (flag(query, 'all') ?? false) || !row.retried)
      .filter((row) => ref === undefined || row.pipeline.ref === ref)
      .filter((row) => stage === undefined || row.stage === stage)
      .filter((row) => name === undefined || row.name === name)
      .toSorted((a, b) => (order === 'pipeline_id' ? a.pipeline.id - b.pipeline.id || a.id - b.id : a.id - b.id));
    const ordered = sort === 'desc' ? rows.toReversed() : rows;
    return c.json(page(api, c, ordered).map((row) => statusEntity(state, row)));
  });

  app.post('/projects/:id/statuses/:sha', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true });
    const values = await parameters(c);
    const wanted = text(values, 'state');
    if (wanted === undefined) throw badParameter('state is missing');
    if (!states.includes(wanted)) throw badParameter('state does not have a valid value');
    const sha = c.req.param('sha');
    const release = await locks(`${project.id}:${sha}`);
    try {
      const row = await post(api, project, user, sha, wanted, values);
      return c.json(statusEntity(state, row), 201);
    } finally {
      release();
    }
  });
}

/** Leases by key, waited for like GitLab's: 20 tries, half a second apart. */
function createLocks(state: State): (key: string) => Promise<() => void> {
  const held = new Set<string>();
  const busy = () => new ApiError(409, { message: 'Another update to this commit status is in progress' });
  return async (key) => {
    if (state.faults.lockedStatuses) {
      state.faults = { ...state.faults, lockedStatuses: state.faults.lockedStatuses - 1 };
      throw busy();
    }
    const wait = state.faults.lockWaitMs ?? (state.profile === '17.11' ? 2000 : 10_000);
    const until = state.clock.now() + wait;
    while (held.has(key)) {
      if (state.clock.now() >= until) throw busy();
      await state.clock.sleep(10);
    }
    held.add(key);
    return () => held.delete(key);
  };
}

async function post(
  api: Api,
  project: Project,
  user: User,
  reference: string,
  wanted: string,
  values: Readonly<Record<string, unknown>>,
): Promise<Row> {
  const { state } = api;
  const sha = await resolveCommit(state, project, reference);
  if (!sha) throw notFound('Commit');
  const id = integer(values, 'pipeline_id');
  const asked = text(values, 'ref');
  const matching = project.pipelines.filter((each) => each.sha === sha && !each.archived && !isChild(each));
  const recent = id === undefined ? matching.slice(-100) : matching;
  const ref =
    asked ??
    recent.findLast((each) => id === undefined || each.id === id)?.ref ??
    (await branchesWith(state, project, sha))[0];
  if (ref === undefined) throw notFound('References for commit');
  let pipeline = recent.findLast(
    (each) => (asked === undefined || each.ref === asked) && (id === undefined || each.id === id),
  );
  if (id !== undefined && !pipeline) throw notFound('Pipeline for pipeline_id, sha and ref');
  const name = text(values, 'name') ?? text(values, 'context') ?? 'default';
  if (pipeline && isFull(state, pipeline) && !openRow(pipeline, name, user)) {
    if (id !== undefined) throw new ApiError(422, { message: 'The number of jobs has exceeded the limit' });
    pipeline = undefined;
  }
  if (!pipeline) {
    if (ref.length > 255) throw badRequest({ ref: ['is too long (maximum is 255 characters)'] });
    pipeline = newPipeline(state, { project, sha, ref, source: 'external', user });
    await addPipeline(state, pipeline);
    announce(state, pipeline);
  }
  if (!mayUpdatePipeline(state, user, project, pipeline.mergeRequest?.sourceBranch ?? pipeline.ref)) throw forbidden();
  const existing = openRow(pipeline, name, user);
  const fields = checkFields(pipeline, name, values);
  const row = existing ?? newStatus(state, pipeline, name, user);
  if (existing && existing.status === wanted && state.idempotentStatuses) {
    Object.assign(existing, fields);
    return existing;
  }
  apply(state, row, wanted, existing !== undefined && !state.idempotentStatuses);
  Object.assign(row, fields);
  if (!existing) {
    pipeline.rows.push(row);
    state.rows.set(row.id, row);
  }
  for (const other of pipeline.rows)
    if (other !== row && other.kind === 'external' && other.name === name) other.retried = true;
  state.emit({
    type: 'status',
    project: project.path,
    id: row.id,
    pipeline: pipeline.id,
    sha,
    name,
    state: wanted,
    description: row.description,
    username: user.username,
  });
  if (recalculate(state, pipeline)) api.engine.process(pipeline);
  return row;
}

function isFull(state: State, pipeline: Pipeline): boolean {
  const limit = state.faults.pipelineSize ?? 0;
  return limit > 0 && pipeline.rows.length >= limit;
}

function openRow(pipeline: Pipeline, name: string, user: User): Row | undefined {
  return pipeline.rows.findLast(
    (row) => row.kind === 'external' && row.name === name && row.user === user && open.has(row.status),
  );
}

function newStatus(state: State, pipeline: Pipeline, name: string, user: User): Row {
  const { name: stage, index: stageIndex } = externalStage;
  return newRow(state, { id: state.next('row'), kind: 'external', pipeline, name, stage, stageIndex, user, job: null });
}

/** Validation: a hash of field → messages. Code points are counted, as Ruby does. */
function checkFields(pipeline: Pipeline, name: string, values: Readonly<Record<string, unknown>>): Partial<Row> {
  const faults: Record<string, string[]> = {};
  const long = (value: string | undefined) => value !== undefined && Array.from(value).length > 255;
  const tooLong = 'is too long (maximum is 255 characters)';
  const url = text(values, 'target_url');
  const description = text(values, 'description');
  const coverage = text(values, 'coverage');
  if (name.trim() === '') faults['name'] = ["can't be blank"];
  if (pipeline.rows.some((row) => row.kind !== 'external' && row.name === name))
    faults['name'] = ['has already been taken'];
  if (url !== undefined && url !== '' && !/^https?:\/\//i.test(url))
    faults['target_url'] = ['is blocked: Only allowed schemes are http, https'];
  else if (url !== undefined && url !== '' && !URL.canParse(url)) faults['target_url'] = ['is blocked: URI is invalid'];
  if (long(url)) faults['target_url'] = [...(faults['target_url'] ?? []), tooLong];
  if (long(description)) faults['description'] = [tooLong];
  if (coverage !== undefined && Number.isNaN(Number(coverage))) faults['coverage'] = ['is not a number'];
  if (Object.keys(faults).length > 0) throw badRequest(faults);
  return {
    ...(url === undefined ? {} : { targetUrl: url }),
    ...(description === undefined ? {} : { description }),
    ...(coverage === undefined ? {} : { coverage: Number(coverage) }),
  };
}

/** The state machine; a refusal changes nothing. */
function apply(state: State, row: Row, wanted: string, existing: boolean): void {
  const refused =
    existing &&
    ((row.status === 'pending' && wanted === 'pending') ||
      (row.status === 'running' && ['pending', 'running', 'skipped'].includes(wanted)));
  if (refused) {
    const event = events[wanted] ?? wanted;
    throw badRequest(
      `Cannot transition status via :${event} from :${row.status} (Reason(s): Status cannot transition via "${event}")`,
    );
  }
  row.status = wanted;
  if (wanted === 'pending') row.queuedAt ??= state.time();
  if (wanted === 'running') row.startedAt = state.time();
  if (!open.has(wanted)) row.finishedAt = state.time();
  row.failureReason = wanted === 'failed' ? 'api_failure' : null;
}
