import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startStatuses, type StatusWorld } from './gitlab-fixture.ts';

/** The cases of GitLab's own spec (spec/requests/api/commit_statuses_spec.rb), over HTTP. */

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let world: StatusWorld['world'];
let maintainer: StatusWorld['maintainer'];
let developer: StatusWorld['developer'];
let freshProject: StatusWorld['freshProject'];

const states = ['pending', 'running', 'success', 'failed', 'canceled', 'skipped'];

beforeAll(async () => {
  ({ world, maintainer, developer, freshProject } = await startStatuses());
});
afterAll(async () => world.close());

describe('new statuses', () => {
  test.each(states)('%s makes one, with an external pipeline', async (state) => {
    const { url, sha } = await freshProject();
    const made = await maintainer('POST', `${url}/statuses/${sha}`, { state });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      status: state,
      name: 'default',
      ref: 'main',
      sha,
      target_url: null,
      description: null,
      allow_failure: false,
    });
    expect(made.body.started_at === null).toBe(state !== 'running');
    const pipeline = await maintainer('GET', `${url}/pipelines/${made.body.pipeline_id}`);
    expect(pipeline.body).toMatchObject({ source: 'external', iid: 1, sha, ref: 'main', status: state });
  });

  test('all optional fields come back, context is the name', async () => {
    const { url, sha } = await freshProject();
    const fields = {
      context: 'coverage',
      coverage: 80.5,
      description: 'test',
      target_url: 'http://gitlab.com/status',
      ref: 'main',
    };
    const made = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'success', ...fields });
    expect(made.body).toMatchObject({
      name: 'coverage',
      coverage: 80.5,
      description: 'test',
      target_url: 'http://gitlab.com/status',
    });
  });

  test('two at once on a fresh commit share one pipeline', async () => {
    const { url, sha } = await freshProject();
    const made = await Promise.all(
      ['a', 'b'].map(async (name) => maintainer('POST', `${url}/statuses/${sha}`, { state: 'running', name })),
    );
    expect(made.map((each) => each.status)).toEqual([201, 201]);
    expect(new Set(made.map((each) => each.body.pipeline_id)).size).toBe(1);
    expect((await maintainer('GET', `${url}/pipelines`)).body).toHaveLength(1);
  });
});

describe('transitions', () => {
  const finals = ['success', 'failed', 'canceled', 'skipped'];
  const moves = [
    ...['running', ...finals].map((to) => ['pending', to] as const),
    ...['success', 'failed', 'canceled'].map((to) => ['running', to] as const),
  ];
  const refusals = [
    ['pending', 'pending', 'enqueue'],
    ['running', 'pending', 'enqueue'],
    ['running', 'running', 'run'],
    ['running', 'skipped', 'skip'],
  ] as const;

  /** Two posts of one name to a fresh commit, and all rows after them. */
  async function twoPosts(from: string, to: string) {
    const { url, sha } = await freshProject();
    const fields = { description: 'before', target_url: 'http://a.example', coverage: 10 };
    const first = await maintainer('POST', `${url}/statuses/${sha}`, { state: from, ...fields });
    const second = await maintainer('POST', `${url}/statuses/${sha}`, { state: to, description: 'after' });
    const all = await maintainer('GET', `${url}/repository/commits/${sha}/statuses?all=true`);
    const latest = await maintainer('GET', `${url}/repository/commits/${sha}/statuses`);
    return { first, second, all, latest };
  }

  test.each(moves)('%s → %s keeps the row and what was not sent', async (from, to) => {
    const { first, second, all } = await twoPosts(from, to);
    expect(second.body).toMatchObject({
      id: first.body.id,
      status: to,
      description: 'after',
      target_url: 'http://a.example',
      coverage: 10,
    });
    expect(all.body).toHaveLength(1);
  });

  test.each(finals.flatMap((from) => states.slice(0, 4).map((to) => [from, to] as const)))(
    '%s → %s makes a new row, the old one is hidden',
    async (from, to) => {
      const { first, second, all, latest } = await twoPosts(from, to);
      expect(second.status).toBe(201);
      expect(second.body.id).not.toBe(first.body.id);
      expect(all.body).toHaveLength(2);
      expect(latest.body.map((each: { id: number }) => each.id)).toEqual([second.body.id]);
    },
  );

  test.each(refusals)('%s → %s is refused and changes nothing', async (from, to, event) => {
    const { second, all } = await twoPosts(from, to);
    expect(second.status).toBe(400);
    expect(second.body).toEqual({
      message: `Cannot transition status via :${event} from :${from} (Reason(s): Status cannot transition via "${event}")`,
    });
    expect(all.body).toMatchObject([{ status: from, description: 'before', coverage: 10 }]);
  });

  test('another user with the same name makes a new row, the old one is retried though it runs', async () => {
    const { url, sha } = await freshProject();
    world.gitlab.protectBranch(decodeURIComponent(url.slice(10)), 'main', { push: 30 });
    const first = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'running' });
    const second = await developer('POST', `${url}/statuses/${sha}`, { state: 'running' });
    expect(second.status).toBe(201);
    expect(second.body.id).not.toBe(first.body.id);
    expect((await maintainer('GET', `${url}/repository/commits/${sha}/statuses`)).body).toHaveLength(1);
  });

  test('failed, then success: the pipeline succeeds; running again reopens it', async () => {
    const { url, sha } = await freshProject();
    const first = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'failed' });
    const status = async () => (await maintainer('GET', `${url}/pipelines/${first.body.pipeline_id}`)).body.status;
    expect(await status()).toBe('failed');
    await maintainer('POST', `${url}/statuses/${sha}`, { state: 'success' });
    expect(await status()).toBe('success');
    await maintainer('POST', `${url}/statuses/${sha}`, { state: 'running' });
    expect(await status()).toBe('running');
  });
});

