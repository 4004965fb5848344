import { expect, test } from 'vitest';
import { Fault, faultRecord, faults, worstExit, type ExitCode } from '../src/fault.ts';
import { commitOfRevision, digestOfRevision, formatRevision } from '../src/revision.ts';

test('every code has an exit code, a title and a hint', () => {
  for (const [code, { exit, title, hint }] of Object.entries(faults)) {
    expect([2, 3, 4, 5, 6, 7, 130, 143], code).toContain(exit);
    expect(title.length, code).toBeGreaterThan(7);
    expect(hint.length, code).toBeGreaterThan(10);
  }
});

test.each<[ExitCode[], ExitCode]>([
  [[], 0],
  [[0, 2, 3], 3],
  [[2, 3, 5, 4], 4],
  [[4, 6], 6],
  [[6, 7, 1], 1],
  [[0, 143, 7], 143],
])('of %j the worst is %i', (exits, worst) => {
  expect(worstExit(exits)).toBe(worst);
});

test('a fault says where, what and what to do', () => {
  const fault = new Fault('target_missing', 'no image web', { place: { file: 'a.yaml', line: 3, column: 7 } });
  expect(faultRecord(fault)).toEqual({
    code: 'target_missing',
    message: 'a.yaml:3:7: no image web',
    hint: faults.target_missing.hint,
    docs: 'docs/errors.md#target_missing',
  });
});

test('revisions', () => {
  const sha = 'a'.repeat(40);
  expect(formatRevision('main', sha)).toBe(`main@sha1:${sha}`);
  expect(commitOfRevision(`feature/x@sha1:${sha}`)).toBe(sha);
  expect(commitOfRevision('main@sha1:abc')).toBeUndefined();
  expect(digestOfRevision(`staging@sha256:${'b'.repeat(64)}`)).toBe(`sha256:${'b'.repeat(64)}`);
  expect(digestOfRevision(`staging@sha1:${sha}`)).toBeUndefined();
});
