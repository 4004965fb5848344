import { describe, expect, test } from 'vitest';
import { nearestNames } from '../../src/manifest/nearest.ts';
import { editedAll, faultOf, planned } from './edited.ts';

const files = {
  'kustomization.yaml':
    'resources: [deploy.yaml]\nimages:\n- name: x/app\n  newTag: v1 # {"$imagepolicy": "f:app:tag"}\n',
  'marked.yaml': 'kind: ConfigMap\napiVersion: v1\ndata:\n  image: x/app:v1 # {"$imagepolicy": "f:app"}\n',
  'release.yaml':
    'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec: {values: {image: {repository: x/app, tag: v1}}}\n',
  'source.yaml':
    'apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: s}\nspec: {url: "oci://x/app", ref: {tag: v1}}\n',
  'deploy.yaml':
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [{name: c, image: x/app:v1}]}}}\n',
};
const order = ['kustomization.yaml', 'marked.yaml', 'release.yaml', 'source.yaml', 'deploy.yaml'] as const;

describe('precedence in update', () => {
  test.each([0, 1, 2, 3, 4])('with the strongest %i kinds gone', (gone) => {
    const left = Object.fromEntries(order.slice(gone).map((file) => [file, files[file]]));
    const change = planned(left, { image: 'x/app:v2', mode: 'update' });
    expect(change.files.map(({ path }) => path)).toEqual([order[gone]]);
    expect(change.notTaken.map(({ file, reason }) => [file, reason])).toEqual(
      order.slice(gone + 1).map((file) => [file, 'precedence']),
    );
  });

  test.each([0, 1, 2, 3, 4])('in any order of the files, with the strongest %i kinds gone', (gone) => {
    const left = order.slice(gone);
    for (const turned of [left.toReversed(), [...left.slice(1), ...left.slice(0, 1)]]) {
      const change = planned(Object.fromEntries(turned.map((file) => [file, files[file]])), {
        image: 'x/app:v2',
        mode: 'update',
      });
      expect(change.targets.map(({ file }) => file)).toEqual([order[gone]]);
      const kinds = new Set(change.notTaken.map(({ message }) => message.replace(/.*: (.*) goes before .*/, '$1')));
      expect(change.notTaken.map(({ file }) => file).toSorted()).toEqual(left.slice(1).toSorted());
      expect([...kinds]).toEqual(gone === 4 ? [] : [change.targets[0]!.kind]);
    }
  });

  test('what a weaker kind would refuse is no matter where a stronger one holds the image', () => {
    const shared = 'kind: Pod\nspec: {containers: [{image: &i x/app:v1}]}\nother: *i\n';
    expect(faultOf(() => planned({ 'a.yaml': shared }, { image: 'x/app:v2', mode: 'update' }))).toMatchObject({
      code: 'edit_refused',
    });
    const change = planned({ 'a.yaml': shared, ...files }, { image: 'x/app:v2', mode: 'update' });
    expect(change.files.map(({ path }) => path)).toEqual(['kustomization.yaml']);
  });

  test('edit changes every match', () => {
    const after = editedAll(files, { image: 'x/app:v2' });
    for (const [path, text] of Object.entries(files)) {
      expect(after[path]).toBe(text.replace(/(newTag: |x\/app:|tag: )v1/, '$1v2'));
    }
  });

  test('a kind that is already so still goes before the weaker ones', () => {
    const change = planned(
      { ...files, 'kustomization.yaml': files['kustomization.yaml'].replace('v1', 'v2') },
      { image: 'x/app:v2', mode: 'update' },
    );
    expect(change.files).toEqual([]);
    expect(change.notTaken[0]).toMatchObject({ file: 'kustomization.yaml', reason: 'unchanged' });
  });
});

