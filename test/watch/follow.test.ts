import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectCluster } from '../../src/systems/cluster-kubernetes.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { followCluster, type FollowOptions } from '../../src/watch/follow.ts';
import type { Followed, Observation, Verdict } from '../../src/watch/verdict.ts';
import { startKubernetes, type KubernetesDouble } from '../doubles/kubernetes.ts';
import {
  conditions,
  deployment,
  former,
  formerCommit,
  kustomization,
  ociRepository,
  ourCommit,
  ours,
} from './objects.ts';

let kubernetes: KubernetesDouble;
beforeEach(async () => {
  kubernetes = await startKubernetes();
});
afterEach(async () => {
  await kubernetes.stop();
});

const podinfo: Followed = {
  cluster: 'staging-eu',
  environment: 'staging',
  app: 'podinfo',
  artifact: 'podinfo',
  source: 'oci',
  urls: ['registry.example.com/shop/delivery/podinfo'],
  reference: 'staging',
  wanted: ours,
  commit: ourCommit,
  namespace: 'flux-system',
  objects: [],
  roots: ['apps/podinfo/staging'],
  health: 'workloads',
};

function follow(followed: readonly Followed[], options: Partial<FollowOptions> = {}) {
  const clock = systemClock();
  return followCluster({
    cluster: connectCluster({ name: 'staging-eu', context: 'team/agents:main', kubeconfig: kubernetes.kubeconfig }),
    followed,
    clock,
    signal: new AbortController().signal,
    deadline: clock.now() + 20_000,
    contains: async (own, theirs) => own === theirs,
    stillHolds: async () => false,
    ...options,
  });
}

async function verdictOf(
  observations: AsyncIterable<Observation>,
): Promise<{ verdict: Verdict | null; seen: Observation[] }> {
  const seen: Observation[] = [];
  for await (const observation of observations) seen.push(observation);
  return { verdict: seen.at(-1)?.verdict ?? null, seen };
}

test('a new digest is followed from the source over the Kustomization to green', async () => {
  kubernetes.put(ociRepository(former, { commit: formerCommit }));
  kubernetes.put(kustomization(`staging@${former}`));
  const asked: string[] = [];
  const { verdict, seen } = await verdictOf(
    follow([podinfo], {
      ask: async (_followed, source) => {
        asked.push(source.name);
        kubernetes.put(ociRepository(ours));
        kubernetes.put(kustomization(`staging@${ours}`));
      },
    }),
  );
  expect(verdict?.verdict).toBe('synced');
  expect(asked).toEqual(['podinfo']);
  expect(seen[0]?.phase).toBe('waiting');
});

test('without wait the workloads are judged, from a list begun after the apply was seen', async () => {
  kubernetes.put(ociRepository(ours));
  kubernetes.put(kustomization(`staging@${ours}`, { spec: { wait: false } }));
  kubernetes.put(deployment({ status: { readyReplicas: 1 } }));
  const observations = follow([podinfo]);
  const first: Observation[] = [];
  let verdict: Verdict | null = null;
  for await (const observation of observations) {
    first.push(observation);
    if (observation.message.includes('1 of 2 replicas ready')) kubernetes.put(deployment());
    verdict = observation.verdict;
  }
  expect(verdict?.verdict).toBe('synced');
  expect(first.some((one) => one.phase === 'applied')).toBe(true);
});

test('a failed build of our digest is final at once, with its text', async () => {
  kubernetes.put(ociRepository(ours));
  kubernetes.put(
    kustomization(`staging@${former}`, {
      status: {
        lastAttemptedRevision: `staging@${ours}`,
        conditions: conditions(
          ['Reconciling', 'True', 'ProgressingWithRetry', 'Building manifests for revision'],
          ['Ready', 'False', 'BuildFailed', 'kustomize build failed: accumulating resources'],
        ),
      },
    }),
  );
  const { verdict } = await verdictOf(follow([podinfo]));
  expect(verdict).toMatchObject({
    verdict: 'failed',
    reason: 'BuildFailed',
    message: 'Kustomization flux-system/podinfo: BuildFailed: kustomize build failed: accumulating resources',
  });
});
