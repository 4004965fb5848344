import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gitlabMediaTypes } from '../../sandbox/registry/media-types.ts';
import { startRegistry, type RegistryOptions, type RegistryServer } from '../../sandbox/registry/server.ts';
import { writeLayout } from '../../src/artifact/layout.ts';
import { secret } from '../../src/secret.ts';
import { localFiles } from '../../src/systems/files-local.ts';
import { fetchHttp } from '../../src/systems/http-fetch.ts';
import { runProcesses } from '../../src/systems/process-run.ts';
import { connectRegistry } from '../../src/systems/registry-http.ts';
import { toolPath } from '../artifact/publishing.ts';
import { tokenService } from './token-realm.ts';

const description = {
  title: 'x',
  revision: `main@sha1:${'1'.repeat(40)}`,
  source: 'https://example.com',
  createdAt: 1,
};
let folder = '';
let digest = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-registry-'));
  const content = [{ path: 'a.yaml', executable: false, content: Buffer.from('a: 1\n') }];
  ({ digest } = await writeLayout(localFiles(folder, folder), `${folder}/layout`, content, description, ['x']));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

/** A client for a registry; waits are recorded, not waited. */
function connect(user?: string, password?: string) {
  const waits: number[] = [];
  const files = localFiles(folder, folder);
  const clock = { now: () => 0, random: () => 0.5, sleep: async (ms: number) => void waits.push(ms) };
  const processes = runProcesses({ ...process.env, PATH: toolPath });
  return {
    waits,
    to: (registry: RegistryServer) =>
      connectRegistry({
        http: fetchHttp(),
        processes,
        files,
        clock,
        credentials: user === undefined ? [] : [{ host: registry.host, user, password: secret(password ?? '') }],
      }),
  };
}

async function pushed(options: RegistryOptions = {}) {
  const registry = await startRegistry(options);
  return { registry, name: `${registry.host}/shop/delivery/podinfo`, [Symbol.asyncDispose]: () => registry.stop() };
}

describe('an open registry', () => {
  test('ORAS pushes a layout, the moving tag last; reads see it', async () => {
    await using world = await pushed({ allowedMediaTypes: gitlabMediaTypes });
    const registry = connect().to(world.registry);
    await registry.push(`${folder}/layout`, 'x', world.name, ['staging-1', 'staging']);
    expect(world.registry.pushes.map((push) => push.tag)).toEqual(['staging-1', 'staging']);
    expect(await registry.resolve(world.name, 'staging')).toBe(digest);
    const manifest = await registry.manifest(world.name, 'staging');
    expect(manifest).toMatchObject({
      digest,
      annotations: { 'org.opencontainers.image.revision': description.revision },
    });
    const layer = manifest?.layers[0]?.digest ?? '';
    expect((await registry.blob(world.name, layer))?.byteLength).toBe(manifest?.layers[0]?.size);
    await registry.tag(world.name, digest, 'production');
    expect(await registry.tags(world.name)).toEqual(['production', 'staging', 'staging-1']);
    expect((await readdir(folder)).filter((name) => name.startsWith('sluice-oras-'))).toEqual([]);
  });

  test('what is not there is null', async () => {
    await using world = await pushed();
    const registry = connect().to(world.registry);
    expect(await registry.manifest(world.name, 'x')).toBeNull();
    expect(await registry.resolve(world.name, 'x')).toBeNull();
    expect(await registry.blob(world.name, `sha256:${'0'.repeat(64)}`)).toBeNull();
    expect(await registry.tags(world.name)).toEqual([]);
  });

  test('a page that is shown to everybody is no image', async () => {
    await using server = createServer((_, response) => response.end('<html>Sign in</html>'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const name = `127.0.0.1:${(server.address() as AddressInfo).port}/shop/web`;
    await using world = await pushed();
    const looking = connect().to(world.registry).resolve(name, '1');
    await expect(looking).rejects.toMatchObject({ code: 'registry_unavailable' });
  });

  test('tag lists are read to their last page', async () => {
    await using world = await pushed();
    for (let index = 0; index < 250; index++) {
      world.registry.putManifest('shop/delivery/podinfo', `t${String(index).padStart(3, '0')}`, 'x', Buffer.from('{}'));
    }
    expect(await connect().to(world.registry).tags(world.name)).toHaveLength(250);
  });

  test('a media type that GitLab does not know is refused, with the registry’s words', async () => {
    await using world = await pushed({ allowedMediaTypes: gitlabMediaTypes.filter((type) => !type.includes('flux')) });
    const push = connect().to(world.registry).push(`${folder}/layout`, 'x', world.name, ['staging']);
    await expect(push).rejects.toMatchObject({
      code: 'registry_refused',
      message: expect.stringContaining('unknown media type'),
    });
    expect(world.registry.tags('shop/delivery/podinfo').size).toBe(0);
  });
});

describe('token auth', () => {
  const users = {
    'gitlab-ci-token': { password: 'job-token-value', actions: ['pull', 'push'] },
    reader: { password: 'deploy-token-value', actions: ['pull'] },
  };

  test('reads and pushes with the flow that GitLab has; an expired token is renewed', async () => {
    await using tokens = await tokenService(users);
    await using world = await pushed({ auth: tokens.auth });
    const registry = connect('gitlab-ci-token', 'job-token-value').to(world.registry);
    await registry.push(`${folder}/layout`, 'x', world.name, ['staging']);
    expect(await registry.resolve(world.name, 'staging')).toBe(digest);
    const before = tokens.given();
    expect(await registry.resolve(world.name, 'staging')).toBe(digest);
    expect(tokens.given()).toBe(before);
    tokens.expire();
    expect(await registry.resolve(world.name, 'staging')).toBe(digest);
    expect(tokens.given()).toBe(before + 1);
  });

  test('the next repository of a host costs one token and one request', async () => {
    await using tokens = await tokenService(users);
    await using world = await pushed({ auth: tokens.auth });
    const registry = connect('reader', 'deploy-token-value').to(world.registry);
    await registry.manifest(world.name, 'x');
    const before = world.registry.requests.length;
    await registry.manifest(`${world.registry.host}/shop/delivery/other`, 'x');
    expect(world.registry.requests.length).toBe(before + 1);
  });

  test.each([
    ['a wrong password', 'gitlab-ci-token', 'wrong-password'],
    ['no credential', undefined, undefined],
    ['a token that may only pull', 'reader', 'deploy-token-value'],
  ])('%s: pushing is refused, nothing is in the registry, nothing leaks', async (_, user, password) => {
    await using tokens = await tokenService(users);
    await using world = await pushed({ auth: tokens.auth });
    const push = connect(user, password).to(world.registry).push(`${folder}/layout`, 'x', world.name, ['staging']);
    const fault: unknown = await push.catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'token_refused', exit: 7 });
    expect(String(fault)).not.toContain(password ?? 'Authorization');
    expect(world.registry.pushes).toEqual([]);
    expect((await readdir(folder)).filter((name) => name.startsWith('sluice-oras-'))).toEqual([]);
  });

  test('reading without a right is refused and says so', async () => {
    await using tokens = await tokenService(users);
    await using world = await pushed({ auth: tokens.auth });
    await expect(connect().to(world.registry).manifest(world.name, 'x')).rejects.toMatchObject({
      code: 'token_refused',
      message: expect.stringContaining('no credential'),
    });
  });

  test('basic auth is answered too', async () => {
    await using world = await pushed({ auth: { basic: (user, password) => user === 'a' && password === 'b:c' } });
    const registry = connect('a', 'b:c').to(world.registry);
    await registry.push(`${folder}/layout`, 'x', world.name, ['staging']);
    expect(await registry.resolve(world.name, 'staging')).toBe(digest);
    await expect(connect('a', 'wrong').to(world.registry).resolve(world.name, 'staging')).rejects.toMatchObject({
      code: 'token_refused',
    });
  });
});

