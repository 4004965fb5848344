import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startStatuses, startWorld, type StatusWorld } from './gitlab-fixture.ts';

/** What GitLab's spec (spec/requests/api/commit_statuses_spec.rb) refuses, and reading, over HTTP. */

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let world: StatusWorld['world'];
let maintainer: StatusWorld['maintainer'];
let developer: StatusWorld['developer'];
let freshProject: StatusWorld['freshProject'];

beforeAll(async () => {
  ({ world, maintainer, developer, freshProject } = await startStatuses());
});
afterAll(async () => world.close());

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
    const reporter = world.as(world.gitlab.createUser('reporter', { memberships: { [path]: 20 } }).token);
    const guest = world.as(world.gitlab.createUser('guest', { memberships: { [path]: 10 } }).token);
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
