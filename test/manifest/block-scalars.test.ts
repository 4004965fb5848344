import { describe, expect, test } from 'vitest';
import { edited, editedAll, faultOf, planned } from './edited.ts';

const pod = (image: string): string =>
  `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: web\n      image: ${image}\n`;
const patches =
  'resources: [pod.yaml]\npatches:\n  - target: {kind: Pod}\n    patch: |-\n      - op: replace\n        path: /spec/containers/0/image\n        value: x/app:v1\n';

describe('a target that is a block scalar is refused with its place', () => {
  test.each([
    ['a container', pod('>-\n        x/app:v1'), 'file.yaml:6:14'],
    ['a container, with a line end', pod('|\n        x/app:v1'), 'file.yaml:6:14'],
    ['a reference in values', 'image: |\n  x/app:v1\n', 'file.yaml:1:8'],
    ['a tag in values', 'image:\n  repository: x/app\n  tag: >-\n    v1\n', 'file.yaml:3:8'],
    ['a repository in values', 'image:\n  repository: |-\n    x/app\n  tag: v1\n', ''],
    ['a tag of images', 'kind: Kustomization\nimages:\n- name: x/app\n  newTag: |\n    v1\n', 'file.yaml:4:11'],
  ])('%s', (_, text, place) => {
    if (place === '') expect(edited(text, { image: 'x/app:v2' })).toBe(text.replace('tag: v1', 'tag: v2'));
    else {
      expect(faultOf(() => edited(text, { image: 'x/app:v2' }))).toMatchObject({
        code: 'edit_refused',
        exit: 3,
        message: expect.stringContaining(`${place}: `),
      });
      expect(edited(text, { image: 'x/app:v1' })).toBe(text);
    }
  });
});

describe('text of a block scalar', () => {
  test('is refused where nothing else holds the image', () => {
    expect(faultOf(() => edited(patches, { image: 'x/app:v2' }, 'kustomization.yaml'))).toMatchObject({
      code: 'edit_refused',
      exit: 3,
      message: expect.stringContaining('kustomization.yaml:7:16: patches[0].patch: x/app stands in a block scalar'),
    });
    const map = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  pod.yaml: |\n${pod('x/app:v1').replace(/^/gm, '    ').trimEnd()}\n`;
    expect(faultOf(() => edited(map, { image: 'x/app:v2', mode: 'update' }))).toMatchObject({
      code: 'edit_refused',
      message: expect.stringContaining('file.yaml:11:18: ConfigMap/m data["pod.yaml"]: '),
    });
  });

  test('is left alone, and noted, where a target holds it', () => {
    const files = { 'kustomization.yaml': patches, 'pod.yaml': pod('x/app:v1') };
    const asked = { image: 'x/app:v2', mode: 'edit' } as const;
    expect(editedAll(files, asked)).toEqual({ ...files, 'pod.yaml': pod('x/app:v2') });
    expect(planned(files, asked).notTaken).toMatchObject([
      { file: 'kustomization.yaml', line: 7, column: 16, reason: 'refused' },
    ]);
  });
});

describe('an inline patch that update cannot edit', () => {
  const deployment =
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: web, image: x/app:v1}]}}}\n';
  const overlay = (reference: string, rest = ''): string =>
    `resources: [../base]\npatches:\n- patch: |-\n    - op: replace\n      path: /spec/template/spec/containers/0/image\n      value: ${reference}\n${rest}`;
  const after = (text: string): string =>
    editedAll({ 'base/deploy.yaml': deployment, 'a/kustomization.yaml': text }, { image: 'x/app:v2', mode: 'update' })[
      'base/deploy.yaml'
    ]!;

  test('would undo what is done to the workload: refused', () => {
    expect(faultOf(() => after(overlay('x/app:v1')))).toMatchObject({
      code: 'edit_refused',
      exit: 3,
      message: expect.stringContaining('a/kustomization.yaml:6:14'),
    });
  });

  test('no harm where it holds the version already, or `images:` goes before it', () => {
    expect(after(overlay('x/app:v2'))).toBe(deployment.replace('app:v1', 'app:v2'));
    expect(after(overlay('x/app:v1', 'images: [{name: x/app, newTag: v1}]\n'))).toBe(deployment);
  });

  const release =
    'kind: HelmRelease\nmetadata: {name: app}\nspec:\n  values:\n    image:\n      repository: x/app\n      tag: v1\n';
  const patched = (kustomization: string, named: Readonly<Record<string, string>> = { 'base/release.yaml': release }) =>
    editedAll({ ...named, 'a/kustomization.yaml': kustomization }, { image: 'x/app:v2', mode: 'update' });
  const merge = (tag: string, rest = '', name = 'app'): string =>
    `resources: [../base]\npatches:\n- patch: |\n    kind: HelmRelease\n    metadata: {name: ${name}}\n    spec: {values: {image: {tag: ${tag}}}}\n${rest}`;
  const operation = (path: string, target = 'kind: HelmRelease, name: app'): string =>
    `resources: [../base]\npatches:\n- target: {${target}}\n  patch: |-\n    - {op: replace, path: ${path}, value: v1}\n`;
  const flux = (text: string): string =>
    `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: f}\nspec:\n${text.replace(/^resources.*\n/, '').replace(/^(?=.)/gm, '  ')}`;

  test.each([
    ['of a tag alone', merge('v1'), 'a/kustomization.yaml:3:10'],
    ['for a target', merge('v1', '  target: {kind: HelmRelease, name: app}\n', 'any'), 'a/kustomization.yaml:3:10'],
    ['in old form', merge('v1').replace('patches:\n- patch:', 'patchesStrategicMerge:\n-'), 'kustomization.yaml:3:3'],
    ['of a Flux Kustomization', flux(merge('v1')), 'a/kustomization.yaml:6:12'],
    ['by an operation', operation('/spec/values/image/tag'), 'a/kustomization.yaml:4:10'],
  ])('would undo what is done to the HelmRelease, %s: refused', (_, text, place) => {
    expect(faultOf(() => patched(text))).toMatchObject({
      code: 'edit_refused',
      message: expect.stringContaining(place),
    });
  });

  test.each([
    ['the version stands there', merge('v2')],
    ['another HelmRelease', merge('v1', '', 'other')],
    ['another target', merge('v1', '  target: {kind: HelmRelease, name: other}\n')],
    ['a target of another kind', merge('v1', '  target: {kind: Deployment, name: app}\n')],
    ['another image’s tag', merge('v1').replace('image:', 'sidecar:')],
    [
      'repository and version stand there',
      merge('v2').replace(
        /\{values.*/,
        '\n      values:\n        image:\n          repository: x/app\n          tag: v2',
      ),
    ],
    ['a repository of its own', merge('v1').replace('{tag:', '{repository: y/app, tag:')],
    ['another path', operation('/spec/values/sidecar/tag')],
    ['an operation on another object', operation('/spec/values/image/tag', 'kind: HelmRelease, name: other')],
    ['a setter goes before it', merge('v1'), release.replace('tag: v1', 'tag: v1 # {"$imagepolicy": "a:b:tag"}')],
  ])('of a HelmRelease does no harm: %s', (_, text, base = release) => {
    expect(patched(text, { 'base/release.yaml': base })).toEqual({
      'base/release.yaml': base.replace('v1', 'v2'),
      'a/kustomization.yaml': text,
    });
  });
});
