import { describe, expect, test } from 'vitest';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import type { Published } from '../../src/artifact/publish.ts';
import { config, overlay, publishing, type Publishing } from './publishing.ts';

const only = (published: Published) => {
  const [first] = published.publication.artifacts;
  if (!first) throw new Error('nothing was published');
  return first;
};

/** Files of the artifact under a tag: path → text. */
async function filesOf(world: Publishing, tag = 'staging', name = 'podinfo'): Promise<Record<string, string>> {
  const manifest = world.registry.manifest(`shop/delivery/${name}`, tag);
  const { layers } = JSON.parse(Buffer.from(manifest?.content ?? []).toString());
  const layer = world.registry.blob(`shop/delivery/${name}`, layers[0].digest);
  const entries = await unpackTar(gunzipSync(layer ?? new Uint8Array()));
  return Object.fromEntries(
    entries
      .filter((entry) => entry.header.type === 'file')
      .map((entry) => [entry.header.name, Buffer.from(entry.data ?? []).toString()]),
  );
}

const root = 'apps/podinfo/staging';
const map = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
const folderConfig = config.replace('{project: shop/podinfo}', '{project: shop/podinfo, files: folder}');

describe('files: reached', () => {
  test('holds what the roots reach at its own path; the other environment does not touch it', async () => {
    await using world = await publishing();
    const shared = {
      'shared/patch.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: podinfo}\nspec: {replicas: 2}\n',
    };
    await world.commit({
      ...overlay('podinfo', 'staging'),
      ...overlay('podinfo', 'production'),
      ...shared,
      'apps/podinfo/README.md': 'x',
    });
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'resources: [../base]\npatches: [{path: ../../../shared/patch.yaml}]\n',
    });
    const first = only(await world.publish(sha));
    expect(first.fault).toBeUndefined();
    expect(Object.keys(await filesOf(world))).toEqual([
      'apps/podinfo/base/deployment.yaml',
      'apps/podinfo/base/kustomization.yaml',
      'apps/podinfo/staging/kustomization.yaml',
      'shared/patch.yaml',
    ]);
    const next = await world.publish(await world.commit(overlay('podinfo', 'production', '2')));
    expect(next.publication.artifacts.map((item) => item.outcome)).toEqual(['unchanged', 'pushed']);
  });

  test('a root without a kustomization has every manifest below, as Flux generates it', async () => {
    await using world = await publishing();
    const sha = await world.commit({
      [`${root}/a.yaml`]: map('a'),
      [`${root}/deep/b.yml`]: map('b'),
      [`${root}/notes.md`]: 'x',
    });
    expect(only(await world.publish(sha)).outcome).toBe('pushed');
    expect(Object.keys(await filesOf(world))).toEqual([`${root}/a.yaml`, `${root}/deep/b.yml`]);
  });

  test('a child that only a patch names is found by the build: the folder is taken too, and that is said', async () => {
    await using world = await publishing();
    const child =
      'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: child, namespace: flux-system}\nspec: {path: ./nowhere, sourceRef: {kind: OCIRepository, name: podinfo}}\n';
    const replacement =
      'source: {kind: ConfigMap, name: paths, fieldPath: data.child}\ntargets: [{select: {kind: Kustomization}, fieldPaths: [spec.path]}]\n';
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'resources: [child.yaml, paths.yaml]\nreplacements: [{path: replacement.yaml}]\n',
      [`${root}/child.yaml`]: child,
      [`${root}/paths.yaml`]: `${map('paths')}data: {child: ./apps/podinfo/child}\n`,
      [`${root}/replacement.yaml`]: replacement,
      'apps/podinfo/child/c.yaml': map('c'),
    });
    const published = only(await world.publish(sha));
    expect(published).toMatchObject({ outcome: 'pushed', reason: expect.stringContaining('apps/podinfo/child') });
    expect(Object.keys(await filesOf(world))).toContain('apps/podinfo/child/c.yaml');
    expect(only(await world.publish(await world.commit({ 'unrelated.txt': 'x' })))).toMatchObject({
      outcome: 'unchanged',
      digest: published.digest,
    });
  });

  test('what is not understood takes the folder, and that is said', async () => {
    await using world = await publishing();
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'resources: [a.yaml]\n',
      [`${root}/a.yaml`]: `${map('a')}---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: x}\nspec: {path: "./\${where}", sourceRef: {kind: OCIRepository, name: podinfo}}\n`,
      'apps/podinfo/other.txt': 'x',
    });
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'pushed',
      reason: expect.stringContaining('apps/podinfo is taken with everything reached'),
    });
    expect(Object.keys(await filesOf(world))).toContain('apps/podinfo/other.txt');
  });

  test('manifests that kustomize cannot build are refused with its text, and nothing is pushed', async () => {
    await using world = await publishing();
    const sha = await world.commit({ [`${root}/kustomization.yaml`]: 'resources: [missing.yaml]\n' });
    const published = await world.publish(sha);
    expect(published.exit).toBe(3);
    expect(only(published)).toMatchObject({
      outcome: 'refused',
      digest: null,
      fault: { code: 'build_refused', message: expect.stringContaining('missing.yaml') },
    });
    expect(only(published).reason).not.toContain('/tmp/');
    expect(world.registry.tags('shop/delivery/podinfo').size).toBe(0);
  });

  test('charts inflated by kustomize are refused', async () => {
    await using world = await publishing();
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'helmCharts: [{name: x, repo: "https://charts.example.com"}]\n',
    });
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('helmCharts'),
    });
  });

  test('a root that leaves the artifact while git still holds it would be pruned: refused, unless overridden', async () => {
    await using world = await publishing();
    const roots = (list: string) =>
      config
        .replace('{project: shop/podinfo}', `{project: shop/podinfo, roots: [${list}]}`)
        .replace(/ {2}production.*\n/, '');
    const sha = await world.commit({ 'apps/podinfo/a/a.yaml': map('a'), 'apps/podinfo/b/b.yaml': map('b') });
    const both = only(await world.publish(sha, { config: roots('apps/podinfo/a, apps/podinfo/b') }));
    expect(both.outcome).toBe('pushed');
    const next = await world.commit({ 'unrelated.txt': 'x' });
    const fewer = await world.publish(next, { config: roots('apps/podinfo/a') });
    expect(only(fewer)).toMatchObject({
      outcome: 'refused',
      digest: both.digest,
      fault: { code: 'prune_refused', message: expect.stringContaining('ConfigMap b') },
    });
    expect(only(await world.publish(next, { config: roots('apps/podinfo/a'), override: 'b has moved' })).outcome).toBe(
      'pushed',
    );
  });

  test('an app whose last manifest git deleted may shrink', async () => {
    await using world = await publishing();
    await world.publish(
      await world.commit({
        [`${root}/kustomization.yaml`]: 'resources: [a.yaml, b.yaml]\n',
        [`${root}/a.yaml`]: map('a'),
        [`${root}/b.yaml`]: map('b'),
      }),
    );
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'resources: [a.yaml]\n',
      [`${root}/b.yaml`]: null,
    });
    expect(only(await world.publish(sha)).outcome).toBe('pushed');
    expect(Object.keys(await filesOf(world))).toEqual([`${root}/a.yaml`, `${root}/kustomization.yaml`]);
  });
});

describe('files: folder', () => {
  test('holds the folder without what Flux ignores; a .sourceignore brings files back', async () => {
    await using world = await publishing();
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'configMapGenerator: [{name: logo, files: [logo.png]}]\n',
      [`${root}/logo.png`]: 'PNG',
      'apps/podinfo/.gitlab-ci.yml': 'x',
      'apps/podinfo/notes.txt': 'x',
      '.sourceignore': '*.txt\n!logo.png\n',
    });
    expect(only(await world.publish(sha, { config: folderConfig })).outcome).toBe('pushed');
    expect(Object.keys(await filesOf(world))).toEqual([
      '.sourceignore',
      `${root}/kustomization.yaml`,
      `${root}/logo.png`,
    ]);
  });

  test('a file that Flux would drop is missed by the build, and the hint says why', async () => {
    await using world = await publishing();
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'configMapGenerator: [{name: logo, files: [logo.png]}]\n',
      [`${root}/logo.png`]: 'PNG',
    });
    expect(only(await world.publish(sha, { config: folderConfig }))).toMatchObject({
      outcome: 'refused',
      fault: { code: 'build_refused', hint: expect.stringContaining('.sourceignore') },
    });
  });
});

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

  test('a Git LFS pointer is refused', async () => {
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
