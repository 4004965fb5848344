import { expect, test } from 'vitest';
import { explainMissing } from '../../runner/settings/missing.ts';
import { Fault } from '../../src/fault.ts';

const missing = new Fault('token_missing', 'SLUICE_GITLAB_TOKEN is not set', { hint: 'Set it.' });
const hintOf = (job: Parameters<typeof explainMissing>[1]) => (explainMissing(missing, job) as Fault).hint;

test('a token that is missing outside of protected branches: the hint says what GitLab keeps back there', () => {
  for (const job of [
    { protectedRef: false, mergeRequestIid: undefined },
    { protectedRef: undefined, mergeRequestIid: 7 },
  ])
    expect(hintOf(job)).toMatch(/^Set it\. .*protected variables do not reach it, and one of a fork/);
});

test('on a protected branch, outside a job, and for other errors nothing is added', () => {
  expect(hintOf({ protectedRef: true, mergeRequestIid: undefined })).toBe('Set it.');
  expect(hintOf({ protectedRef: undefined, mergeRequestIid: undefined })).toBe('Set it.');
  const other = new Error('other');
  expect(explainMissing(other, { protectedRef: false, mergeRequestIid: undefined })).toBe(other);
});
