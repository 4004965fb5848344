import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { packTar } from 'modern-tar';
import { describe, expect, test } from 'vitest';
import { config, filesOf, firstOf as only, publishing, type Publishing } from './publishing.ts';

const root = 'apps/podinfo/staging';
const map = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
const repository = 'shop/delivery/podinfo';

/** An artifact under the moving tag that another tool has made. */
async function pushForeign(world: Publishing, files: Record<string, string>, revision?: string): Promise<void> {
  const entries = Object.entries(files).map(([name, body]) => {
    return { header: { name, size: Buffer.byteLength(body), type: 'file' as const }, body };
  });
  const layer = gzipSync(await packTar(entries));
  const digest = (content: Uint8Array) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const put = (mediaType: string, content: Uint8Array) => {
    world.registry.putBlob(repository, content);
    return { mediaType, digest: digest(content), size: content.byteLength };
  };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: put('application/vnd.cncf.flux.config.v1+json', Buffer.from('{}')),
    layers: [put('application/vnd.cncf.flux.content.v1.tar+gzip', layer)],
    ...(revision ? { annotations: { 'org.opencontainers.image.revision': revision } } : {}),
  };
  world.registry.putManifest(repository, 'staging', mediaType, Buffer.from(JSON.stringify(manifest)));
}

describe('an artifact that would lose objects', () => {
  test('is refused where a new ignore rule hides a manifest that git still holds', async () => {
    await using world = await publishing();
    const files = { [`${root}/a.yaml`]: map('a'), [`${root}/b.yaml`]: map('b') };
    const first = only(await world.publish(await world.commit(files)));
    const sha = await world.commit({ '.sourceignore': 'b.yaml\n' });
    const published = await world.publish(sha);
    expect(published.exit).toBe(3);
    expect(only(published)).toMatchObject({
      outcome: 'refused',
      digest: first.digest,
      fault: { code: 'prune_refused', message: expect.stringContaining('ConfigMap b') },
    });
    expect(world.registry.tags(repository).get('staging')).toBe(first.digest);
    expect(only(await world.publish(sha, { dryRun: true })).outcome).toBe('refused');
    expect(only(await world.publish(sha, { override: 'b is obsolete' })).outcome).toBe('pushed');
    expect(Object.keys(await filesOf(world))).toEqual([`${root}/a.yaml`]);
  });

  test('is refused where sluice.yaml gives it fewer roots while another file changes', async () => {
    await using world = await publishing();
    const roots = (list: string) =>
      config
        .replace('{project: shop/podinfo}', `{project: shop/podinfo, roots: [${list}]}`)
        .replace(/ {2}production.*\n/, '');
    const a = { 'apps/podinfo/a/a.yaml': map('a') };
    await world.publish(await world.commit({ ...a, 'apps/podinfo/b/b.yaml': map('b') }), {
      config: roots('apps/podinfo/a, apps/podinfo/b'),
    });
    const sha = await world.commit({ 'apps/podinfo/a/a.yaml': `${map('a')}data: {x: "1"}\n` });
    expect(only(await world.publish(sha, { config: roots('apps/podinfo/a') }))).toMatchObject({
      fault: { code: 'prune_refused', message: expect.stringContaining('root apps/podinfo/b') },
    });
  });

  test.each([
    ['the file and its entry', { [`${root}/kustomization.yaml`]: 'resources: [a.yaml]\n', [`${root}/b.yaml`]: null }],
    ['the entry alone', { [`${root}/kustomization.yaml`]: 'resources: [a.yaml]\n' }],
    ['the document', { [`${root}/b.yaml`]: map('c') }],
  ])('may shrink where git deleted %s', async (_, change) => {
    await using world = await publishing();
    const files = {
      [`${root}/kustomization.yaml`]: 'resources: [a.yaml, b.yaml]\n',
      [`${root}/a.yaml`]: map('a'),
      [`${root}/b.yaml`]: map('b'),
    };
    await world.publish(await world.commit(files));
    expect(only(await world.publish(await world.commit(change)))).toMatchObject({ outcome: 'pushed' });
  });

  test('may lose a generated object whose name follows its content', async () => {
    await using world = await publishing();
    const generator = (value: string) => ({
      [`${root}/kustomization.yaml`]: `configMapGenerator: [{name: a, literals: [x=${value}]}]\n`,
    });
    await world.publish(await world.commit(generator('1')));
    expect(only(await world.publish(await world.commit(generator('2'))))).toMatchObject({ outcome: 'pushed' });
  });

  test('is refused where another tool’s artifact holds what git never held', async () => {
    await using world = await publishing();
    const sha = await world.commit({ [`${root}/a.yaml`]: map('a') });
    const foreign = { [`./${root}/a.yaml`]: map('a'), [`./${root}/by-hand.yaml`]: map('by-hand') };
    await pushForeign(world, foreign, `main@sha1:${sha}`);
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'refused',
      fault: { code: 'prune_refused', message: expect.stringContaining('ConfigMap by-hand') },
    });
    await pushForeign(world, { ...foreign, '../../evil': 'x' }, 'no revision');
    expect(only(await world.publish(sha)).outcome).toBe('pushed');
  });

  test('is published, and that is said, where the one that stands cannot be read', async () => {
    await using world = await publishing();
    await world.publish(await world.commit({ [`${root}/a.yaml`]: map('a') }));
    const manifest = world.registry.manifest(repository, 'staging');
    const { layers } = JSON.parse(Buffer.from(manifest?.content ?? []).toString());
    world.registry.removeBlob(repository, layers[0].digest);
    const published = only(await world.publish(await world.commit({ [`${root}/a.yaml`]: map('b') })));
    expect(published).toMatchObject({ outcome: 'pushed', reason: expect.stringContaining('could not be read') });
  });
});

describe('what the build cannot know', () => {
  test('a remote base takes the folder too, and that is said', async () => {
    await using world = await publishing();
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'resources: ["http://127.0.0.1:9/none/repo.git//deploy?ref=v1", a.yaml]\n',
      [`${root}/a.yaml`]: map('a'),
      'apps/podinfo/notes.txt': 'x',
    });
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'pushed',
      reason: expect.stringMatching(/apps\/podinfo is taken with everything reached.*is remote.*not proven/),
    });
    expect(Object.keys(await filesOf(world))).toContain('apps/podinfo/notes.txt');
  });

  test.each(['replicas: 2\n', '- a\n- b\n', 'kind: Values\n', map('ok') + '---\nx: 1\n'])(
    'a root without a kustomization that holds other YAML is refused as Flux refuses it: %j',
    async (text) => {
      await using world = await publishing();
      const sha = await world.commit({ [`${root}/a.yaml`]: map('a'), [`${root}/values.yaml`]: text });
      expect(only(await world.publish(sha))).toMatchObject({
        outcome: 'refused',
        fault: { code: 'build_refused', message: expect.stringContaining('values.yaml') },
      });
    },
  );
});
