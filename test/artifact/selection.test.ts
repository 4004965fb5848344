import { describe, expect, test } from 'vitest';
import { config, filesOf, firstOf as only, overlay, publishing } from './publishing.ts';

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

  test('a values file that only a JSON patch names is found by the build', async () => {
    await using world = await publishing();
    const release =
      'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web}\nspec: {interval: 5m, chart: {spec: {chart: ./charts/web, valuesFiles: [charts/web/values.yaml], sourceRef: {kind: OCIRepository, name: podinfo}}}}\n';
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]:
        'resources: [../base]\npatches:\n- patch: |-\n    - {op: replace, path: /spec/chart/spec/valuesFiles/0, value: values/prod.yaml}\n  target: {kind: HelmRelease}\n',
      'apps/podinfo/base/kustomization.yaml': 'resources: [release.yaml]\n',
      'apps/podinfo/base/release.yaml': release,
      'charts/web/Chart.yaml': 'name: web\n',
      'charts/web/values.yaml': 'a: 1\n',
      'values/prod.yaml': 'a: 2\n',
      'values/other.yaml': 'a: 3\n',
    });
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'pushed',
      reason: expect.stringContaining('values/prod.yaml'),
    });
    const names = Object.keys(await filesOf(world));
    expect(names).toEqual(expect.arrayContaining(['charts/web/Chart.yaml', 'values/prod.yaml']));
    expect(names).not.toContain('values/other.yaml');
  });

  test('a path that leaves the repository is refused, as Flux would', async () => {
    await using world = await publishing();
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'configMapGenerator: [{name: x, files: [/etc/hostname]}]\n',
    });
    expect(only(await world.publish(sha))).toMatchObject({
      outcome: 'refused',
      fault: { code: 'build_refused', message: expect.stringContaining('leaves the repository') },
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

  test('what the roots need from elsewhere is taken too, and that is said', async () => {
    await using world = await publishing();
    const sha = await world.commit({
      [`${root}/kustomization.yaml`]: 'resources: [../../../shared/a.yaml]\n',
      'apps/podinfo/notes.txt': 'x',
      'shared/a.yaml': map('a'),
      'shared/b.yaml': map('b'),
    });
    const published = only(await world.publish(sha, { config: folderConfig }));
    expect(published).toMatchObject({
      outcome: 'pushed',
      reason: expect.stringContaining('taken with everything reached'),
    });
    expect(Object.keys(await filesOf(world))).toEqual([
      'apps/podinfo/notes.txt',
      `${root}/kustomization.yaml`,
      'shared/a.yaml',
    ]);
    const again = only(await world.publish(await world.commit({ other: 'x' }), { config: folderConfig }));
    expect(again).toMatchObject({ outcome: 'unchanged', digest: published.digest });
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