describe('files that are not to be taken', () => {
  test('shared ones are passed over, and named where nothing else holds the image', () => {
    const shared = { 'deploy.yaml': 'production reaches it too' };
    const change = planned(
      { 'deploy.yaml': files['deploy.yaml'], 'release.yaml': files['release.yaml'] },
      { image: 'x/app:v2', mode: 'update', shared },
    );
    expect(change.files.map(({ path }) => path)).toEqual(['release.yaml']);
    expect(change.notTaken).toMatchObject([{ file: 'deploy.yaml', reason: 'shared' }]);
    expect(
      faultOf(() => planned({ 'deploy.yaml': files['deploy.yaml'] }, { image: 'x/app:v2', mode: 'update', shared })),
    ).toMatchObject({
      code: 'target_missing',
      exit: 2,
      hint: expect.stringMatching(/^Nearest: deploy.yaml was not taken .*production reaches it too.*of its own/),
    });
  });
});

describe('nothing found: the nearest candidates', () => {
  const hint = (text: string, image: string, elsewhere = {}): string =>
    faultOf(() => planned({ 'a.yaml': text }, { image, mode: 'update', elsewhere, named: [] })).hint;

  test.each([
    ['image: docker.io/library/nginx:1\n', 'nginx:2', 'docker.io/library/nginx (a.yaml:1:8)'],
    ['image: quay.io/x/app:1\n', 'ghcr.io/x/app:2', 'quay.io/x/app (a.yaml:1:8)'],
    ['image:\n  repository: y/app\n  tag: v1\n', 'ghcr.io/x/app:2', 'y/app (a.yaml:2:15)'],
    ['image: ghcr.io/x/podinfo:1\n', 'ghcr.io/x/podinof:2', 'ghcr.io/x/podinfo'],
    ['image: [ghcr.io/x/app:1\n', 'x/app:1', 'unparsable'],
  ])('%j', (text, image, near) => {
    expect(hint(text, image)).toContain(near);
  });

  test.each([
    ['metadata: {name: podinfo}\nimage: docker.io/podinfo:1\n', 'docker.io/podinfo (a.yaml:2:8)'],
    ['images:\n  - newTag: v1\n    name: podinfo\n', 'podinfo (a.yaml:3:11)'],
    ['IMAGE=quay.io/x/podinfo:1\n', 'quay.io/x/podinfo (a.yaml:1:7)'],
  ])('names of objects are none: %j', (text, near) => {
    expect(hint(text, 'ghcr.io/x/podinfo:2')).toBe(`Nearest: ${near}.`);
  });

  test('another environment', () => {
    expect(hint('a: 1\n', 'x/app:1', { 'production/a.yaml': 'image: x/app:1\n' })).toContain(
      'x/app in another environment (production/a.yaml:1:8)',
    );
  });

  test('the nearest come first, three at most', () => {
    const text =
      'image: other/app:1\nb: {image: quay.io/x/app}\nc: {image: appp}\nd: {image: zzz/app}\ne: {image: unrelated}\n';
    expect(
      nearestNames('ghcr.io/x/app', new Map([['f', new TextEncoder().encode(text)]])).map(({ name }) => name),
    ).toEqual(['quay.io/x/app', 'other/app', 'zzz/app']);
  });
});

test('one image that is missing fails the whole change', () => {
  expect(faultOf(() => planned(files, { image: ['x/app:v2', 'x/none:v2'] })).code).toBe('target_missing');
});

test('a file that is missing', () => {
  expect(faultOf(() => planned({}, { set: [], image: 'x/app:1' })).code).toBe('target_missing');
});

test('in edit, a chart answers to its bare name only where no file holds the name otherwise', () => {
  const chart =
    'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec:\n  chart: {spec: {chart: web, version: 1.0.0, sourceRef: {name: s}}}\n';
  const pod = 'kind: Pod\nspec: {containers: [{name: c, image: web:v1}]}\n';
  const now = chart.replace('1.0.0', '1.1.0');
  expect(editedAll({ 'a.yaml': chart, 'b.yaml': chart }, { image: 'web:1.1.0' })).toEqual({
    'a.yaml': now,
    'b.yaml': now,
  });
  expect(editedAll({ 'a.yaml': chart, 'b.yaml': pod }, { image: 'web:1.1.0' })).toEqual({
    'a.yaml': chart,
    'b.yaml': pod.replace('v1', '1.1.0'),
  });
  const variable = chart.replace('1.0.0', "'${V}'");
  expect(faultOf(() => planned({ 'a.yaml': variable }, { image: 'web:1.1.0' })).code).toBe('edit_refused');
});
