import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  baseName,
  formatImage,
  fullName,
  parseImage,
  parseImageFlag,
  readImage,
  withoutHost,
} from '../../src/app/image.ts';
import { Fault } from '../../src/fault.ts';
import { faultOf, sha } from '../manifest/edited.ts';

describe('parseImage', () => {
  test.each([
    ['nginx', 'nginx', null, null],
    ['nginx:1.27', 'nginx', '1.27', null],
    ['ghcr.io/org/app:v1', 'ghcr.io/org/app', 'v1', null],
    ['registry:5000/app', 'registry:5000/app', null, null],
    ['registry.example.com:5000/a/b-c__d.e:1@' + sha('a'), 'registry.example.com:5000/a/b-c__d.e', '1', sha('a')],
    ['[::1]:5000/app:1', '[::1]:5000/app', '1', null],
    ['localhost/app@' + sha('0'), 'localhost/app', null, sha('0')],
  ])('%s', (text, name, tag, digest) => {
    expect(parseImage(text)).toEqual({ name, tag, digest });
    expect(formatImage(parseImage(text))).toBe(text);
  });

  test.each([
    ['', 1],
    ['ghcr.io/Org/app:1', 9],
    ['ghcr.io//app', 9],
    ['app:', 5],
    ['app:-x', 5],
    ['app:1 ', 6],
    ['app:1\n', 6],
    ['a b', 2],
    ['app@sha256:12', 5],
    ['app@' + sha('A'), 5],
    [`app:${'x'.repeat(129)}`, 133],
  ])('%j is refused at character %i', (text, character) => {
    const fault = faultOf(() => parseImage(text));
    expect(fault.code).toBe('image_reference');
    expect(fault.message).toContain(`character ${character}:`);
  });
});

describe('parseImageFlag', () => {
  test.each([
    ['podinfo=:1.2', { name: 'podinfo', tag: '1.2' }],
    ['podinfo=@' + sha('a'), { name: 'podinfo', digest: sha('a') }],
    ['podinfo=ghcr.io/x/podinfo', { name: 'podinfo', newName: 'ghcr.io/x/podinfo' }],
    ['podinfo=reg:5000/p:1@' + sha('b'), { name: 'podinfo', newName: 'reg:5000/p', tag: '1', digest: sha('b') }],
    ['APP_IMAGE=ghcr.io/x/app:2', { name: 'APP_IMAGE', newName: 'ghcr.io/x/app', tag: '2' }],
    ['reg:5000/app=:2', { name: 'reg:5000/app', tag: '2' }],
    ['reg:5000/app:2', { name: 'reg:5000/app', tag: '2' }],
    ['app=app:3', { name: 'app', tag: '3' }],
  ])('%s', (text, change) => {
    expect(parseImageFlag(text)).toEqual(change);
  });

  test.each(['podinfo', 'podinfo=', '=x:1', 'app:1=:2', 'a b=:1', 'app=:', 'app=X:1', 'app:1\nSluice-App: x'])(
    '%j is refused',
    (text) => {
      expect(faultOf(() => parseImageFlag(text)).code).toBe('image_reference');
    },
  );

  test('the position counts from the beginning of the flag', () => {
    expect(faultOf(() => parseImageFlag('app=ghcr.io/X:1')).message).toContain('character 13');
  });
});

test('whatever is read is written again, and nothing throws but a fault', () => {
  const parsed = (text: string): string => {
    try {
      return formatImage(parseImage(text));
    } catch (error) {
      return error instanceof Fault && error.code === 'image_reference' ? text : String(error);
    }
  };
  const unit = fc.constantFrom('a', 'A', '0', '.', ':', '/', '@', '-', '_', '[', ']', '\n', ' ');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 30 }), (text) => {
      const image = readImage(text);
      expect(image ? formatImage(image) : text).toBe(text);
      expect(parsed(text)).toBe(text);
    }),
  );
});

test.each(['ghcr.io/x/${APP}:1', 'x:{{ .Values.tag }}', '', 'hello world', 'x:${TAG}', `x:1@sha256:zz`])(
  '%j is no image of a manifest',
  (text) => {
    expect(readImage(text)).toBeNull();
  },
);

test('names in full, for near candidates', () => {
  expect(
    ['nginx', 'org/app', 'docker.io/nginx', 'index.docker.io/org/app', 'ghcr.io/a/b', 'localhost/a'].map(fullName),
  ).toEqual([
    'docker.io/library/nginx',
    'docker.io/org/app',
    'docker.io/library/nginx',
    'docker.io/org/app',
    'ghcr.io/a/b',
    'localhost/a',
  ]);
  expect(baseName('reg:5000/a/b')).toBe('b');
  expect(['reg:5000/a/b', 'ghcr.io/a', 'a/b', 'a'].map(withoutHost)).toEqual(['a/b', 'a', 'a/b', 'a']);
});
