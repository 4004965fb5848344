import { expect, test } from 'vitest';
import type { Observation, Verdict } from '../../src/watch/verdict.ts';
import { fastClock } from '../doubles/fast-clock.ts';
import { statusObject } from '../doubles/kubernetes.ts';
import { follow, kubernetes, verdictOf } from './follow-world.ts';
import { podinfo } from './look.ts';
import {
  conditions,
  deployment,
  former,
  formerCommit,
  helmRelease,
  kustomization,
  newer,
  newerCommit,
  ociRepository,
  ours,
} from './objects.ts';

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

test('a failure names the pod below it, and nothing is read for that before', async () => {
  kubernetes.put(ociRepository(ours));
  const status = {
    lastAttemptedRevision: `staging@${ours}`,
    conditions: conditions(['Ready', 'False', 'HealthCheckFailed', 'health check failed after 32s']),
  };
  kubernetes.put(kustomization(`staging@${former}`, { status }));
  kubernetes.put(deployment({ status: { readyReplicas: 0, availableReplicas: 0 } }));
  kubernetes.put({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'podinfo-7d9', namespace: 'shop', labels: { app: 'podinfo' } },
    status: {
      containerStatuses: [
        { state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "x"' } } },
      ],
    },
  });
  const { verdict } = await verdictOf(follow([podinfo]));
  expect(verdict?.message).toBe(
    'Kustomization flux-system/podinfo: HealthCheckFailed: health check failed after 32s (Deployment shop/podinfo: pod podinfo-7d9: ImagePullBackOff: Back-off pulling image "x")',
  );
});

test('while applied objects are not healthy the reason of their pods is shown', async () => {
  kubernetes.put(ociRepository(ours));
  kubernetes.put(kustomization(`staging@${ours}`, { spec: { wait: false } }));
  kubernetes.put(deployment({ status: { readyReplicas: 0, availableReplicas: 0 } }));
  kubernetes.put({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'podinfo-7d9', namespace: 'shop', labels: { app: 'podinfo' } },
    status: { containerStatuses: [{ state: { waiting: { reason: 'ErrImagePull', message: 'nope' } } }] },
  });
  const seen: Observation[] = [];
  for await (const observation of follow([podinfo])) {
    seen.push(observation);
    if (observation.message.includes('ErrImagePull')) kubernetes.put(deployment());
  }
  expect(seen.at(-1)?.verdict?.verdict).toBe('synced');
  expect(seen.at(-2)?.message).toContain('(Deployment shop/podinfo: pod podinfo-7d9: ErrImagePull: nope)');
});

test('a source that keeps its old revision is asked again, with growing pauses, until ours shows', async () => {
  kubernetes.put(ociRepository(former, { commit: formerCommit }));
  kubernetes.put(kustomization(`staging@${former}`));
  const clock = fastClock(50);
  const times: number[] = [];
  const { verdict } = await verdictOf(
    follow([podinfo], {
      clock,
      ask: async () => {
        times.push(clock.now());
        if (times.length < 4) throw new Error('not this time');
        kubernetes.put(ociRepository(ours));
        kubernetes.put(kustomization(`staging@${ours}`));
      },
    }),
  );
  expect(verdict?.verdict).toBe('synced');
  expect(times).toHaveLength(4);
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  expect(gaps[0]).toBeGreaterThanOrEqual(1_500);
  expect(gaps[2]).toBeGreaterThanOrEqual(7_500);
});

test('a lineage that cannot be told at first is asked again', async () => {
  kubernetes.put(ociRepository(newer, { commit: newerCommit }));
  kubernetes.put(kustomization(`staging@${newer}`));
  let questions = 0;
  const { verdict } = await verdictOf(
    follow([podinfo], {
      contains: async () => {
        questions += 1;
        if (questions === 1) throw new Error('not fetched yet');
        return true;
      },
      stillHolds: async () => true,
    }),
  );
  expect(verdict?.verdict).toBe('synced');
  expect(questions).toBe(2);
});

test('at the deadline the last known reason is told', async () => {
  kubernetes.put(ociRepository(ours));
  kubernetes.put(
    kustomization(`staging@${former}`, {
      spec: { dependsOn: [{ name: 'db' }] },
      status: {
        conditions: conditions(['Ready', 'False', 'DependencyNotReady', "dependency 'flux-system/db' is not ready"]),
      },
    }),
  );
  kubernetes.put(
    kustomization(undefined, {
      name: 'db',
      spec: { sourceRef: { kind: 'OCIRepository', name: 'db' } },
      status: { conditions: conditions(['Ready', 'False', 'BuildFailed', 'boom']) },
    }),
  );
  const clock = fastClock(50);
  const { verdict } = await verdictOf(follow([podinfo], { clock, deadline: clock.now() + 10_000 }));
  expect(verdict).toMatchObject({
    verdict: 'timed-out',
    reason: 'DependencyNotReady',
    message: expect.stringContaining('(Kustomization flux-system/db: BuildFailed: boom)'),
  });
});

test('an abort ends it with its reason, and nothing is left open', async () => {
  kubernetes.put(ociRepository(former, { commit: formerCommit }));
  const abort = new AbortController();
  const reading = (async () => {
    for await (const observation of follow([podinfo], { signal: abort.signal }))
      if (observation.phase === 'waiting') abort.abort(new Error('canceled'));
  })();
  await expect(reading).rejects.toThrow('canceled');
  expect(await kubernetes.watching()).toBe(0);
});

test('where only one namespace may be read that is enough', async () => {
  kubernetes.interfere(({ path }) =>
    path.includes('/namespaces/') ? undefined : { status: 403, body: JSON.stringify(statusObject(403, 'forbidden')) },
  );
  kubernetes.put(ociRepository(ours));
  kubernetes.put(kustomization(`staging@${ours}`));
  expect((await verdictOf(follow([podinfo]))).verdict?.verdict).toBe('synced');
});

test('a release that takes values from what was applied is asked to reconcile', async () => {
  const values = { spec: { valuesFrom: [{ kind: 'ConfigMap', name: 'values' }] } };
  kubernetes.put(ociRepository(ours));
  kubernetes.put(
    kustomization(`staging@${ours}`, {
      status: {
        inventory: {
          entries: [
            { id: 'flux-system_tiny_helm.toolkit.fluxcd.io_HelmRelease', v: 'v2' },
            { id: 'flux-system_values__ConfigMap', v: 'v1' },
          ],
        },
      },
    }),
  );
  kubernetes.put(helmRelease('1.2.0', values));
  kubernetes.interfere((request) => {
    if (request.method === 'PATCH') {
      const token = (JSON.parse(request.body) as { metadata: { annotations: Record<string, string> } }).metadata
        .annotations['reconcile.fluxcd.io/requestedAt'];
      setImmediate(() =>
        kubernetes.put(helmRelease('1.2.0', { ...values, status: { lastHandledReconcileAt: token } })),
      );
    }
    return undefined;
  });
  expect((await verdictOf(follow([podinfo]))).verdict?.verdict).toBe('synced');
  expect(kubernetes.requests.filter(({ method }) => method === 'PATCH').map(({ path }) => path.split('?')[0])).toEqual([
    '/apis/helm.toolkit.fluxcd.io/v2/namespaces/flux-system/helmreleases/tiny',
  ]);
});
