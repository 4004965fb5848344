import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startWorld } from './gitlab-fixture.ts';
import type { Call, World } from './gitlab-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let world: World;
let owner: Call;
let projectId: number;
let bot: { readonly token: string; readonly id: number; readonly username: string };
const url = '/projects/shop%2Fdelivery';

beforeAll(async () => {
  world = await startWorld();
  projectId = world.gitlab.createProject('shop/delivery').id;
  await world.gitlab.seed('shop/delivery', new Map([['a', 'a']]), 'first');
  owner = world.as(world.gitlab.createUser('owner', { memberships: { shop: 50 } }).token);
  bot = world.gitlab.createToken('shop/delivery', { name: 'sluice', scopes: ['api'], accessLevel: 40 });
});
afterAll(async () => world.close());

test('the bot knows itself; id and path name the same project', async () => {
  expect(bot.username).toMatch(new RegExp(`^project_${projectId}_bot_[0-9a-f]+$`));
  expect((await world.as(bot.token)('GET', '/user')).body).toMatchObject({ username: bot.username, bot: true });
  expect((await world.as(bot.token)('GET', '/personal_access_tokens/self')).body).toMatchObject({
    name: 'sluice',
    active: true,
    scopes: ['api'],
  });
  const { id } = (await owner('GET', url)).body;
  expect((await owner('GET', `/projects/${id}`)).body.path_with_namespace).toBe('shop/delivery');
  expect((await world.as('nonsense')('GET', url)).body).toEqual({ message: '401 Unauthorized' });
  expect((await world.as(null)('GET', url)).body).toEqual({ message: '404 Project Not Found' });
  expect((await world.as(null)('GET', '/version')).status).toBe(401);
  expect((await owner('GET', '/version')).body.version).toMatch(/^18\.6\.\d+-ee$/);
});

test('create, list, rotate, revoke; reuse of a rotated token ends its family', async () => {
  const made = await owner('POST', `${url}/access_tokens`, {
    name: 'new',
    scopes: ['api', 'self_rotate'],
    access_level: 40,
  });
  expect([made.status, made.body.active]).toEqual([201, true]);
  expect((await world.as(bot.token)('POST', `${url}/access_tokens`, { name: 'x', scopes: ['api'] })).status).toBe(400);
  const rotated = await owner('POST', `${url}/access_tokens/${made.body.id}/rotate`, {});
  expect(rotated.status).toBe(200);
  expect((await world.as(made.body.token)('GET', '/user')).body.error).toBe('invalid_token');
  const self = await world.as(rotated.body.token)('POST', `${url}/access_tokens/self/rotate`, {});
  expect([self.status, self.body.token === rotated.body.token]).toEqual([200, false]);
  expect((await owner('POST', `${url}/access_tokens/${made.body.id}/rotate`, {})).status).toBe(400);
  expect((await world.as(self.body.token)('GET', '/user')).status).toBe(401);
  const listed = (await owner('GET', `${url}/access_tokens?state=active`)).body as { name: string }[];
  expect(listed.map((each) => each.name)).toEqual(['sluice']);
  const past = await owner('POST', `${url}/access_tokens`, { name: 'past', scopes: ['api'], expires_at: '2020-01-01' });
  expect(past.status).toBe(400);
  world.gitlab.setFaults({ noProjectTokens: true });
  expect((await owner('POST', `${url}/access_tokens`, { name: 'free', scopes: ['api'] })).status).toBe(400);
  world.gitlab.setFaults({});
});

test('a token that has expired says so', async () => {
  const old = world.gitlab.createToken('shop/delivery', { name: 'old', scopes: ['api'], expiresAt: '2020-01-01' });
  expect((await world.as(old.token)('GET', '/user')).body).toEqual({
    error: 'invalid_token',
    error_description: 'Token is expired. You can either do re-authorization or token refresh.',
  });
});

test('group tokens reach all projects of the group', async () => {
  world.gitlab.createProject('shop/app');
  const group = world.gitlab.createToken('shop', { name: 'all', scopes: ['api'] });
  expect(group.username).toMatch(/^group_\d+_bot_/);
  expect((await world.as(group.token)('GET', '/projects/shop%2Fapp')).status).toBe(200);
  expect((await world.as(bot.token)('GET', '/projects/shop%2Fapp')).status).toBe(404);
});

