import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/fault.ts';
import { firstOf as only, overlay, publishing, type Publishing } from './publishing.ts';

const podinfo = 'shop/delivery/podinfo';
const denied = '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}';
const unknown = '{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}';
const limited = '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}';
const never = new Promise<void>(() => {});

/** What stands under the moving tag; every tag's manifest has all its blobs. */
function standing(world: Publishing): string | undefined {
  const { registry } = world;
  for (const name of registry.repositories()) {
    for (const digest of registry.tags(name).values()) {
      const manifest = JSON.parse(Buffer.from(registry.manifest(name, digest)?.content ?? []).toString());
      for (const part of [manifest.config, ...manifest.layers]) expect(registry.blob(name, part.digest)).not.toBeNull();
    }
  }
  return registry.tags(podinfo).get('staging');
}

/** Two versions: the first is published, the second is about to be. */
async function between(options: Parameters<typeof publishing>[0] = {}) {
  const world = await publishing(options);
  const before = only(await world.publish(await world.commit(overlay('podinfo', 'staging', '1')))).digest;
  return { world, before, sha: await world.commit(overlay('podinfo', 'staging', '2')) };
}

type RegistryFault = Parameters<Publishing['registry']['faults']['add']>[0];

describe('what a registry answers: code, exit code, and what stands', () => {
  test.each<[string, RegistryFault, string, number]>([
    ['401 to reads', { method: 'GET', path: /podinfo\/manifests/, status: 401 }, 'token_refused', 7],
    ['403 to reads', { method: 'GET', path: /podinfo\/manifests/, status: 403, body: denied }, 'token_refused', 7],
    [
      '429 for ever to reads',
      { method: 'GET', path: /podinfo/, status: 429, body: limited },
      'registry_unavailable',
      6,
    ],
    ['500 for ever to reads', { method: 'GET', path: /podinfo\/manifests/, status: 500 }, 'registry_unavailable', 6],
    ['half a body for ever', { method: 'GET', path: /podinfo\/manifests/, damage: 'half' }, 'registry_unavailable', 6],
    ['wrong bytes for ever', { method: 'GET', path: /podinfo\/manifests/, damage: 'bytes' }, 'registry_unavailable', 6],
    ['401 to uploads', { method: 'POST', path: /podinfo/, status: 401 }, 'token_refused', 7],
    ['403 to uploads', { method: 'POST', path: /podinfo/, status: 403, body: denied }, 'token_refused', 7],
    ['404 to uploads', { method: 'POST', path: /podinfo/, status: 404, body: unknown }, 'registry_refused', 3],
    ['507 to uploads', { method: 'PUT', path: /uploads/, status: 507, body: '' }, 'registry_refused', 3],
    [
      '400 to the manifest',
      {
        method: 'PUT',
        path: /podinfo\/manifests/,
        status: 400,
        body: '{"errors":[{"code":"MANIFEST_INVALID","message":"unknown media type"}]}',
      },
      'registry_refused',
      3,
    ],
    ['a cut connection', { method: 'PUT', path: /podinfo\/manifests/, damage: 'reset' }, 'registry_unavailable', 6],
  ])('%s', async (_, fault, code, exit) => {
    const { world, before, sha } = await between();
    await using _world = world;
    const mend = world.registry.faults.add(fault);
    const broken = await world.publish(sha);
    expect(broken.exit).toBe(exit);
    expect(only(broken)).toMatchObject({ outcome: exit === 3 ? 'refused' : 'failed', fault: { code } });
    expect(only(broken).fault?.hint).not.toBe('');
    expect(standing(world)).toBe(before);
    mend();
    const mended = await world.publish(sha);
    expect(mended.exit).toBe(0);
    expect(standing(world)).toBe(only(mended).digest);
    expect(standing(world)).not.toBe(before);
  });

  test.each<[string, RegistryFault]>([
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '1' }, times: 2 }],
    ['500', { status: 500, times: 2 }],
    ['half a body', { method: 'GET', path: /manifests/, damage: 'half', times: 2 }],
    ['wrong bytes', { method: 'GET', path: /manifests/, damage: 'bytes', times: 2 }],
    ['no answer', { method: 'GET', path: /manifests/, until: never, times: 2 }],
  ])('%s, twice: it goes on', async (_, fault) => {
    const { world, sha } = await between({ timeoutMs: 500 });
    await using _world = world;
    world.registry.faults.add(fault);
    const published = await world.publish(sha);
    expect(published.exit).toBe(0);
    expect(standing(world)).toBe(only(published).digest);
  });

  test.each<[string, RegistryFault]>([
    ['reads', { method: 'GET', path: /podinfo\/manifests/, until: never }],
    ['pushes', { method: 'PUT', path: /podinfo\/manifests/, until: never }],
  ])('no answer to %s until the deadline: the record says what stands, and nothing is half', async (_, fault) => {
    const { world, before, sha } = await between();
    await using _world = world;
    world.registry.faults.add(fault);
    const deadline = new AbortController();
    const running = world.publish(sha, { deadline: deadline.signal });
    await world.registry.seen(({ method, path }) => method === fault.method && path.includes('podinfo/manifests'));
    deadline.abort(new Fault('registry_unavailable', 'not done in time'));
    const late = await running;
    expect(late.exit).toBe(6);
    expect(only(late)).toMatchObject({ outcome: 'failed', fault: { code: 'registry_unavailable' } });
    expect(standing(world)).toBe(before);
    world.registry.faults.clear();
    expect(only(await world.publish(sha)).digest).toBe(standing(world));
  });
});

