import { afterEach, beforeEach } from 'vitest';
import { connectCluster } from '../../src/systems/cluster-kubernetes.ts';
import { followCluster, type FollowOptions } from '../../src/watch/follow.ts';
import type { Followed, Observation, Verdict } from '../../src/watch/verdict.ts';
import { fastClock } from '../doubles/fast-clock.ts';
import { startKubernetes, type KubernetesDouble } from '../doubles/kubernetes.ts';

/** A Kubernetes API for each test. */
export let kubernetes: KubernetesDouble;
beforeEach(async () => {
  kubernetes = await startKubernetes();
});
afterEach(async () => {
  await kubernetes.stop();
});

/** Follows on a clock that runs twenty times as quickly. */
export function follow(followed: readonly Followed[], options: Partial<FollowOptions> = {}) {
  const clock = options.clock ?? fastClock(20);
  return followCluster({
    cluster: connectCluster({ name: 'staging-eu', context: 'team/agents:main', kubeconfig: kubernetes.kubeconfig }),
    followed,
    clock,
    signal: new AbortController().signal,
    deadline: clock.now() + 200_000,
    contains: async (own, theirs) => own === theirs,
    stillHolds: async () => false,
    ...options,
  });
}

/** The last verdict, and all that was seen. */
export async function verdictOf(
  observations: AsyncIterable<Observation>,
): Promise<{ verdict: Verdict | null; seen: Observation[] }> {
  const seen: Observation[] = [];
  for await (const observation of observations) seen.push(observation);
  return { verdict: seen.at(-1)?.verdict ?? null, seen };
}