test('deploy tokens: the secret only once, active filter, no rotate', async () => {
  const made = await owner('POST', `${url}/deploy_tokens`, {
    name: 'flux',
    scopes: ['read_registry'],
    expires_at: '2020-01-01T00:00:00Z',
  });
  expect([made.status, typeof made.body.token]).toEqual([201, 'string']);
  await owner('POST', `${url}/deploy_tokens`, { name: 'flux2', scopes: ['read_registry'], username: 'flux' });
  const active = (await owner('GET', `${url}/deploy_tokens?active=true`)).body;
  expect(active).toMatchObject([{ name: 'flux2', username: 'flux', expired: false }]);
  expect(active[0].token).toBeUndefined();
  expect((await owner('POST', `${url}/deploy_tokens`, { name: 'x', scopes: ['api'] })).status).toBe(400);
  expect((await owner('DELETE', `${url}/deploy_tokens/${made.body.id}`)).status).toBe(204);
  expect((await owner('POST', `${url}/deploy_tokens/${made.body.id}/rotate`)).status).toBe(404);
});

test('variables: fields, masking rules, scopes', async () => {
  const made = await owner('POST', `${url}/variables`, {
    key: 'TOKEN',
    value: 'glpat-0123456789',
    masked: true,
    environment_scope: 'production',
  });
  expect(made.status).toBe(201);
  expect((await owner('POST', `${url}/variables`, { key: 'SHORT', value: 'abc', masked: true })).body).toEqual({
    message: { value: ['is invalid'] },
  });
  await owner('POST', `${url}/variables`, { key: 'TOKEN', value: 'other' });
  expect((await owner('GET', `${url}/variables/TOKEN`)).status).toBe(409);
  expect(
    (await owner('PUT', `${url}/variables/TOKEN?filter[environment_scope]=production`, { value: 'glpat-9876543210' }))
      .body,
  ).toMatchObject({ value: 'glpat-9876543210', masked: true, environment_scope: 'production' });
  expect((await owner('GET', `${url}/variables`)).body).toHaveLength(2);
});

test('environments and deployments', async () => {
  const sha = (await owner('GET', `${url}/repository/commits/main`)).body.id as string;
  const fields = { environment: 'production', sha, ref: 'main', tag: false, status: 'running' };
  const made = await owner('POST', `${url}/deployments`, fields);
  expect([made.status, made.body.status, made.body.deployable]).toEqual([201, 'running', null]);
  expect((await owner('POST', `${url}/deployments`, { ...fields, sha: undefined })).body).toEqual({
    error: 'sha is missing',
  });
  expect((await owner('PUT', `${url}/deployments/${made.body.id}`, { status: 'success' })).body.status).toBe('success');
  const [environment] = (await owner('GET', `${url}/environments?name=production`)).body;
  expect(environment).toMatchObject({ slug: 'production', tier: 'production', state: 'available' });
  const changed = await owner('PUT', `${url}/environments/${environment.id}`, {
    kubernetes_namespace: 'shop',
    flux_resource_path: 'kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/shop',
    cluster_agent_id: 99,
  });
  expect(changed.body).toMatchObject({ kubernetes_namespace: 'shop' });
  expect((await owner('GET', `${url}/environments/${environment.id}`)).body.last_deployment.id).toBe(made.body.id);
  expect((await owner('DELETE', `${url}/deployments/${made.body.id}`)).status).toBe(400);
});

test('pages by Link; throttling with and without headers', async () => {
  for (const name of ['a', 'b', 'c']) await owner('POST', `${url}/repository/branches`, { branch: name, ref: 'main' });
  world.gitlab.setFaults({ noTotals: true });
  const seen: string[] = [];
  let next: string | undefined = `${url}/repository/branches?per_page=2`;
  while (next) {
    const answer = await owner('GET', next);
    expect(answer.headers.get('x-total')).toBeNull();
    seen.push(...answer.body.map((each: { name: string }) => each.name));
    next = /<[^>]*\/api\/v4([^>]*)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
  }
  expect(seen).toEqual(['a', 'b', 'c', 'main']);
  world.gitlab.setFaults({ tooMany: { requests: 1 } });
  const many = await owner('GET', url);
  expect([many.status, many.headers.get('retry-after'), Number(many.headers.get('ratelimit-reset')) > 1e9]).toEqual([
    429,
    '1',
    true,
  ]);
  world.gitlab.setFaults({ tooMany: { requests: 1, plain: true } });
  const plain = await owner('GET', url);
  expect([plain.status, plain.body, plain.headers.get('retry-after')]).toEqual([429, 'Retry later\n', null]);
  expect((await owner('GET', url)).status).toBe(200);
  world.gitlab.setFaults({ down: 503 });
  expect((await owner('GET', url)).status).toBe(503);
  world.gitlab.setFaults({});
  await world.gitlab.waitForPipelines();
});