test('the tag is moved by somebody else between our reading and our writing: ours, being newer, stands', async () => {
  const { world, sha } = await between();
  await using _world = world;
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  world.registry.faults.add({ method: 'PUT', path: /podinfo\/manifests\/staging$/, times: 1, until: held });
  const running = world.publish(sha);
  await world.registry.seen(({ method, path }) => method === 'PUT' && path.endsWith('/manifests/staging'));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  world.registry.putManifest(podinfo, 'by-hand', mediaType, Buffer.from('{"layers":[]}'));
  const stranger = world.registry.putManifest(podinfo, 'staging', mediaType, Buffer.from('{"layers":[]}'));
  release();
  const published = only(await running);
  expect(published.outcome).toBe('pushed');
  expect(published.digest).not.toBe(stranger.digest);
  expect(world.registry.tags(podinfo).get('staging')).toBe(published.digest);
  expect(world.registry.tags(podinfo).get('by-hand')).toBe(stranger.digest);
});

describe('killed', () => {
  test.each([
    ['while blobs are uploaded', 'PUT', /podinfo\/blobs\/uploads/],
    ['before the commit’s own tag', 'PUT', /podinfo\/manifests\/staging-/],
    ['before the moving tag', 'PUT', /podinfo\/manifests\/staging$/],
    ['before the ledger', 'PUT', /ledger\/manifests/],
  ])('%s: no tag dangles, and the next run completes it', async (_, method, path) => {
    const { world, sha } = await between();
    await using _world = world;
    world.registry.faults.add({ method, path, until: never });
    const abort = new AbortController();
    const running = world.publish(sha, { signal: abort.signal });
    await world.registry.seen((request) => request.method === method && path.test(request.path));
    abort.abort(new Fault('terminated', 'canceled'));
    await expect(running).rejects.toMatchObject({ code: 'terminated', exit: 143 });
    standing(world);
    world.registry.faults.clear();
    const next = await world.publish(sha);
    expect(next.exit).toBe(0);
    expect(standing(world)).toBe(only(next).digest);
    expect(only(await world.publish(sha)).reason).toContain('as of');
  });

  test('while it signs: the moving tag has not moved, and the next run signs and moves it', async () => {
    const { world, before, sha } = await between();
    await using _world = world;
    const abort = new AbortController();
    const signed: string[] = [];
    const hanging = {
      sign: (_: string, digest: string, signal?: AbortSignal) =>
        new Promise<void>((_resolve, reject) => {
          signed.push(digest);
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
          abort.abort(new Fault('terminated', 'canceled'));
        }),
    };
    const running = world.publish(sha, { signal: abort.signal, signer: hanging });
    await expect(running).rejects.toMatchObject({ code: 'terminated' });
    expect(standing(world)).toBe(before);
    const signer = { sign: async (_: string, digest: string) => void signed.push(digest) };
    const next = only(await world.publish(sha, { signer }));
    expect(next.outcome).toBe('pushed');
    expect(signed).toEqual([next.digest, next.digest]);
    expect(standing(world)).toBe(next.digest);
  });
});
