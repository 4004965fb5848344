import { expect, test } from 'vitest';
import { systemClock } from '../../src/systems/clock-system.ts';
import { followStatuses } from '../../src/watch/statuses.ts';
import type { Observation } from '../../src/watch/verdict.ts';
import { gitlabWorld } from '../status/world.ts';
import type { GitLabWorld } from '../status/world.ts';
import { podinfo } from './look.ts';

const provider = (world: GitLabWorld, object: string, state: 'success' | 'failed') =>
  world.gitlab.postStatus({
    project: 'team/delivery',
    sha: world.commit,
    pipelineId: null,
    ref: 'main',
    name: `kustomization/${object}/0c9c2e41`,
    state,
    description: state === 'success' ? 'reconciliation succeeded' : 'health check failed',
    targetUrl: null,
  });

async function follow(world: GitLabWorld, seen: (observation: Observation) => unknown = () => undefined, ms = 20_000) {
  const clock = systemClock();
  let last: Observation | undefined;
  for await (const observation of followStatuses({
    gitlab: world.gitlab,
    project: 'team/delivery',
    followed: [{ ...podinfo, commit: world.commit }],
    clock,
    signal: new AbortController().signal,
    deadline: clock.now() + ms,
    pace: { look: 50, stand: 400 },
  })) {
    last = observation;
    await seen(observation);
  }
  return last?.verdict;
}

test('a success that stands is taken, and said to be weaker', async () => {
  await using world = await gitlabWorld();
  await provider(world, 'podinfo', 'success');
  expect(await follow(world)).toMatchObject({
    verdict: 'synced',
    message: expect.stringContaining('kustomization/podinfo/0c9c2e41: reconciliation succeeded (weaker'),
  });
});

test('green before red is red', async () => {
  await using world = await gitlabWorld();
  await provider(world, 'podinfo', 'success');
  const verdict = await follow(world, async ({ phase }) => {
    if (phase === 'applied') await provider(world, 'podinfo', 'failed');
  });
  expect(verdict).toMatchObject({ verdict: 'failed', message: expect.stringContaining('health check failed') });
});

test('nothing posted, or of other objects and our own statuses alone, is never green', async () => {
  await using world = await gitlabWorld();
  await provider(world, 'other', 'success');
  expect(await follow(world, undefined, 600)).toMatchObject({
    verdict: 'timed-out',
    message: expect.stringContaining('has posted nothing yet for podinfo'),
  });
});
