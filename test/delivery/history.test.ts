import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Origin } from '../../src/app/change.ts';
import { backoff } from '../../src/delivery/backoff.ts';
import type { CommitClaim } from '../../src/delivery/commit.ts';
import { claimsOf, depthNeeded, judgeStanding, type KnownHistory, standingCommit } from '../../src/delivery/history.ts';
import { formatMessage } from '../../src/delivery/message.ts';

const origin = (pipeline: number | null, project = 'shop/web'): Origin => ({
  project,
  commit: 'a'.repeat(40),
  ref: 'main',
  pipeline,
});
const claim = (pipeline: number | null, more: Partial<CommitClaim> = {}): CommitClaim => ({
  commit: String(pipeline),
  apps: ['web'],
  environments: ['staging'],
  images: [],
  origin: pipeline === null ? null : origin(pipeline),
  ...more,
});
const judge = (claims: readonly CommitClaim[], own: number | null) =>
  judgeStanding(claims, 'web', 'staging', origin(own));

describe('what stands', () => {
  test('older and foreign pipelines do not stand in the way', () => {
    expect(judge([], 5)).toEqual({ standing: 'current' });
    expect(judge([claim(4), claim(3)], 5)).toEqual({ standing: 'current' });
    expect(judge([claim(9, { apps: ['api'] })], 5)).toEqual({ standing: 'current' });
    expect(judge([claim(9, { environments: ['production'] })], 5)).toEqual({ standing: 'current' });
    expect(judge([claim(9, { origin: origin(9, 'other/web') })], 5)).toEqual({ standing: 'current' });
    expect(judge([claim(null), claim(3)], 5)).toEqual({ standing: 'current' });
  });

  test('a newer pipeline wins, also under a commit by hand', () => {
    expect(judge([claim(6)], 5)).toEqual({ standing: 'superseded', by: claim(6), rerun: false });
    expect(judge([claim(null), claim(4), claim(6)], 5)).toMatchObject({ standing: 'superseded', rerun: false });
  });

  test('a commit of this pipeline below a newer one is a re-run', () => {
    expect(judge([claim(6), claim(5), claim(4)], 5)).toEqual({ standing: 'superseded', by: claim(6), rerun: true });
    expect(judge([claim(7), claim(6), claim(5)], 5)).toMatchObject({ by: claim(7), rerun: true });
  });

  test('a commit of this pipeline above a newer one was permitted', () => {
    expect(judge([claim(5), claim(6)], 5)).toEqual({ standing: 'current' });
  });

  test('without pipeline number nothing is older', () => {
    expect(judge([claim(6)], null)).toEqual({ standing: 'current' });
    expect(judgeStanding([claim(6)], 'web', 'staging', null)).toEqual({ standing: 'current' });
  });

  test('the standing commit is the newest with the pair, reverts included', () => {
    const deploy = {
      sha: 'b'.repeat(40),
      parents: [],
      committedAt: 1,
      message: formatMessage({
        environments: ['staging'],
        apps: [{ name: 'web', version: '1' }],
        images: [],
        targets: [],
        origin: null,
      }),
    };
    const revert = { ...deploy, sha: 'c'.repeat(40), message: `Revert "x"\n\nThis reverts commit ${deploy.sha}.\n` };
    const claims = claimsOf([{ ...deploy, sha: 'd'.repeat(40), message: 'typo' }, revert, deploy]);
    expect(claims.map((each) => each.commit)).toEqual([revert.sha, deploy.sha]);
    expect(standingCommit(claims, 'web', 'staging')?.commit).toBe(revert.sha);
    expect(standingCommit(claims, 'web', 'production')).toBeNull();
  });

  test('replaying pipelines in any order, the newest ends on top', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 1 }), (order) => {
        const claims: CommitClaim[] = [];
        for (const pipeline of order) {
          if (judge(claims, pipeline).standing === 'current') claims.unshift(claim(pipeline));
        }
        expect(claims[0]?.origin?.pipeline).toBe(Math.max(...order));
      }),
    );
  });
});

test('history is needed back to the pipeline’s creation less an hour', () => {
  const edge = (committedAt: number) => ({ parents: [], committedAt });
  const inner = { parents: ['x'], committedAt: 20_000 };
  const at = (...commits: KnownHistory['commits']) => ({ commits, since: undefined });
  expect(depthNeeded(null, at(edge(5)))).toBeNull();
  expect(depthNeeded(10_000_000, at(edge(10_000)))).toBe(6_400);
  expect(depthNeeded(10_000_000, at(inner, edge(6_399)))).toBe('enough');
  expect(depthNeeded(10_000_000, at(inner, edge(6_399), edge(6_400)))).toBe(6_400);
  const deepened = (since: number | null) => ({ commits: [inner, edge(9_000)], since });
  expect(depthNeeded(10_000_000, deepened(6_400))).toBe('enough');
  expect(depthNeeded(10_000_000, deepened(6_401))).toBe(6_400);
  expect(depthNeeded(10_000_000, deepened(null))).toBe('enough');
  expect(depthNeeded(null, deepened(6_400))).toBeNull();
  expect(depthNeeded(null, deepened(null))).toBe('enough');
});

test('the wait grows with losses, as far as others land, and has an end', () => {
  expect(backoff({ attempts: 1, landed: null, attemptMs: 200 }, 1)).toBe(600);
  expect(backoff({ attempts: 3, landed: 40, attemptMs: 200 }, 1)).toBe(2400);
  expect(backoff({ attempts: 3, landed: 1, attemptMs: 200 }, 1)).toBe(600);
  expect(backoff({ attempts: 9, landed: 40, attemptMs: 200 }, 0.5)).toBe(1600);
  expect(backoff({ attempts: 99, landed: 0, attemptMs: 20 }, 1)).toBe(50);
  expect(backoff({ attempts: 99, landed: 1000, attemptMs: 9000 }, 1)).toBe(60_000);
  expect(backoff({ attempts: 4, landed: 0, idle: 1, attemptMs: 200 }, 1)).toBe(200);
  expect(backoff({ attempts: 4, landed: 0, idle: 4, attemptMs: 200 }, 1)).toBe(1600);
  expect(backoff({ attempts: 99, landed: 0, idle: 99, attemptMs: 200 }, 1)).toBe(12_800);
  expect(backoff({ attempts: 5, landed: 3, attemptMs: 200 }, 0)).toBe(0);
});