describe('choice of the pipeline', () => {
  test('pipeline_id hits the named one; others of the commit stay as they are', async () => {
    const { url, sha } = await freshProject();
    const first = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'pending', name: 'a', ref: 'main' });
    const second = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'pending', name: 'a', ref: 'other' });
    expect(second.body.pipeline_id).not.toBe(first.body.pipeline_id);
    const third = await maintainer('POST', `${url}/statuses/${sha}`, {
      state: 'success',
      name: 'a',
      pipeline_id: first.body.pipeline_id,
    });
    expect(third.body).toMatchObject({ id: first.body.id, pipeline_id: first.body.pipeline_id });
    const reached = await Promise.all(
      [first, second].map(
        async (each) => (await maintainer('GET', `${url}/pipelines/${each.body.pipeline_id}`)).body.status,
      ),
    );
    expect(reached).toEqual(['success', 'pending']);
  });

  test('sha, ref and pipeline_id must agree', async () => {
    const { url, sha, path } = await freshProject();
    const first = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'pending' });
    const later = await world.gitlab.seed(path, new Map([['b', 'b']]), 'second');
    const message = '404 Pipeline for pipeline_id, sha and ref Not Found';
    const id = first.body.pipeline_id;
    for (const [commit, body] of [
      [later, { pipeline_id: id }],
      [sha, { pipeline_id: 999_999 }],
      [sha, { pipeline_id: id, ref: 'other' }],
    ] as const) {
      const answer = await maintainer('POST', `${url}/statuses/${commit}`, { state: 'running', ...body });
      expect([answer.status, answer.body]).toEqual([404, { message }]);
    }
    expect((await maintainer('GET', `${url}/repository/commits/${later}/statuses`)).body).toEqual([]);
  });

  test('a full pipeline: 422 with its id, a new pipeline without', async () => {
    const { url, sha } = await freshProject();
    const first = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'pending', name: 'a' });
    world.gitlab.setFaults({ pipelineSize: 1 });
    const named = await maintainer('POST', `${url}/statuses/${sha}`, {
      state: 'pending',
      name: 'b',
      pipeline_id: first.body.pipeline_id,
    });
    expect([named.status, named.body]).toEqual([422, { message: 'The number of jobs has exceeded the limit' }]);
    const same = await maintainer('POST', `${url}/statuses/${sha}`, {
      state: 'running',
      name: 'a',
      pipeline_id: first.body.pipeline_id,
    });
    expect(same.body.id).toBe(first.body.id);
    const other = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'pending', name: 'b' });
    expect(other.body.pipeline_id).not.toBe(first.body.pipeline_id);
    world.gitlab.setFaults({});
  });
});
