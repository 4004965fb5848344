import { describe, expect, test } from 'vitest';
import { editedAll, faultOf, planned, sha } from './edited.ts';
import type { Asked } from './edited.ts';

const release = (values: string, metadata = 'name: app'): string =>
  `kind: HelmRelease\nmetadata: {${metadata}}\nspec:\n  values:\n${values.replace(/^(?=.)/gm, '    ')}`;

const whole = release('image:\n  repository: x/app\n  tag: v1\n');
const lone = release('replicas: 2\nimage:\n  tag: v1 # ours\n');

describe('an overlay’s patch of a HelmRelease holds the tag alone', () => {
  const after = (patch: string, asked: Asked, base = whole): string =>
    editedAll({ 'base.yaml': base, 'patch.yaml': patch }, { mode: 'update', ...asked })['patch.yaml']!;

  test('it changes with the repository’s own file, since it is what counts', () => {
    const files = { 'base.yaml': whole, 'patch.yaml': lone };
    const asked = { image: 'x/app:v2', mode: 'update' } as const;
    const now = editedAll(files, asked);
    expect(now).toEqual({ 'base.yaml': whole.replace('v1', 'v2'), 'patch.yaml': lone.replace('v1', 'v2') });
    expect(planned(now, asked).files).toEqual([]);
    expect(editedAll(files, { image: 'x/app:v2' })).toEqual(now);
  });

  test('it alone changes where the repository’s file is shared', () => {
    const files = { 'base.yaml': whole, 'patch.yaml': lone };
    const shared = { 'base.yaml': 'production reaches it too' };
    expect(editedAll(files, { image: 'x/app:v2', mode: 'update', shared })).toEqual({
      'base.yaml': whole,
      'patch.yaml': lone.replace('v1', 'v2'),
    });
  });

  test.each([
    ['another HelmRelease', lone.replace('name: app', 'name: other')],
    ['another namespace', lone.replace('name: app', 'name: app, namespace: b')],
    ['another map', lone.replace('image:', 'sidecar:')],
    ['a repository of its own', release('image:\n  repository: y/app\n  tag: v1\n')],
    ['no HelmRelease', 'image:\n  tag: v1\n'],
    ['neither tag nor digest', release('image:\n  pullPolicy: Always\n')],
  ])('left alone: %s', (_, patch) => {
    const base = release('image:\n  repository: x/app\n  tag: v1\n', 'name: app, namespace: a');
    expect(after(patch, { image: 'x/app:v2' }, base)).toBe(patch);
  });

  test('a further values file, and values in the HelmRelease itself, beside a values file', () => {
    const chart = 'chart:\n    spec:\n      valuesFiles: [./chart/values.yaml, chart/values-a.yaml]\n';
    const files = {
      'release.yaml': lone.replace('spec:\n', `spec:\n  ${chart}`),
      'chart/values.yaml': 'image:\n  repository: x/app\n  tag: v1\n',
      'chart/values-a.yaml': 'image:\n  tag: v1\n',
      'chart/values-b.yaml': 'image:\n  tag: v1\n',
    };
    expect(editedAll(files, { image: 'x/app:v2', mode: 'update' })).toEqual({
      'release.yaml': files['release.yaml'].replace('v1', 'v2'),
      'chart/values.yaml': files['chart/values.yaml'].replace('v1', 'v2'),
      'chart/values-a.yaml': 'image:\n  tag: v2\n',
      'chart/values-b.yaml': files['chart/values-b.yaml'],
    });
  });

  test('values files that kustomize puts into a ConfigMap of the HelmRelease', () => {
    const generator = (name: string, file: string): string =>
      `kind: Kustomization\nconfigMapGenerator:\n- name: ${name}\n  files: [${file}]\n`;
    const files = {
      'release.yaml':
        'kind: HelmRelease\nmetadata: {name: app}\nspec:\n  valuesFrom: [{kind: ConfigMap, name: app-values}]\n',
      'base/kustomization.yaml': generator('app-values', 'values.yaml'),
      'base/values.yaml': 'image:\n  repository: x/app\n  tag: v1\n',
      'a/kustomization.yaml': generator('app-values', 'values.yaml=own.yaml'),
      'a/own.yaml': 'image:\n  tag: v1\n',
      'b/kustomization.yaml': generator('other-values', 'own.yaml'),
      'b/own.yaml': 'image:\n  tag: v1\n',
    };
    expect(editedAll(files, { image: 'x/app:v2', mode: 'update' })).toEqual({
      ...files,
      'base/values.yaml': files['base/values.yaml'].replace('v1', 'v2'),
      'a/own.yaml': 'image:\n  tag: v2\n',
    });
  });

  test('left alone where two files disagree about the repository', () => {
    const files = { 'a.yaml': whole, 'b.yaml': whole.replace('x/app', 'y/app'), 'patch.yaml': lone };
    expect(editedAll(files, { image: 'x/app:v2' })).toEqual({ ...files, 'a.yaml': whole.replace('v1', 'v2') });
  });

  test('digests', () => {
    expect(after(lone, { image: `x/app:v2@${sha('a')}` })).toBe(lone.replace('v1', `v2@${sha('a')}`));
    const pinned = release(`image:\n  repository: x/app\n  tag: v1\n  digest: ${sha('0')}\n`);
    expect(after(lone, { image: `x/app:v2@${sha('a')}` }, pinned)).toBe(
      lone.replace('tag: v1 # ours\n', `tag: v2 # ours\n      digest: ${sha('a')}\n`),
    );
    expect(after(lone, { image: 'x/app:v2' }, pinned)).toBe(
      lone.replace('tag: v1 # ours\n', 'tag: v2 # ours\n      digest: ""\n'),
    );
  });

  test('a new name goes in beside the tag', () => {
    expect(after(lone, { image: 'x/app=z/app:v2' })).toBe(
      lone.replace('tag: v1 # ours\n', 'tag: v2 # ours\n      repository: z/app\n'),
    );
  });

  test.each([
    ['patch.yaml', lone, 'patch.yaml:7:12 HelmRelease/app spec.values.image.tag, a tag without a repository'],
    ['values.yaml', 'image: {tag: v1}\n', 'values.yaml:1:14 image.tag, a tag without a repository'],
  ])('where no file tells the repository, the hint names the tag: %s', (file, text, near) => {
    const fault = faultOf(() => planned({ [file]: text }, { image: 'x/app:v2', mode: 'update', named: [] }));
    expect(fault).toMatchObject({ code: 'target_missing', hint: expect.stringContaining(near) });
  });
});
