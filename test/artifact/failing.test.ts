import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Published } from '../../src/artifact/publish.ts';
import { Fault } from '../../src/fault.ts';
import { secret } from '../../src/secret.ts';
import { tokenService } from '../systems/token-realm.ts';
import { bothApps, overlay, publishing, type Publishing } from './publishing.ts';

const only = (published: Published) => {
  const [first] = published.publication.artifacts;
  if (!first) throw new Error('nothing was published');
  return first;
};

/** Every tag's manifest with all its blobs is there. */
function isWhole(world: Publishing): boolean {
  const { registry } = world;
  return registry.repositories().every((name) =>
    [...registry.tags(name).values()].every((digest) => {
      const manifest = JSON.parse(Buffer.from(registry.manifest(name, digest)?.content ?? []).toString());
      return [manifest.config, ...manifest.layers].every((part) => registry.blob(name, part.digest) !== null);
    }),
  );
}

const app = () => overlay('podinfo', 'staging');
const podinfo = 'shop/delivery/podinfo';

describe('one that fails does not stop the others', () => {
  test('a broken app is refused, the other is pushed, and the order is kept', async () => {
    await using world = await publishing();
    const sha = await world.commit({
      ...overlay('web', 'staging'),
      'apps/podinfo/staging/kustomization.yaml': 'resources: [no.yaml]\n',
    });
    const published = await world.publish(sha, { config: bothApps });
    expect(published.publication.artifacts.map(({ app: name, outcome }) => [name, outcome])).toEqual([
      ['podinfo', 'refused'],
      ['web', 'pushed'],
    ]);
    expect(published.exit).toBe(3);
    const repaired = await world.commit(app());
    const next = await world.publish(repaired, { config: bothApps });
    expect(next.publication.artifacts.map(({ outcome }) => outcome)).toEqual(['pushed', 'unchanged']);
  });

  test('a registry that fails for one repository only: exit 6, the other stands', async () => {
    await using world = await publishing();
    world.registry.faults.add({ path: /\/podinfo\/blobs\/uploads/, status: 500, body: '' });
    const sha = await world.commit({ ...app(), ...overlay('web', 'staging') });
    const published = await world.publish(sha, { config: bothApps });
    expect(published.publication.artifacts.map(({ outcome }) => outcome)).toEqual(['failed', 'pushed']);
    expect(published.exit).toBe(6);
    expect(world.registry.tags(podinfo).size).toBe(0);
    world.registry.faults.clear();
    expect(
      (await world.publish(sha, { config: bothApps })).publication.artifacts.map(({ outcome }) => outcome),
    ).toEqual(['pushed', 'unchanged']);
  });
});

describe('a push that breaks leaves nothing half, and the next run completes it', () => {
  test.each([
    ['before the first blob', { method: 'POST', path: /uploads/ }],
    ['before the manifest', { method: 'PUT', path: /manifests\/staging-/ }],
    ['before the moving tag', { method: 'PUT', path: /podinfo\/manifests\/staging$/ }],
    ['before the ledger', { method: 'PUT', path: /ledger\/manifests/ }],
  ])('%s', async (_, at) => {
    await using world = await publishing();
    const sha = await world.commit(app());
    const remove = world.registry.faults.add({
      ...at,
      status: 403,
      body: '{"errors":[{"code":"DENIED","message":"no"}]}',
    });
    const broken = await world.publish(sha);
    expect(broken.exit).toBe(7);
    expect(isWhole(world)).toBe(true);
    remove();
    const mended = await world.publish(sha);
    expect(mended.exit).toBe(0);
    expect(world.registry.tags(podinfo).get('staging')).toBe(only(mended).digest);
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'unchanged',
      reason: expect.stringContaining('as of'),
    });
    expect(isWhole(world)).toBe(true);
  });

  test('killed in the middle', async () => {
    await using world = await publishing();
    const sha = await world.commit(app());
    const abort = new AbortController();
    world.registry.faults.add({ method: 'PUT', path: /uploads/, times: 1, until: new Promise<void>(() => {}) });
    const running = world.publish(sha, { signal: abort.signal });
    await world.registry.seen(({ method, path }) => method === 'PUT' && path.includes('uploads'));
    abort.abort(new Fault('terminated', 'canceled'));
    await expect(running).rejects.toMatchObject({ code: 'terminated', exit: 143 });
    expect(isWhole(world)).toBe(true);
    world.registry.faults.clear();
    expect(only(await world.publish(sha)).outcome).toBe('pushed');
    expect(await readdir(world.temporary)).toEqual([]);
  });

  test('the tag was moved by somebody else meanwhile: ours, being newer, stands', async () => {
    await using world = await publishing();
    await world.publish(await world.commit(app()));
    const stranger = world.registry.putManifest(
      podinfo,
      'staging',
      'application/vnd.oci.image.manifest.v1+json',
      Buffer.from('{"layers":[]}'),
    );
    const sha = await world.commit(overlay('podinfo', 'staging', '2'));
    const published = only(await world.publish(sha));
    expect(published.outcome).toBe('pushed');
    expect(world.registry.tags(podinfo).get('staging')).toBe(published.digest);
    expect(published.digest).not.toBe(stranger.digest);
  });
});

