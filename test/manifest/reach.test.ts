import { describe, expect, test } from 'vitest';
import { generatedResources, reach, type ReachInput } from '../../src/manifest/reach.ts';
import { treeOf } from '../../src/manifest/tree.ts';

/** A tree and a reading of it that answers `needs` until nothing is wanted. */
function reached(files: Record<string, string>, roots: string[], options: Partial<ReachInput> = {}) {
  const tree = treeOf(Object.keys(files));
  const contents = new Map<string, string>();
  for (;;) {
    const answer = reach({ roots, tree, contents, ...options });
    if (answer.needs.length === 0) return { ...answer, paths: [...answer.files].sort() };
    for (const path of answer.needs) contents.set(path, files[path] ?? '');
  }
}

const object = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n';

describe('fields of a kustomization', () => {
  const fields: [string, string, string[]][] = [
    ['resources, a file', 'resources: [a.yaml]', ['a.yaml']],
    ['resources, a file above', 'resources: [../shared/a.yaml]', ['../shared/a.yaml']],
    ['resources, a folder', 'resources: [base/]', ['base/kustomization.yaml']],
    ['bases', 'bases: [../base]', ['../base/kustomization.yml']],
    ['components', 'components: [component]', ['component/Kustomization']],
    ['crds', 'crds: [crd.json]', ['crd.json']],
    ['configurations', 'configurations: [names.yaml]', ['names.yaml']],
    ['openapi', 'openapi: {path: schema.json}', ['schema.json']],
    ['patches', 'patches: [{path: patch.yaml, target: {kind: Deployment}}]', ['patch.yaml']],
    ['patchesStrategicMerge', 'patchesStrategicMerge:\n- patch.yaml\n- |-\n  kind: A\n', ['patch.yaml']],
    ['patchesJson6902', 'patchesJson6902: [{path: ops.json, target: {name: a}}]', ['ops.json']],
    ['replacements', 'replacements: [{path: replacement.yaml}, {source: {kind: A}}]', ['replacement.yaml']],
    [
      'configMapGenerator',
      'configMapGenerator: [{name: a, files: [k=x.ini, y.ini], envs: [a.env], env: b.env}]',
      ['x.ini', 'y.ini', 'a.env', 'b.env'],
    ],
    ['secretGenerator', 'secretGenerator: [{name: a, files: [tls.key=key.pem]}]', ['key.pem']],
    ['generators', 'generators: [generator.yaml]', ['generator.yaml']],
    ['transformers', 'transformers: [transformer.yaml]', ['transformer.yaml']],
    ['validators', 'validators: [validator.yaml]', ['validator.yaml']],
    ['keys in any case', 'Resources: [a.yaml]', ['a.yaml']],
  ];
  test.each(fields)('%s', (_, text, expected) => {
    const root = 'apps/a/staging';
    const inside = expected.map((path) => new URL(path, `file:///${root}/`).pathname.slice(1));
    const files = Object.fromEntries([...inside, `${root}/other.yaml`].map((path) => [path, object]));
    const { paths, unclear } = reached({ ...files, [`${root}/kustomization.yaml`]: text }, [root]);
    expect(paths).toEqual([...inside, `${root}/kustomization.yaml`].sort());
    expect(unclear).toEqual([]);
  });

  test('paths in the configuration of builtin plugins count from the kustomization that lists it', () => {
    const { paths } = reached(
      {
        'a/kustomization.yaml': 'generators: [plugins/gen.yaml]\ntransformers: [plugins/set]\n',
        'a/plugins/gen.yaml':
          'apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: x}\nfiles: [k=data.txt]\n',
        'a/plugins/set/kustomization.yaml': 'resources: [patch.yaml]\n',
        'a/plugins/set/patch.yaml':
          'apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: deep.yaml\n',
        'a/data.txt': 'x',
        'a/deep.yaml': object,
        'a/plugins/data.txt': 'not this',
      },
      ['a'],
    );
    expect(paths).toEqual([
      'a/data.txt',
      'a/deep.yaml',
      'a/kustomization.yaml',
      'a/plugins/gen.yaml',
      'a/plugins/set/kustomization.yaml',
      'a/plugins/set/patch.yaml',
    ]);
  });

  test('cycles end, and each folder is taken once', () => {
    const { paths, folders } = reached(
      { 'a/kustomization.yaml': 'resources: [../b]', 'b/kustomization.yaml': 'resources: [../a, ../b]' },
      ['a'],
    );
    expect(paths).toEqual(['a/kustomization.yaml', 'b/kustomization.yaml']);
    expect([...folders].sort()).toEqual(['a', 'b']);
  });

  test.each([
    'https://github.com/fluxcd/flux2//manifests/install?ref=v2.9.0',
    'github.com/stefanprodan/podinfo/kustomize',
    'git@gitlab.example.com:shop/base.git',
  ])('%s is unclear', (entry) => {
    const { unclear } = reached({ 'a/b/kustomization.yaml': `resources: ["${entry}"]` }, ['a/b']);
    expect(unclear).toHaveLength(1);
    expect(unclear[0]).toMatchObject({ file: 'a/b/kustomization.yaml', message: expect.stringContaining(entry) });
  });

  test.each(['resources: [PATH]', 'configMapGenerator: [{name: x, files: [k=PATH]}]', 'components: [PATH]'])(
    '%s: what leaves the repository is refused',
    (text) => {
      for (const path of ['../../../outside', '/etc/passwd']) {
        const { refused, paths } = reached({ 'a/b/kustomization.yaml': text.replace('PATH', path) }, ['a/b']);
        expect(refused).toEqual([{ file: 'a/b/kustomization.yaml', message: expect.stringContaining(path) }]);
        expect(paths).toEqual(['a/b/kustomization.yaml']);
      }
    },
  );

  test('a local folder that is called like a remote base is taken, and stays unclear', () => {
    const folder = 'a/github.com/x';
    const files = { [`${folder}/kustomization.yaml`]: 'resources: [r.yaml]', [`${folder}/r.yaml`]: object };
    const { paths, unclear } = reached({ 'a/kustomization.yaml': 'resources: [github.com/x]', ...files }, ['a']);
    expect(paths).toEqual([...Object.keys(files), 'a/kustomization.yaml'].sort());
    expect(unclear).toHaveLength(1);
  });

  test('charts inflated by kustomize are refused', () => {
    const { refused } = reached({ 'a/kustomization.yaml': 'helmCharts: [{name: x}]' }, ['a']);
    expect(refused).toEqual([{ file: 'a/kustomization.yaml', message: expect.stringContaining('helmCharts') }]);
  });

  test('what is no kustomization is unclear', () => {
    expect(reached({ 'a/kustomization.yaml': 'resources: [' }, ['a']).unclear).toHaveLength(1);
    expect(reached({ 'a/kustomization.yaml': '- a' }, ['a']).unclear).toHaveLength(1);
  });
});

