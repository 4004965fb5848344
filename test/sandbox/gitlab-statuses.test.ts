import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startWorld } from './gitlab-fixture.ts';
import type { Call, World } from './gitlab-fixture.ts';

/** The cases of GitLab's own spec (spec/requests/api/commit_statuses_spec.rb), over HTTP. */

let world: World;
let maintainer: Call;
let developer: Call;
let count = 0;

/** A project with one commit and no pipeline. */
async function freshProject(): Promise<{ readonly path: string; readonly url: string; readonly sha: string }> {
  count += 1;
  const path = `statuses/p${count}`;
  world.gitlab.createProject(path);
  const sha = await world.gitlab.seed(path, new Map([['README.md', `# ${count}\n`]]), 'first');
  return { path, url: `/projects/${encodeURIComponent(path)}`, sha };
}

const states = ['pending', 'running', 'success', 'failed', 'canceled', 'skipped'];

beforeAll(async () => {
  world = await startWorld();
  maintainer = world.as(world.gitlab.createUser('maintainer', { memberships: { statuses: 40 } }).token);
  developer = world.as(world.gitlab.createUser('developer', { memberships: { statuses: 30 } }).token);
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
  const outcome: Readonly<Record<string, Readonly<Record<string, 'same' | 'new' | string>>>> = {
    pending: {
      pending: 'enqueue',
      running: 'same',
      success: 'same',
      failed: 'same',
      canceled: 'same',
      skipped: 'same',
    },
    running: { pending: 'enqueue', running: 'run', success: 'same', failed: 'same', canceled: 'same', skipped: 'skip' },
    success: { pending: 'new', running: 'new', success: 'new', failed: 'new', canceled: 'new', skipped: 'new' },
  };
  const cases = Object.entries(outcome).flatMap(([from, row]) =>
    Object.entries(row).map(([to, answer]) => [from, to, answer] as const),
  );
  test.each(cases)('%s → %s: %s', async (from, to, answer) => {
    const { url, sha } = await freshProject();
    const first = await maintainer('POST', `${url}/statuses/${sha}`, {
      state: from,
      description: 'before',
      target_url: 'http://a.example',
      coverage: 10,
    });
    const second = await maintainer('POST', `${url}/statuses/${sha}`, { state: to, description: 'after' });
    const all = await maintainer('GET', `${url}/repository/commits/${sha}/statuses?all=true`);
    if (answer === 'same') {
      expect(second.body).toMatchObject({
        id: first.body.id,
        status: to,
        description: 'after',
        target_url: 'http://a.example',
        coverage: 10,
      });
      expect(all.body).toHaveLength(1);
    } else if (answer === 'new') {
      expect(second.status).toBe(201);
      expect(second.body.id).not.toBe(first.body.id);
      expect(all.body).toHaveLength(2);
      const latest = await maintainer('GET', `${url}/repository/commits/${sha}/statuses`);
      expect(latest.body.map((each: { id: number }) => each.id)).toEqual([second.body.id]);
    } else {
      expect(second.status).toBe(400);
      expect(second.body).toEqual({
        message: `Cannot transition status via :${answer} from :${from} (Reason(s): Status cannot transition via "${answer}")`,
      });
      expect(all.body).toMatchObject([{ status: from, description: 'before', coverage: 10 }]);
    }
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
    const states = await Promise.all(
      [first, second].map(
        async (each) => (await maintainer('GET', `${url}/pipelines/${each.body.pipeline_id}`)).body.status,
      ),
    );
    expect(states).toEqual(['success', 'pending']);
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

describe('refusals', () => {
  test('missing and invalid state: `error`, no `message`, nothing made', async () => {
    const { url, sha } = await freshProject();
    const missing = await maintainer('POST', `${url}/statuses/${sha}`, {});
    expect([missing.status, missing.body]).toEqual([400, { error: 'state is missing' }]);
    const invalid = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'invalid' });
    expect([invalid.status, invalid.body]).toEqual([400, { error: 'state does not have a valid value' }]);
    expect((await maintainer('GET', `${url}/pipelines`)).body).toEqual([]);
  });

  test('unknown commit', async () => {
    const { url } = await freshProject();
    const answer = await maintainer('POST', `${url}/statuses/${'1'.repeat(40)}`, { state: 'running' });
    expect([answer.status, answer.body]).toEqual([404, { message: '404 Commit Not Found' }]);
  });

  test.each([
    ['target_url', 'git:something', ['is blocked: Only allowed schemes are http, https']],
    ['target_url', `http://a.example/${'x'.repeat(250)}`, ['is too long (maximum is 255 characters)']],
    ['description', '😀'.repeat(256), ['is too long (maximum is 255 characters)']],
  ])('%s is validated; the new pipeline stays behind, empty', async (field, value, messages) => {
    const { url, sha } = await freshProject();
    const answer = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'running', [field]: value });
    expect([answer.status, answer.body]).toEqual([400, { message: { [field]: messages } }]);
    expect((await maintainer('GET', `${url}/pipelines`)).body).toHaveLength(1);
    expect((await maintainer('GET', `${url}/repository/commits/${sha}/statuses`)).body).toEqual([]);
  });

  test('255 code points fit', async () => {
    const { url, sha } = await freshProject();
    expect(
      (await maintainer('POST', `${url}/statuses/${sha}`, { state: 'running', description: '😀'.repeat(255) })).status,
    ).toBe(201);
  });

  test('a developer on a protected ref: 403, an empty pipeline stays', async () => {
    const { url, sha } = await freshProject();
    const answer = await developer('POST', `${url}/statuses/${sha}`, { state: 'running' });
    expect([answer.status, answer.body]).toEqual([403, { message: '403 Forbidden' }]);
    expect((await maintainer('GET', `${url}/pipelines`)).body).toHaveLength(1);
  });

  test('a developer who is allowed on the branch by name may post', async () => {
    const { url, sha, path } = await freshProject();
    world.gitlab.protectBranch(path, 'main', { users: ['developer'] });
    expect((await developer('POST', `${url}/statuses/${sha}`, { state: 'running' })).status).toBe(201);
  });

  test('roles: reporter 403, guest may not read, anonymous 404 on private and 401 on public projects', async () => {
    const { url, sha, path } = await freshProject();
    const reporter = world.as(world.gitlab.createUser(`reporter${count}`, { memberships: { [path]: 20 } }).token);
    const guest = world.as(world.gitlab.createUser(`guest${count}`, { memberships: { [path]: 10 } }).token);
    expect((await reporter('POST', `${url}/statuses/${sha}`, { state: 'running' })).status).toBe(403);
    expect((await reporter('GET', `${url}/repository/commits/${sha}/statuses`)).status).toBe(200);
    expect((await guest('GET', `${url}/repository/commits/${sha}/statuses`)).status).toBe(403);
    expect((await world.as(null)('POST', `${url}/statuses/${sha}`, { state: 'running' })).status).toBe(404);
    world.gitlab.createProject('open/source', { visibility: 'public' });
    const head = await world.gitlab.seed('open/source', new Map([['a', 'a']]), 'first');
    const anonymous = await world.as(null)('POST', `/projects/open%2Fsource/statuses/${head}`, { state: 'running' });
    expect([anonymous.status, anonymous.body]).toEqual([401, { message: '401 Unauthorized' }]);
  });

  test('a held lock: 409 with its text', async () => {
    const { url, sha } = await freshProject();
    world.gitlab.setFaults({ lockedStatuses: 1 });
    const answer = await maintainer('POST', `${url}/statuses/${sha}`, { state: 'running' });
    expect([answer.status, answer.body]).toEqual([
      409,
      { message: 'Another update to this commit status is in progress' },
    ]);
    expect((await maintainer('POST', `${url}/statuses/${sha}`, { state: 'running' })).status).toBe(201);
  });

  test('scopes: read_api may not post', async () => {
    const { url, sha, path } = await freshProject();
    const reader = world.as(world.gitlab.createToken(path, { name: 'r', scopes: ['read_api'] }).token);
    const answer = await reader('POST', `${url}/statuses/${sha}`, { state: 'running' });
    expect([answer.status, answer.body.error]).toEqual([403, 'insufficient_scope']);
  });
});

