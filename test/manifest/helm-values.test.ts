import { describe, expect, test } from 'vitest';
import { edited, faultOf, planned, sha } from './edited.ts';

const in_ = (values: string): string =>
  `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: app\nspec:\n  values:\n${values.replace(/^(?=.)/gm, '    ')}`;

describe.each([
  ['values file', (values: string) => values],
  ['HelmRelease', in_],
])('%s', (_, wrap) => {
  test.each([
    [
      'repository and tag',
      'image:\n  repository: ghcr.io/x/app # r\n  tag: 1.0.0 # t\n',
      'ghcr.io/x/app:1.1.0',
      'image:\n  repository: ghcr.io/x/app # r\n  tag: 1.1.0 # t\n',
    ],
    [
      'registry apart',
      'image:\n  registry: "ghcr.io"\n  repository: x/app\n  tag: "1.0"\n',
      'ghcr.io/x/app:1.20',
      'image:\n  registry: "ghcr.io"\n  repository: x/app\n  tag: "1.20"\n',
    ],
    [
      'a tag that would read as a number',
      'image:\n  repository: x/app\n  tag: v1\n',
      'x/app:1.20',
      'image:\n  repository: x/app\n  tag: "1.20"\n',
    ],
    [
      'a tag is a text, even where a number stood',
      'image:\n  repository: x/app\n  tag: 1.19\n',
      'x/app:1.20',
      'image:\n  repository: x/app\n  tag: "1.20"\n',
    ],
    [
      'a tag that prints back stays as plain as it was',
      'image:\n  repository: x/app\n  tag: 38\n',
      'x/app:39',
      'image:\n  repository: x/app\n  tag: 39\n',
    ],
    [
      'in the file’s own quotes',
      "a: 'x'\nb: 'y'\nimage:\n  repository: x/app\n  tag: v1\n",
      'x/app:1e3',
      "a: 'x'\nb: 'y'\nimage:\n  repository: x/app\n  tag: '1e3'\n",
    ],
    [
      'digest key',
      `image:\n  repository: x/app\n  tag: v1\n  digest: ${sha('0')}\n`,
      `x/app:v2@${sha('a')}`,
      `image:\n  repository: x/app\n  tag: v2\n  digest: ${sha('a')}\n`,
    ],
    [
      'a stale digest goes',
      `image:\n  repository: x/app\n  tag: v1\n  digest: ${sha('0')}\n`,
      'x/app:v2',
      'image:\n  repository: x/app\n  tag: v2\n  digest: ""\n',
    ],
    [
      'an empty digest stays',
      'image:\n  repository: x/app\n  tag: v1\n  digest: ""\n',
      'x/app:v2',
      'image:\n  repository: x/app\n  tag: v2\n  digest: ""\n',
    ],
    [
      'sha without prefix',
      'image:\n  repository: x/app\n  tag: v1\n  sha: ""\n',
      `x/app:v2@${sha('a')}`,
      `image:\n  repository: x/app\n  tag: v2\n  sha: "${'a'.repeat(64)}"\n`,
    ],
    [
      'digest in the tag',
      `image:\n  repository: x/app\n  tag: v1@${sha('0')}\n`,
      `x/app:v2@${sha('a')}`,
      `image:\n  repository: x/app\n  tag: v2@${sha('a')}\n`,
    ],
    [
      'digest without a key for it',
      'image: {repository: x/app, tag: v1}\n',
      `x/app=@${sha('a')}`,
      `image: {repository: x/app, tag: v1@${sha('a')}}\n`,
    ],
    [
      'full reference',
      'image: x/app:v1\nsidecarImage: "x/app:v1"\n',
      'x/app:v2',
      'image: x/app:v2\nsidecarImage: "x/app:v2"\n',
    ],
    [
      'image beside tag',
      'web:\n  image: x/app\n  imageTag: v1\n',
      'x/app:v2',
      'web:\n  image: x/app\n  imageTag: v2\n',
    ],
    [
      'prefixed keys',
      'webImage: x/app\nwebImageTag: v1\njobImage: x/job\njobTag: v1\n',
      'x/app:v2',
      'webImage: x/app\nwebImageTag: v2\njobImage: x/job\njobTag: v1\n',
    ],
    [
      'keys with underscores',
      'image_repository: x/app\nimage_tag: v1\n',
      'x/app:v2',
      'image_repository: x/app\nimage_tag: v2\n',
    ],
    [
      'imageName',
      'imageName: x/app\nimageTag: v1\nimageDigest:\n',
      `x/app:v2@${sha('a')}`,
      `imageName: x/app\nimageTag: v2\nimageDigest: ${sha('a')}\n`,
    ],
    ['name below image', 'image:\n  name: x/app:v1\n', 'x/app:v2', 'image:\n  name: x/app:v2\n'],
    [
      'a path with tag under any key',
      'env:\n  RELATED: x/app:v1\nurl: https://x/app:v1\n',
      'x/app:v2',
      'env:\n  RELATED: x/app:v2\nurl: https://x/app:v1\n',
    ],
    ['repository with its tag', 'repository: x/app:v1\n', 'x/app:v2', 'repository: x/app:v2\n'],
    [
      'containers',
      'extra:\n- name: a\n  image: x/app:v1\n- name: b\n  image: x/b:v1\n',
      'x/app:v2',
      'extra:\n- name: a\n  image: x/app:v2\n- name: b\n  image: x/b:v1\n',
    ],
    ['a list of references', 'images:\n- x/app:v1\n- x/b:v1\n', 'x/app:v2', 'images:\n- x/app:v2\n- x/b:v1\n'],
    [
      'a missing tag is added',
      'image:\n  repository: x/app\n  pullPolicy: Always\n',
      'x/app:v2',
      'image:\n  repository: x/app\n  tag: v2\n  pullPolicy: Always\n',
    ],
    ['an empty tag', 'image:\n  repository: x/app\n  tag:\n', 'x/app:v2', 'image:\n  repository: x/app\n  tag: v2\n'],
    [
      'new registry and repository',
      'image:\n  registry: ghcr.io\n  repository: x/app\n  tag: v1\n',
      'ghcr.io/x/app=quay.io/y/app:v2',
      'image:\n  registry: quay.io\n  repository: y/app\n  tag: v2\n',
    ],
    [
      'new repository',
      'image:\n  repository: x/app\n  tag: v1\n',
      'x/app=quay.io/y/app:v2',
      'image:\n  repository: quay.io/y/app\n  tag: v2\n',
    ],
  ])('%s', (_name, before, image, after) => {
    expect(edited(wrap(before), { image })).toBe(wrap(after));
    expect(edited(wrap(after), { image })).toBe(wrap(after));
  });
});

