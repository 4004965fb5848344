import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { gitlabRegistry } from '../../sandbox/registry/gitlab-auth.ts';
import { startRegistry } from '../../sandbox/registry/server.ts';
import type { RegistryServer } from '../../sandbox/registry/server.ts';
import { startWorld } from './gitlab-fixture.ts';
import type { Call, World } from './gitlab-fixture.ts';
import { projects } from './gitlab-project.ts';

/** The container registry in GitLab's API, cleanup policies, hooks and releases. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const path = 'shop/delivery';
const url = `/projects/${encodeURIComponent(path)}`;
let world: World;
let registry: RegistryServer;
let call: Call;

beforeAll(async () => {
  world = await startWorld();
  registry = await startRegistry(gitlabRegistry(world.gitlab.registryAuth));
  world.gitlab.useRegistry({ host: registry.host });
  world.gitlab.createProject(path);
  call = world.as(world.gitlab.createUser('maintainer', { memberships: { shop: 40, ci: 40 } }).token);
});
afterAll(async () => {
  await registry.stop();
  await world.close();
});

/** Pushes a manifest with one blob under some tags. */
async function push(repository: string, tags: readonly string[], created: string): Promise<void> {
  const writer = world.gitlab.createToken(path, { name: 'w', scopes: ['write_registry'] });
  const basic = Buffer.from(`${writer.username}:${writer.token}`).toString('base64');
  const realm = `${world.gitlab.registryAuth.realm}?service=container_registry&scope=repository:${repository}:pull,push`;
  const answer = await fetch(realm, { headers: { authorization: `Basic ${basic}` } });
  const { token } = (await answer.json()) as { readonly token: string };
  const headers = { authorization: `Bearer ${token}` };
  const blob = Buffer.from(created);
  const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
  const base = `http://${registry.host}/v2/${repository}`;
  const started = await fetch(`${base}/blobs/uploads/`, { method: 'POST', headers });
  const place = new URL(started.headers.get('location') ?? '', base);
  place.searchParams.set('digest', digest);
  expect((await fetch(place, { method: 'PUT', headers, body: blob })).status).toBe(201);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const part = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: blob.length };
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: part,
    layers: [{ ...part, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }],
    annotations: { 'org.opencontainers.image.created': created },
  };
  for (const tag of tags) {
    const put = { method: 'PUT', headers: { ...headers, 'content-type': mediaType }, body: JSON.stringify(manifest) };
    expect((await fetch(`${base}/manifests/${tag}`, put)).status).toBe(201);
  }
}

test('repositories and tags: listed, shown, removed', async () => {
  await push(`${path}/podinfo`, ['staging', 'staging-0123456789ab'], '2026-01-01T00:00:00Z');
  await push(`${path}/podinfo`, ['latest'], '2026-02-01T00:00:00Z');
  const repositories = `${url}/registry/repositories`;
  const [found] = (await call('GET', `${repositories}?tags=true&tags_count=true`)).body;
  expect(found).toMatchObject({ name: 'podinfo', path: `${path}/podinfo`, tags_count: 3 });
  expect(found.tags.map((tag: { readonly name: string }) => tag.name)).toEqual([
    'latest',
    'staging',
    'staging-0123456789ab',
  ]);
  const one = await call('GET', `${repositories}/${found.id}/tags/staging`);
  expect(one.body).toMatchObject({ name: 'staging', created_at: '2026-01-01T00:00:00Z', total_size: 20 });
  expect(one.body.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect((await call('GET', `${repositories}/${found.id}/tags/none`)).status).toBe(404);
  expect((await call('DELETE', `${repositories}/${found.id}/tags/staging`)).status).toBe(200);
  expect((await call('GET', `${repositories}/${found.id}/tags`)).body).toHaveLength(2);
  const bulk = await call('DELETE', `${repositories}/${found.id}/tags?name_regex_delete=.*&name_regex_keep=nothing`);
  expect(bulk.status).toBe(202);
  // `latest` always stays.
  expect((await call('GET', `${repositories}/${found.id}/tags`)).body.map((t: { name: string }) => t.name)).toEqual([
    'latest',
  ]);
  const reporter = world.as(world.gitlab.createUser('reporter', { memberships: { shop: 20 } }).token);
  expect((await reporter('DELETE', `${repositories}/${found.id}/tags/latest`)).status).toBe(403);
});

test('cleanup policy, protection rules and hooks are kept and shown', async () => {
  const cleanup = { enabled: true, name_regex: '.*', keep_n: 5, older_than: '7d' };
  await call('PUT', url, { container_expiration_policy_attributes: cleanup });
  expect((await call('GET', url)).body.container_expiration_policy).toMatchObject({ ...cleanup, cadence: '1d' });
  const rules = `${url}/registry/protection/repository/rules`;
  const rule = { repository_path_pattern: `${path}/*`, minimum_access_level_for_push: 'maintainer' };
  expect((await call('POST', rules, rule)).status).toBe(201);
  expect((await call('GET', rules)).body).toMatchObject([rule]);
  expect((await call('POST', `${url}/hooks`, { url: 'https://hooks.example.com' })).status).toBe(201);
  expect((await call('GET', `${url}/hooks`)).body).toMatchObject([{ url: 'https://hooks.example.com' }]);
});

test('releases: by API, and by the keyword of a job, which publishes components', async () => {
  const all = projects(world, call);
  const made = await all.create(
    `release: { script: "true", rules: [{ if: $CI_COMMIT_TAG }], release: { tag_name: $CI_COMMIT_TAG, description: "Version $CI_COMMIT_TAG" } }\n`,
    (name) => world.gitlab.configureProject(name, { catalog: true }),
    { 'templates/greet.yml': 'spec: {}\n---\ngreet: { script: "true" }\n' },
  );
  const tagged = (tag: string) => world.gitlab.seed(made.path, new Map([[tag, tag]]), tag, { tag });
  await tagged('1.0.0');
  expect((await all.outcome(made.url)).states).toEqual({ release: 'success' });
  await tagged('not-semantic');
  expect((await all.outcome(made.url)).states).toEqual({ release: 'failed' });
  expect((await call('GET', `${made.url}/releases`)).body).toMatchObject([
    { tag_name: '1.0.0', description: 'Version 1.0.0' },
  ]);
  const user = await all.create(`include: [{ component: ${world.gitlab.host}/${made.path}/greet@~latest }]\n`);
  expect((await all.outcome(user.url)).states).toEqual({ greet: 'success' });
  const again = await call('POST', `${made.url}/releases`, { tag_name: '1.0.0' });
  expect([again.status, again.body.message]).toEqual([409, 'Release already exists']);
  expect((await call('POST', `${made.url}/releases`, { tag_name: '2.0.0', ref: 'main' })).status).toBe(201);
});
