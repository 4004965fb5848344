import { describe, expect, test } from 'vitest';
import type { Cell } from '../../src/sync/progress.ts';
import { observe, reportOf, sumOf } from '../../src/sync/progress.ts';
import type { Followed, Observation, VerdictName } from '../../src/watch/verdict.ts';

const followed = {} as Followed;
const cell = (more: Partial<Cell> = {}): Cell => ({
  environment: 'staging',
  app: 'podinfo',
  artifact: 'podinfo',
  cluster: 'eu',
  begun: false,
  phase: 'waiting',
  message: 'Flux is asked',
  outcome: null,
  objects: [],
  reached: {},
  ...more,
});
const seen = (
  phase: Observation['phase'],
  message: string,
  at = 0,
  verdict: VerdictName | null = null,
): Observation => ({
  followed,
  at,
  phase,
  message,
  verdict: verdict === null ? null : { verdict, reason: 'R', message, objects: [] },
});

describe('one cell', () => {
  test('phases keep the time at which they were first seen, skipped ones included', () => {
    const after = [
      seen('waiting', 'w', 1),
      seen('applied', 'a', 5),
      seen('applied', 'b', 6),
      seen('healthy', 'h', 9),
    ].reduce(observe, cell());
    expect(after.reached).toEqual({ fetched: 5, applied: 5, healthy: 9 });
    expect(after.message).toBe('h');
  });

  test('a verdict is the last word', () => {
    const done = observe(cell(), seen('applied', 'broken', 1, 'failed'));
    expect(observe(done, seen('healthy', 'fine', 2, 'synced'))).toBe(done);
    expect(reportOf([done])).toEqual({ state: 'failed', description: 'failed: broken' });
  });

  test('pending, running, success', () => {
    expect(reportOf([cell()]).state).toBe('pending');
    expect(reportOf([cell({ begun: true })])).toEqual({ state: 'running', description: 'Flux is asked' });
    expect(reportOf([observe(cell(), seen('healthy', 'podinfo 6.5 runs', 1, 'synced'))])).toEqual({
      state: 'success',
      description: 'podinfo 6.5 runs',
    });
  });
});

describe('the sum', () => {
  const eu = cell({ cluster: 'eu', begun: true });
  const us = cell({ cluster: 'us', begun: true });
  test('stays open until all are done, unless one has certainly failed', () => {
    expect(sumOf([observe(eu, seen('healthy', 'ok', 1, 'synced')), us])).toBeNull();
    expect(sumOf([observe(eu, seen('applied', 'no', 1, 'timed-out')), us])).toBeNull();
    expect(sumOf([observe(eu, seen('applied', 'no', 1, 'failed')), us])?.outcome).toBe('failed');
    expect(
      sumOf([observe(eu, seen('healthy', 'ok', 1, 'synced')), observe(us, seen('healthy', 'ok', 1, 'synced'))])
        ?.outcome,
    ).toBe('synced');
  });

  test('names the cluster that spoils it, and how many are done', () => {
    const green = observe(eu, seen('healthy', 'ok', 1, 'synced'));
    expect(reportOf([green, us]).description).toBe('1 of 2 done; us: Flux is asked');
    expect(reportOf([green, observe(us, seen('applied', 'ImagePullBackOff', 1, 'failed'))])).toEqual({
      state: 'failed',
      description: 'failed: us: ImagePullBackOff',
    });
  });
});
