import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { filesOf, firstOf as only, overlay, publishing } from './publishing.ts';

const root = 'apps/podinfo/staging';
const map = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;

describe('the tree comes from git', () => {
  test('symlinks inside are followed, to files and folders', async () => {
    await using world = await publishing();
    await world.commit({
      'shared/common/kustomization.yaml': 'resources: [a.yaml]\n',
      'shared/common/a.yaml': map('a'),
      'shared/one.yaml': map('one'),
    });
    await world.commit(
      { [`${root}/common`]: '../../../shared/common', [`${root}/one.yaml`]: '../../../shared/one.yaml' },
      { mode: '120000' },
    );
    const sha = await world.commit({ [`${root}/kustomization.yaml`]: 'resources: [common, one.yaml]\n' });
    expect(only(await world.publish(sha))).toMatchObject({ outcome: 'pushed' });
    expect(await filesOf(world)).toEqual({
      [`${root}/common/a.yaml`]: map('a'),
      [`${root}/common/kustomization.yaml`]: 'resources: [a.yaml]\n',
      [`${root}/kustomization.yaml`]: 'resources: [common, one.yaml]\n',
      [`${root}/one.yaml`]: map('one'),
    });
  });

  test.each([
    ['out of the repository', '../../../../../etc/passwd', 'leaves the repository'],
    ['to an absolute path', '/etc/passwd', 'leaves the repository'],
    ['to nothing', 'nowhere.yaml', 'not in the commit'],
    ['to itself', 'link.yaml', 'itself'],
  ])('a symlink %s is refused', async (_, target, words) => {
    await using world = await publishing();
    await world.commit({ [`${root}/kustomization.yaml`]: 'resources: [link.yaml]\n' });
    const sha = await world.commit({ [`${root}/link.yaml`]: target }, { mode: '120000' });
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'refused',
      fault: { code: 'tree_refused', message: expect.stringContaining(words) },
    });
  });

  test('a Git LFS pointer is refused, unless it is somebody else’s', async () => {
    await using world = await publishing();
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12\n`;
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'configMapGenerator: [{name: a, files: [a.bin]}]\n',
      [`${root}/a.bin`]: pointer,
    });
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('Git LFS'),
    });
    const elsewhere = await world.commit({ [`${root}/a.bin`]: 'plain', 'docs/film.mp4': pointer });
    expect(only(await world.publish(elsewhere)).outcome).toBe('pushed');
  });

  test('names of every kind travel, executables stay so', async () => {
    await using world = await publishing();
    const names = [
      '-n.yaml',
      'a b.yaml',
      'ä.yaml',
      `${'x'.repeat(120)}.yaml`,
      `${'d'.repeat(150)}/${'e'.repeat(150)}.yaml`,
    ];
    await world.commit(Object.fromEntries(names.map((name, index) => [`${root}/${name}`, map(`m${index}`)])));
    const sha = await world.commit({ [`${root}/run.yaml`]: map('run') }, { mode: '100755' });
    expect(only(await world.publish(sha))).toMatchObject({ outcome: 'pushed' });
    expect(Object.keys(await filesOf(world)).sort()).toEqual(
      [...names, 'run.yaml'].map((name) => `${root}/${name}`).sort(),
    );
  });

  test('a symlinked folder that builds otherwise in its new place is refused', async () => {
    await using world = await publishing();
    await world.commit({
      'shared/common/kustomization.yaml': 'resources: [../x.yaml]\n',
      'shared/x.yaml': map('x'),
      [`${root}/x.yaml`]: map('y'),
      [`${root}/kustomization.yaml`]: 'resources: [common]\n',
    });
    const sha = await world.commit({ [`${root}/common`]: '../../../shared/common' }, { mode: '120000' });
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('differently'),
    });
    const mended = await world.commit({
      'shared/common/kustomization.yaml': 'resources: [z.yaml]\n',
      'shared/common/z.yaml': map('x'),
    });
    expect(only(await world.publish(mended)).outcome).toBe('pushed');
  });

  test('a symlinked .sourceignore counts as the file that it names', async () => {
    await using world = await publishing();
    await world.commit({
      'shared/ignore': '!*.png\n',
      [`${root}/kustomization.yaml`]: 'configMapGenerator: [{name: a, files: [a.png]}]\n',
      [`${root}/a.png`]: 'PNG',
    });
    const sha = await world.commit({ '.sourceignore': 'shared/ignore' }, { mode: '120000' });
    expect(only(await world.publish(sha)).outcome).toBe('pushed');
    expect((await filesOf(world))['.sourceignore']).toBe('!*.png\n');
  });

  test('large files stream through, also where several paths share one', async () => {
    await using world = await publishing();
    const large = Array.from({ length: 90_000 }, (_, index) => `line ${index}`).join('\n');
    const files = { 'a.txt': large, 'b.txt': 'small', 'c.txt': large, 'd.txt': `${large}!` };
    const names = Object.keys(files);
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: `configMapGenerator: [${names.map((name) => `{name: ${name[0]}, files: [${name}]}`).join(', ')}]\n`,
      ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`${root}/${name}`, text])),
    });
    const published = only(await world.publish(sha));
    expect(published.outcome).toBe('pushed');
    const found = await filesOf(world);
    for (const [name, text] of Object.entries(files)) expect(found[`${root}/${name}`]).toBe(text);
    const layer = world.registry.manifest('shop/delivery/podinfo', 'staging');
    const { layers, annotations } = JSON.parse(Buffer.from(layer?.content ?? []).toString());
    const tar = gunzipSync(world.registry.blob('shop/delivery/podinfo', layers[0].digest) ?? new Uint8Array());
    expect(`sha256:${createHash('sha256').update(tar).digest('hex')}`).toBe(annotations['app.sluice.content-digest']);
  });

  test.each(['a\\\\b.yaml', 'dots../b.yaml'])('a name that Flux does not unpack is refused: %s', async (name) => {
    await using world = await publishing();
    const sha = await world.commit({ [`${root}/a.yaml`]: map('a'), [`${root}/${name}`]: map('b') });
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'refused',
      fault: { code: 'tree_refused', message: expect.stringContaining('rename it') },
    });
    const other = await world.commit({ [`${root}/${name}`]: null, [`elsewhere/${name}`]: map('b') });
    expect(only(await world.publish(other)).outcome).toBe('pushed');
  });

  test.each([
    ['files', { files: 1, bytes: 1e9 }],
    ['bytes', { files: 100, bytes: 10 }],
  ])('too many %s are refused with the way out', async (_, limits) => {
    await using world = await publishing();
    const sha = await world.commit(overlay('podinfo', 'staging'));
    expect(only(await world.publish(sha, { limits }))).toMatchObject({
      outcome: 'failed',
      fault: { code: 'too_large', hint: expect.stringContaining('--max-') },
    });
  });

  test('nothing of any app is a fault', async () => {
    await using world = await publishing();
    const sha = await world.commit({ README: 'x' });
    await expect(world.publish(sha)).rejects.toMatchObject({ code: 'selection_empty', exit: 2 });
  });
});