test('a list of images at the root of a values file', () => {
  expect(edited('- repository: x/app\n  tag: v1\n', { image: 'x/app:v2' })).toBe('- repository: x/app\n  tag: v2\n');
});

test.each(['docker.io/bitnami/nginx', 'bitnami/nginx'])('a chart that names Docker Hub apart: %s', (name) => {
  const text = 'image:\n  registry: docker.io\n  repository: bitnami/nginx\n  tag: 1.26.0\n';
  expect(edited(text, { image: `${name}:1.27.0` })).toBe(text.replace('1.26', '1.27'));
  const library = text.replace('bitnami/', 'library/');
  expect(edited(library, { image: `${name.replace('docker.io/', '').replace('bitnami/', '')}:1.27.0` })).toBe(
    library.replace('1.26', '1.27'),
  );
});

test('the name is compared as a whole', () => {
  const text = 'image:\n  registry: ghcr.io\n  repository: x/app\n  tag: v1\n';
  expect(faultOf(() => edited(text, { image: 'x/app:v2' }))).toMatchObject({ code: 'target_missing' });
  expect(faultOf(() => edited(text, { image: 'quay.io/x/app:v2' })).hint).toContain('x/app');
});

test('a variable is left alone, and said so', () => {
  expect(
    faultOf(() => edited(in_('image:\n  repository: x/app\n  tag: ${TAG:=v1}\n'), { image: 'x/app:v2' })),
  ).toMatchObject({ code: 'edit_refused', exit: 3 });
  const two = 'a:\n  repository: x/app\n  tag: ${TAG}\nb:\n  repository: x/app\n  tag: v1\n';
  expect(edited(two, { image: 'x/app:v2' })).toBe(two.replace('tag: v1', 'tag: v2'));
  expect(planned({ 'v.yaml': two }, { image: 'x/app:v2' }).notTaken).toMatchObject([{ reason: 'refused', line: 2 }]);
});

test('pin: digest keeps the tag beside the digest, since charts join them', () => {
  const text = 'image:\n  repository: x/app\n  tag: v1\n';
  expect(edited(text, { image: `x/app:v2@${sha('a')}`, pin: 'digest' })).toBe(
    `image:\n  repository: x/app\n  tag: v2@${sha('a')}\n`,
  );
});
