import { array, assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { isStatusOf, statusName } from '../../src/status/name.ts';
import { fitDescription, fitUrl, jobOfUrl } from '../../src/status/text.ts';

test('a description is one line of at most 255 code points and never half a character', () => {
  assert(
    property(array(integer({ min: 0, max: 0xffff }), { maxLength: 600, size: 'max' }), (units) => {
      const text = String.fromCharCode(...units);
      const fitted = fitDescription(text);
      expect(Array.from(fitted).length).toBeLessThanOrEqual(255);
      expect(fitted.isWellFormed()).toBe(true);
      expect(fitted).not.toMatch(/[\n\r\t\0]/);
      expect(fitDescription(fitted)).toBe(fitted);
    }),
    { numRuns: 50 },
  );
});

test('what fits stays, what does not loses its middle', () => {
  const full = '🚀'.repeat(255);
  expect(fitDescription(full)).toBe(full);
  expect(fitDescription(`${full}🚀`)).toBe(`${'🚀'.repeat(110)} … ${'🚀'.repeat(142)}`);
  const cause = fitDescription(`failed: Kustomization podinfo: ${'and so on '.repeat(40)}(pod x: ImagePullBackOff)`);
  expect(cause).toMatch(/^failed: Kustomization podinfo: (and |so |on )+… (and |so |on )+\(pod x: ImagePullBackOff\)$/);
  expect(fitDescription('  two\n lines ')).toBe('two lines');
});

test('no word is cut, unless it is longer than what it stands in', () => {
  const words = array(integer({ min: 1, max: 30 }), { minLength: 120, maxLength: 200 });
  assert(
    property(words, (lengths) => {
      const text = lengths.map((length, index) => `${index}${'ä'.repeat(length - 1)}`).join(' ');
      const [head = '', tail = ''] = fitDescription(text).split(' … ');
      expect(text.startsWith(`${head} `)).toBe(true);
      expect(text.endsWith(` ${tail}`)).toBe(true);
      expect(Array.from(`${head}${tail}`).length).toBeGreaterThan(170);
    }),
    { numRuns: 50 },
  );
  const long = fitDescription(`failed: ${'x'.repeat(400)}`);
  expect(Array.from(long)).toHaveLength(255);
});

test('a URL is taken whole or not at all', () => {
  const base = 'https://gitlab.example.com/';
  expect(fitUrl(base + 'a'.repeat(255 - base.length))).not.toBeNull();
  expect(fitUrl(base + 'a'.repeat(256 - base.length))).toBeNull();
  expect([fitUrl(null), fitUrl('no url'), fitUrl('git://x/y')]).toEqual([null, null, null]);
});

test('the job behind a target URL', () => {
  const url = 'https://gitlab.example.com/git/platform/delivery/-/jobs/42';
  expect(jobOfUrl('https://gitlab.example.com/git', url)).toEqual({ project: 'platform/delivery', id: 42 });
  expect(jobOfUrl('https://gitlab.example.com/git/', `${url}/`)?.id).toBe(42);
  expect(jobOfUrl('https://gitlab.example.com.evil', url)).toBeNull();
  expect(jobOfUrl('https://gitlab.example.com', 'https://gitlab.example.com.evil/a/-/jobs/1')).toBeNull();
  expect(jobOfUrl('https://gitlab.example.com', 'https://gitlab.example.com/a/-/pipelines/1')).toBeNull();
  expect(jobOfUrl('https://gitlab.example.com', null)).toBeNull();
});

test('names belong to their environment only', () => {
  expect(statusName('staging', 'podinfo')).toBe('sync: staging/podinfo');
  expect(statusName('staging', 'podinfo', 'eu')).toBe('sync: staging/podinfo/eu');
  expect(isStatusOf('staging', 'sync: staging/podinfo/eu')).toBe(true);
  expect(isStatusOf('staging', 'sync: staging')).toBe(true);
  expect(isStatusOf('staging', 'sync: staging-2/podinfo')).toBe(false);
  expect(isStatusOf('staging', 'build')).toBe(false);
});
