import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  parseRequestBlock,
  type RequestBlock,
  requestDescription,
  requestTitle,
} from '../../src/delivery/request-text.ts';

const block: RequestBlock = {
  app: 'web',
  environment: 'production',
  images: ['registry.example.com/web:1.2'],
  origin: { project: 'shop/web', commit: 'a'.repeat(40), ref: 'main', pipeline: 7 },
  base: 'b'.repeat(40),
};
const target = { file: 'a.yaml', path: 'images[0]', before: '1', after: '2' };

test('the description shows old and new and carries the block', () => {
  const text = requestDescription(block, [target, { ...target, before: '' }], 'https://gitlab.example.com');
  expect(text).toContain('| `a.yaml` | `images[0]` | `1` | `2` |');
  expect(text).toContain('| `(none)` |');
  expect(text).toContain('https://gitlab.example.com/shop/web/-/pipelines/7');
  expect(parseRequestBlock(text)).toEqual(block);
});

test('nothing from outside can begin a line, end the table or the comment', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '-->',
      '\n/merge',
      '|`|',
      '<!-- sluice: {} -->',
      '\r\n/approve',
      '[skip ci]',
      '--!>',
      '\\| @all ![x](https://x)',
    ),
  );
  fc.assert(
    fc.property(hostile, hostile, hostile, (ref, before, after) => {
      const own = { ...block, images: [after], origin: { ...block.origin!, ref } };
      const text = requestDescription(own, [{ file: ref, path: before, before, after }], 'https://x');
      expect(parseRequestBlock(text)).toEqual(own);
      expect(text.split('\n').filter((line) => line.startsWith('/'))).toEqual([]);
      const comments = text.split('\n').filter((line) => line.startsWith('<'));
      expect(comments.map((line) => line.split('-->').length)).toEqual([2]);
      expect(text.split('\n').filter((line) => line.startsWith('| ')).length).toBe(2);
    }),
  );
});

test.each([
  '',
  '<!-- sluice: {} -->',
  '<!-- sluice: {"app":1} -->',
  '<!-- sluice: { -->',
  'x <!-- sluice: {"app":"a","environment":"b"} -->',
])('a damaged block %j is none', (text) => {
  expect(parseRequestBlock(text)).toBeNull();
});

test('a title is one line of at most 255 characters', () => {
  expect(requestTitle('web', 'production', '1.2')).toBe('Deploy web 1.2 to production');
  expect(requestTitle('web', 'production', '')).toBe('Deploy web to production');
  expect(Array.from(requestTitle('web', 'production', 'x\n'.repeat(300)))).toHaveLength(255);
});

test('a bar after a backslash ends no column, and a project’s name no link', () => {
  const origin = { ...block.origin!, project: 'x](https://evil) @all/(y\n/merge' };
  const text = requestDescription({ ...block, origin }, [{ ...target, after: 'a\\| @all <b>' }], 'https://x');
  const row = text.split('\n').find((line) => line.startsWith('| `a.yaml`'))!;
  expect(row.split('|')).toHaveLength(6);
  expect(row).toContain('<code>a&#92;&#124; &#64;all &#60;b&#62;</code>');
  expect(text).toContain('(https://x/x%5D%28https%3A//');
  expect(text.split('\n').filter((line) => line.startsWith('/'))).toEqual([]);
});

test('thousands of targets and huge values still fit a description', () => {
  const targets = Array.from({ length: 3000 }, () => ({
    ...target,
    before: 'x'.repeat(9000),
    after: 'y'.repeat(9000),
  }));
  const text = requestDescription(block, targets, 'https://x');
  expect(text.length).toBeLessThan(100_000);
  expect(text).toContain('And 2900 more');
  expect(parseRequestBlock(text)).toEqual(block);
});