describe('a registry that fails', () => {
  test.each([
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '3' } }, 3000],
    ['500', { status: 500 }, undefined],
    ['503', { status: 503 }, undefined],
    ['a connection that is cut, twice in each try', { damage: 'reset' as const, times: 4 }, undefined],
    ['half a body', { damage: 'half' as const }, undefined],
    ['other bytes than the digest says', { damage: 'bytes' as const }, undefined],
  ])('%s is asked again', async (_, fault, wait) => {
    await using world = await pushed();
    const client = connect();
    const registry = client.to(world.registry);
    await registry.push(`${folder}/layout`, 'x', world.name, ['staging']);
    world.registry.faults.add({ method: 'GET', path: /manifests/, times: 2, ...fault });
    expect((await registry.manifest(world.name, 'staging'))?.digest).toBe(digest);
    expect(client.waits).toHaveLength(2);
    expect(client.waits[0]).toBe(wait ?? client.waits[0]);
  });

  test.each([
    ['500', { status: 500 }, 'registry_unavailable', 6],
    ['other bytes', { damage: 'bytes' as const }, 'registry_unavailable', 6],
    [
      '403',
      { status: 403, body: '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}' },
      'token_refused',
      7,
    ],
  ])('%s for ever is %s', async (_, fault, code, exit) => {
    await using world = await pushed();
    const registry = connect().to(world.registry);
    await registry.push(`${folder}/layout`, 'x', world.name, ['staging']);
    world.registry.faults.add(fault);
    await expect(registry.manifest(world.name, 'staging')).rejects.toMatchObject({ code, exit });
  });

  test('an address where nothing listens', async () => {
    await using world = await pushed();
    const registry = connect().to(world.registry);
    const name = '127.0.0.1:2/a/b';
    await expect(registry.manifest(name, 'x')).rejects.toMatchObject({
      code: 'registry_unavailable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    await expect(registry.push(`${folder}/layout`, 'x', name, ['t'])).rejects.toMatchObject({
      code: 'registry_unavailable',
    });
  });

  test.each([
    [
      'a protected tag',
      { status: 403, body: '{"errors":[{"code":"DENIED","message":"tag is protected"}]}' },
      'registry_refused',
    ],
    [
      'a denied push',
      { status: 403, body: '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}' },
      'token_refused',
    ],
    [
      'a full quota',
      { status: 403, body: '{"errors":[{"code":"DENIED","message":"storage quota exceeded"}]}' },
      'registry_refused',
    ],
  ])('%s while pushing: %s', async (_, fault, code) => {
    await using world = await pushed();
    world.registry.faults.add({ method: 'PUT', path: /manifests/, ...fault });
    const push = connect().to(world.registry).push(`${folder}/layout`, 'x', world.name, ['staging']);
    await expect(push).rejects.toMatchObject({ code });
    expect(world.registry.tags('shop/delivery/podinfo').size).toBe(0);
  });

  test('without ORAS the repair is told', async () => {
    await using world = await pushed();
    const files = localFiles(folder, folder);
    const clock = { now: () => 0, random: () => 0, sleep: async () => {} };
    const processes = runProcesses({ PATH: folder });
    const registry = connectRegistry({ http: fetchHttp(), processes, files, clock, credentials: [] });
    await expect(registry.push(`${folder}/layout`, 'x', world.name, ['t'])).rejects.toMatchObject({
      code: 'tool_missing',
      exit: 2,
    });
  });
});
