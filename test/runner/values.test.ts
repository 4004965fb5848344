import { describe, expect, test } from 'vitest';
import type { Flag } from '../../runner/command.ts';
import { resolveValues } from '../../runner/settings/values.ts';
import { Fault } from '../../src/fault.ts';

const flags: readonly Flag[] = [
  { name: 'commit', type: 'string', summary: '', gitlab: 'CI_COMMIT_SHA', default: 'HEAD' },
  { name: 'image', type: 'list', summary: '' },
  { name: 'dry-run', type: 'boolean', summary: '' },
  { name: 'timeout', type: 'duration', summary: '' },
  { name: 'mode', type: 'string', summary: '', choices: ['push', 'merge-request'] },
];

describe('precedence', () => {
  test.each([
    [{ commit: 'flag' }, { SLUICE_COMMIT: 'variable', CI_COMMIT_SHA: 'gitlab' }, 'flag', true],
    [{}, { SLUICE_COMMIT: 'variable', CI_COMMIT_SHA: 'gitlab' }, 'variable', true],
    [{}, { SLUICE_COMMIT: '', CI_COMMIT_SHA: 'gitlab' }, 'gitlab', false],
    [{}, {}, 'HEAD', false],
  ])('%j over %j gives %s', (given, env, wanted, isGiven) => {
    const values = resolveValues(flags, given, [], env);
    expect(values.string('commit')).toBe(wanted);
    expect(values.given('commit')).toBe(isGiven);
  });

  test('a list in a variable has one value a line', () => {
    expect(resolveValues(flags, {}, [], { SLUICE_IMAGE: 'a:1\n\n  b:2 \n' }).list('image')).toEqual(['a:1', 'b:2']);
    expect(resolveValues(flags, { image: ['c'] }, [], { SLUICE_IMAGE: 'a' }).list('image')).toEqual(['c']);
  });

  test.each([
    ['true', true],
    ['1', true],
    ['no', false],
    ['', false],
  ])('SLUICE_DRY_RUN=%s', (text, wanted) => {
    expect(resolveValues(flags, {}, [], { SLUICE_DRY_RUN: text }).boolean('dry-run')).toBe(wanted);
  });

  test('durations are milliseconds', () => {
    expect(resolveValues(flags, { timeout: '1h30m' }, [], {}).duration('timeout')).toBe(5_400_000);
  });
});

test('all wrong values are named at once, with where they came from', () => {
  const act = () => resolveValues(flags, { mode: 'pull' }, [], { SLUICE_TIMEOUT: 'soon', SLUICE_DRY_RUN: 'perhaps' });
  expect(act).toThrow(Fault);
  expect(act).toThrow(/--mode: "pull"/);
  expect(act).toThrow(/SLUICE_TIMEOUT: "soon"/);
  expect(act).toThrow(/SLUICE_DRY_RUN: "perhaps"/);
});

test('a missing required value names flag and variables', () => {
  const values = resolveValues([{ name: 'app', type: 'string', summary: '', gitlab: 'CI_PROJECT_NAME' }], {}, [], {});
  expect(() => values.required('app')).toThrow(
    expect.objectContaining({ code: 'usage', hint: expect.stringContaining('SLUICE_APP') }),
  );
});