describe('reading', () => {
  test('filters, order and pages', async () => {
    const { url, sha } = await freshProject();
    for (const name of ['a', 'b', 'c'])
      await maintainer('POST', `${url}/statuses/${sha}`, { state: 'success', name, ref: name === 'c' ? 'x' : 'main' });
    const names = async (query: string) =>
      (await maintainer('GET', `${url}/repository/commits/${sha}/statuses${query}`)).body.map(
        (each: { name: string }) => each.name,
      );
    expect(await names('')).toEqual(['a', 'b', 'c']);
    expect(await names('?sort=desc')).toEqual(['c', 'b', 'a']);
    expect(await names('?ref=x')).toEqual(['c']);
    expect(await names('?name=b')).toEqual(['b']);
    expect(await names('?stage=nope')).toEqual([]);
    const paged = await maintainer('GET', `${url}/repository/commits/${sha}/statuses?per_page=2`);
    expect(paged.headers.get('x-total')).toBe('3');
    expect(paged.headers.get('link')).toContain('rel="next"');
    const bad = await maintainer('GET', `${url}/repository/commits/${sha}/statuses?order_by=name`);
    expect(bad.status).toBe(400);
  });
});

test('newer servers take the same state again', async () => {
  const newer = await startWorld({ idempotentStatuses: true });
  const token = newer.gitlab.createUser('m', { memberships: { g: 40 } }).token;
  newer.gitlab.createProject('g/p');
  const sha = await newer.gitlab.seed('g/p', new Map([['a', 'a']]), 'first');
  const post = async (state: string, description: string) =>
    newer.as(token)('POST', `/projects/g%2Fp/statuses/${sha}`, { state, description });
  const first = await post('running', 'one');
  const second = await post('running', 'two');
  expect([second.status, second.body.id, second.body.description]).toEqual([201, first.body.id, 'two']);
  expect((await post('pending', 'three')).status).toBe(201);
  await newer.close();
});