describe('credentials', () => {
  const users = { 'gitlab-ci-token': { password: 'job-token-value', actions: ['pull', 'push'] } };

  test('the whole way with GitLab’s token flow', async () => {
    await using tokens = await tokenService(users);
    await using world = await publishing({
      auth: tokens.auth,
      credentials: (host) => [{ host, user: 'gitlab-ci-token', password: secret('job-token-value') }],
    });
    const sha = await world.commit(app());
    expect(only(await world.publish(sha)).outcome).toBe('pushed');
  });

  test('a token that expires in the middle is renewed', async () => {
    await using tokens = await tokenService(users);
    await using world = await publishing({
      auth: tokens.auth,
      credentials: (host) => [{ host, user: 'gitlab-ci-token', password: secret('job-token-value') }],
    });
    const sha = await world.commit(app());
    const running = world.publish(sha);
    await world.registry.seen(({ method }) => method === 'PUT');
    tokens.expire();
    expect(only(await running).outcome).toBe('pushed');
  });

  test('a refused credential fails every artifact with exit 7, and nothing leaks', async () => {
    await using tokens = await tokenService(users);
    await using world = await publishing({
      auth: tokens.auth,
      credentials: (host) => [{ host, user: 'gitlab-ci-token', password: secret('wrong-secret-value') }],
    });
    const published = await world.publish(await world.commit(app()));
    expect(published.exit).toBe(7);
    expect(only(published)).toMatchObject({ outcome: 'failed', fault: { code: 'token_refused' } });
    expect(JSON.stringify(published) + world.notices.join()).not.toContain('wrong-secret-value');
  });
});

describe('without pushing', () => {
  test('a dry run plans the same and changes nothing', async () => {
    await using world = await publishing();
    const sha = await world.commit(app());
    const planned = await world.publish(sha, { dryRun: true });
    expect(only(planned)).toMatchObject({ outcome: 'pushed', digest: null });
    expect(world.registry.pushes).toEqual([]);
    const done = only(await world.publish(sha));
    expect(done.contentDigest).toBe(only(planned).contentDigest);
  });

  test('layouts hold what would be pushed', async () => {
    await using world = await publishing();
    const sha = await world.commit(app());
    const folder = join(world.git.path, 'layout');
    const written = only(await world.publish(sha, { layoutFolder: folder }));
    const names = await readdir(join(folder, 'staging/podinfo/blobs/sha256'));
    expect(names).toContain(written.digest?.slice('sha256:'.length));
    expect(world.registry.requests).toEqual([]);
    expect(only(await world.publish(sha)).digest).toBe(written.digest);
  });
});

describe('source: git', () => {
  const git = bothApps
    .replace('{project: shop/podinfo}', '{project: shop/podinfo, source: git}')
    .replace(/ {2}production.*\n/, '');

  test('has no artifact; pushed is what changed below the roots', async () => {
    await using world = await publishing();
    const first = only(await world.publish(await world.commit(app()), { config: git }));
    expect(first).toMatchObject({ outcome: 'pushed', source: 'git', digest: null, repository: '', tags: [] });
    expect(first.reason).toContain('no artifact is pushed');
    const other = await world.commit({ 'unrelated.txt': 'x' });
    expect(only(await world.publish(other, { config: git }))).toMatchObject({ outcome: 'unchanged', digest: null });
    expect(
      only(await world.publish(await world.commit(overlay('podinfo', 'staging', '2')), { config: git })).outcome,
    ).toBe('pushed');
    expect(world.registry.tags(podinfo).size).toBe(0);
  });
});

describe('layouts pushed later', () => {
  const written = async (world: Publishing, sha: string) => {
    await world.publish(sha, { layoutFolder: `${world.git.path}/out` });
    return `${world.git.path}/out`;
  };

  test('are what a push would have been', async () => {
    await using world = await publishing();
    const sha = await world.commit(app());
    const fromLayout = await written(world, sha);
    expect(world.registry.pushes).toEqual([]);
    const index = JSON.parse(await readFile(`${fromLayout}/staging/podinfo/index.json`, 'utf8'));
    const published = only(await world.publish(sha, { fromLayout }));
    expect(published).toMatchObject({ outcome: 'pushed', digest: index.manifests[0].digest });
    expect(world.registry.tags(podinfo).get('staging')).toBe(published.digest);
    expect(only(await world.publish(sha, { fromLayout })).outcome).toBe('unchanged');
  });

  test('of another commit, of other content, damaged or missing are not pushed', async () => {
    await using world = await publishing();
    const sha = await world.commit(app());
    const fromLayout = await written(world, sha);
    const next = await world.commit(overlay('podinfo', 'staging', '2'));
    expect(only(await world.publish(next, { fromLayout })).fault).toMatchObject({ code: 'file_missing' });
    const folder = `${fromLayout}/staging/podinfo`;
    const index = await readFile(`${folder}/index.json`, 'utf8');
    await writeFile(`${folder}/index.json`, index.replaceAll(sha.slice(0, 12), next.slice(0, 12)));
    expect(only(await world.publish(next, { fromLayout })).fault).toMatchObject({ code: 'tree_refused' });
    await writeFile(`${folder}/index.json`, index);
    for (const blob of await readdir(`${folder}/blobs/sha256`)) {
      const path = `${folder}/blobs/sha256/${blob}`;
      const content = await readFile(path);
      await writeFile(path, Buffer.concat([content, Buffer.from(' ')]));
      expect(only(await world.publish(sha, { fromLayout })).fault).toMatchObject({ code: 'file_unreadable' });
      await writeFile(path, content);
    }
    expect(world.registry.tags(podinfo).size).toBe(0);
    expect(only(await world.publish(sha, { fromLayout })).outcome).toBe('pushed');
  });
});