describe('a root without a kustomization', () => {
  const files = {
    'apps/a/x.yaml': object,
    'apps/a/deep/y.yml': object,
    'apps/a/deep/notes.txt': '',
    'apps/a/kustomized/kustomization.yaml': 'resources: [z.yaml]',
    'apps/a/kustomized/z.yaml': object,
    'apps/a/kustomized/unused.yaml': object,
  };
  test('takes what Flux would list', () => {
    expect(generatedResources(treeOf(Object.keys(files)), 'apps/a')).toEqual([
      'apps/a/deep/y.yml',
      'apps/a/kustomized',
      'apps/a/x.yaml',
    ]);
    expect(reached(files, ['apps/a']).paths).toEqual([
      'apps/a/deep/y.yml',
      'apps/a/kustomized/kustomization.yaml',
      'apps/a/kustomized/z.yaml',
      'apps/a/x.yaml',
    ]);
  });
  test('also where the root is the repository', () => {
    expect(reached(files, ['.']).paths).toEqual(reached(files, ['apps/a']).paths);
  });
});

describe('Flux objects', () => {
  const flux = (spec: string, kind = 'Kustomization') =>
    `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: ${kind}\nmetadata: {name: x, namespace: flux-system}\nspec: ${spec}\n`;
  const files = {
    'clusters/staging/apps.yaml': flux(
      '{path: ./apps/a, components: [../../components/x], sourceRef: {kind: OCIRepository, name: own}}',
    ),
    'apps/a/a.yaml': flux('{path: ./apps/b, sourceRef: {kind: OCIRepository, name: own}}'),
    'apps/b/b.yaml': object,
    'apps/c/c.yaml': object,
    'components/x/kustomization.yaml': 'kind: Component\nresources: [k.yaml]',
    'components/x/k.yaml': object,
  };
  test('Kustomizations are followed, with components and children', () => {
    const { paths, builds } = reached(files, ['clusters/staging']);
    expect(paths).toEqual([
      'apps/a/a.yaml',
      'apps/b/b.yaml',
      'clusters/staging/apps.yaml',
      'components/x/k.yaml',
      'components/x/kustomization.yaml',
    ]);
    expect(builds).toEqual([
      { folder: 'clusters/staging', components: [] },
      { folder: 'apps/a', components: ['../../components/x'] },
      { folder: 'apps/b', components: [] },
    ]);
  });
  test('those of another source are not', () => {
    const { paths } = reached(files, ['clusters/staging'], { sameSource: () => false });
    expect(paths).toEqual(['clusters/staging/apps.yaml']);
  });
  test('the source’s own definition is handed to the question', () => {
    const seen = new Set<unknown>();
    const source =
      'apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: own, namespace: flux-system}\nspec: {url: oci://r/x}\n';
    reached({ ...files, 'clusters/staging/source.yaml': source }, ['clusters/staging'], {
      sameSource: (_, definition) => {
        seen.add(definition?.url);
        return true;
      },
    });
    expect([...seen]).toEqual(['oci://r/x']);
  });
  test('charts with their values files and local dependencies', () => {
    const release =
      'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec: {chart: {spec: {chart: ./charts/web, valuesFiles: [./charts/web/prod.yaml, values/all.yaml], sourceRef: {kind: GitRepository, name: d}}}}\n';
    const { paths, values, lying } = reached(
      {
        'a/release.yaml': release,
        'charts/web/values.yaml': '',
        'charts/web/staging.yaml': '',
        'charts/web/Chart.yaml': 'dependencies: [{name: lib, repository: "file://../lib"}]',
        'charts/web/templates/x.tpl': '{{',
        'charts/web/prod.yaml': '',
        'charts/lib/Chart.yaml': '',
        'charts/other/Chart.yaml': '',
        'values/all.yaml': '',
      },
      ['a'],
    );
    expect(paths).toEqual([
      'a/release.yaml',
      'charts/lib/Chart.yaml',
      'charts/web/Chart.yaml',
      'charts/web/prod.yaml',
      'charts/web/staging.yaml',
      'charts/web/templates/x.tpl',
      'charts/web/values.yaml',
      'values/all.yaml',
    ]);
    expect([...values].sort()).toEqual(['charts/web/prod.yaml', 'values/all.yaml']);
    expect([...lying]).toEqual(['charts/web/staging.yaml']);
  });
  test('no path leads above the source’s root, as Flux joins them', () => {
    const { paths, unclear } = reached(
      {
        'a/x.yaml': flux('{path: ../../apps/b/, sourceRef: {kind: OCIRepository, name: own}}'),
        'apps/b/b.yaml': object,
      },
      ['a'],
    );
    expect(paths).toEqual(['a/x.yaml', 'apps/b/b.yaml']);
    expect(unclear).toEqual([]);
  });
  test('what the build shows is followed too', () => {
    const release =
      'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec: {chart: {spec: {chart: charts/web, sourceRef: {kind: OCIRepository, name: d}}}}\n';
    const { paths } = reached({ 'a/a.yaml': object, 'charts/web/Chart.yaml': '' }, ['a'], { rendered: [release] });
    expect(paths).toEqual(['a/a.yaml', 'charts/web/Chart.yaml']);
  });
  test('paths that a patch gives', () => {
    const { paths } = reached(
      {
        'base/kustomization.yaml': 'resources: [apps.yaml]',
        'base/apps.yaml': flux('{path: ./apps/a, sourceRef: {kind: GitRepository, name: x}}'),
        'prod/kustomization.yaml':
          'resources: [../base]\npatches:\n- patch: |-\n    - {op: replace, path: /spec/path, value: ./apps/b}\n  target: {kind: Kustomization}\n',
        'apps/a/a.yaml': object,
        'apps/b/b.yaml': object,
      },
      ['prod'],
    );
    expect(paths).toContain('apps/b/b.yaml');
  });
  test('a variable in a path is unclear', () => {
    expect(
      reached({ 'a/x.yaml': flux('{path: "./clusters/${name}", sourceRef: {kind: OCIRepository, name: x}}') }, ['a'])
        .unclear,
    ).toHaveLength(1);
  });
});
