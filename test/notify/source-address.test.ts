import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseSources, fitOf, normalizeUrl, referenceOf } from '../../src/notify/source-address.ts';
import { gitRepository, ociRepository, ours } from '../watch/objects.ts';

const oci = {
  source: 'oci' as const,
  urls: ['registry.example.com/shop/delivery/podinfo'],
  reference: 'staging',
  namespace: 'flux-system',
  objects: [] as readonly string[],
};

describe('one spelling for every way to write an address', () => {
  test.each([
    ['https://gitlab.example.com/shop/delivery.git', 'gitlab.example.com/shop/delivery'],
    ['https://oauth2:secret@gitlab.example.com/shop/delivery/', 'gitlab.example.com/shop/delivery'],
    ['https://GitLab.Example.com:443/shop/delivery', 'gitlab.example.com/shop/delivery'],
    ['http://gitlab.example.com:80/shop/delivery', 'gitlab.example.com/shop/delivery'],
    ['https://gitlab.example.com:8443/shop/delivery', 'gitlab.example.com:8443/shop/delivery'],
    ['git@gitlab.example.com:shop/delivery.git', 'gitlab.example.com/shop/delivery'],
    ['ssh://git@gitlab.example.com:2222/shop/delivery.git', 'gitlab.example.com/shop/delivery'],
    ['oci://registry.example.com/shop/delivery/podinfo', 'registry.example.com/shop/delivery/podinfo'],
    ['oci://127.0.0.1:5000/team/app', '127.0.0.1:5000/team/app'],
    ['127.0.0.1:5000/team/app', '127.0.0.1:5000/team/app'],
    ['localhost:5000/team/app', 'localhost:5000/team/app'],
    ['registry.example.com:443/team/app', 'registry.example.com/team/app'],
    ['http://127.0.0.1:3000/gitlab//shop/delivery.git', '127.0.0.1:3000/gitlab/shop/delivery'],
  ])('%s', (url, expected) => {
    expect(normalizeUrl(url)).toBe(expected);
  });

  test('is the same when it is done again', () => {
    const part = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
    fc.assert(
      fc.property(
        part,
        fc.array(part, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('', ':5000', ':443', ':80'),
        (host, path, port) => {
          const once = normalizeUrl(`https://${host}${port}/${path.join('/')}.git`);
          expect(normalizeUrl(once)).toBe(once);
          expect(normalizeUrl(`https://user:pass@${host}${port}/${path.join('/')}/`)).toBe(once);
        },
      ),
    );
  });
});

describe('what a source follows', () => {
  test.each([
    [{ tag: 'staging' }, { by: 'tag', name: 'staging' }],
    [undefined, { by: 'tag', name: 'latest' }],
    [
      { semver: '1.x', tag: 'staging' },
      { by: 'other', name: 'semver 1.x' },
    ],
    [
      { digest: ours, semver: '1.x' },
      { by: 'other', name: `digest ${ours}` },
    ],
  ])('an OCIRepository with %o', (ref, expected) => {
    expect(referenceOf(ociRepository(ours, { spec: { ref } }) as never)).toEqual(expected);
  });

  test.each([
    [{ branch: 'main' }, { by: 'branch', name: 'main' }],
    [undefined, { by: 'branch', name: 'master' }],
    [{ name: 'refs/heads/main' }, { by: 'branch', name: 'main' }],
    [{ name: 'refs/tags/v1' }, { by: 'other', name: 'name refs/tags/v1' }],
    [
      { branch: 'main', commit: 'abc' },
      { by: 'other', name: 'commit abc' },
    ],
    [
      { branch: 'main', tag: 'v1' },
      { by: 'other', name: 'tag v1' },
    ],
  ])('a GitRepository with %o', (ref, expected) => {
    expect(referenceOf(gitRepository('1'.repeat(40), { spec: { ref } }) as never)).toEqual(expected);
  });
});

describe('choice', () => {
  const source = (name: string, namespace: string, spec: object = {}) =>
    ociRepository(ours, { name, namespace, spec: spec as never }) as never;
  const names = (objects: readonly { readonly metadata: { readonly name: string } }[]) =>
    objects.map(({ metadata }) => metadata.name);

  test('by URL and tag, the own namespace first', () => {
    const all = [
      source('a', 'flux-system'),
      source('b', 'other'),
      source('c', 'flux-system', { url: 'oci://elsewhere/x' }),
      source('d', 'flux-system', { ref: { tag: 'production' } }),
    ];
    expect(names(chooseSources(all, oci))).toEqual(['a']);
    expect(names(chooseSources(all.slice(1), oci))).toEqual(['b']);
    expect(chooseSources(all.slice(2), oci)).toEqual([]);
  });

  test('by name, with the URL where one has it, and through a mirror else, but never with another tag', () => {
    const mirror = source('mirror', 'flux-system', { url: 'oci://mirror.example.com/podinfo' });
    expect(names(chooseSources([mirror], { ...oci, objects: ['mirror'] }))).toEqual(['mirror']);
    expect(names(chooseSources([mirror, source('a', 'flux-system')], { ...oci, objects: ['mirror', 'a'] }))).toEqual([
      'a',
    ]);
    const production = source('p', 'flux-system', { ref: { tag: 'production' } });
    expect(chooseSources([production], { ...oci, objects: ['p'] })).toEqual([]);
  });

  test('kinds are not mixed up', () => {
    expect(fitOf(gitRepository('1'.repeat(40), { spec: { url: oci.urls[0] } }) as never, oci)).toBe('other');
  });
});
