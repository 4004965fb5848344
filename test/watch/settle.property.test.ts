import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { settle } from '../../src/watch/settle.ts';
import { defaultPatience, noProgress } from '../../src/watch/patience.ts';
import { createView } from '../../src/watch/view.ts';
import type { StoredObject } from '../doubles/kubernetes.ts';
import { lookAt, podinfo } from './look.ts';
import {
  conditions,
  former,
  formerCommit,
  kustomization,
  ociRepository,
  ours,
  type ConditionWords,
} from './objects.ts';
import { at } from './runs.ts';

const old = `Applied revision: ${at(former)}`;
const progress = (text: string): ConditionWords => ['Reconciling', 'True', 'Progressing', text];
const running: ConditionWords = ['Ready', 'Unknown', 'Progressing', 'Reconciliation in progress'];
const wasHealthy: ConditionWords = ['Healthy', 'True', 'Succeeded', 'Health check passed'];

function state(attempted: string, applied: string, words: readonly ConditionWords[], more: object = {}): StoredObject {
  return kustomization(at(applied), {
    status: { lastAttemptedRevision: at(attempted), conditions: conditions(...words), ...more },
  });
}

/** The writes of a good run in the order in which a watch of the real controller saw them. */
const goodRun = [
  state(former, former, [['Ready', 'True', 'ReconciliationSucceeded', old], wasHealthy]),
  state(former, former, [progress('Fetching manifests'), running, wasHealthy]),
  state(former, former, [progress('Building manifests'), running, wasHealthy]),
  state(ours, former, [progress('Building manifests'), running, wasHealthy]),
  state(ours, former, [progress('Detecting drift'), running, wasHealthy]),
  state(ours, former, [progress('Running health checks'), running, ['Healthy', 'Unknown', 'Progressing', '']]),
  state(ours, former, [progress('Running health checks'), running, wasHealthy]),
  state(ours, former, [['Ready', 'True', 'ReconciliationSucceeded', 'Applied revision'], wasHealthy]),
  state(ours, ours, [['Ready', 'True', 'ReconciliationSucceeded', 'Applied revision'], wasHealthy]),
] as const;

/** A run whose build fails, after a former revision that failed its health check. */
const badRun = [
  state(former, former, [
    progress('x'),
    ['Ready', 'False', 'HealthCheckFailed', 'old news'],
    ['Healthy', 'False', 'HealthCheckFailed', 'old news'],
  ]),
  state(former, former, [
    progress('Fetching manifests'),
    running,
    ['Healthy', 'False', 'HealthCheckFailed', 'old news'],
  ]),
  state(ours, former, [progress('Building manifests'), running, ['Healthy', 'False', 'HealthCheckFailed', 'old news']]),
  state(ours, former, [
    ['Reconciling', 'True', 'ProgressingWithRetry', ''],
    ['Ready', 'False', 'BuildFailed', 'new'],
  ]),
] as const;

const before = ociRepository(former, { commit: formerCommit });
const after = ociRepository(ours);

/** Any subsequence of a run (a poll misses some), each state seen once or more, the last for sure. */
const seenOf = (run: readonly StoredObject[]) =>
  fc
    .tuple(
      fc.subarray(run.slice(0, -1)),
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: run.length, maxLength: run.length }),
    )
    .map(([some, times]) =>
      [...some, run.at(-1) as StoredObject].flatMap((one, index) =>
        Array.from({ length: times[index] ?? 1 }, () => one),
      ),
    );

describe('whatever of a run is seen, and when', () => {
  test('a good run is green at its last write and not before', () => {
    fc.assert(
      fc.property(seenOf(goodRun), fc.boolean(), (seen, late) => {
        const cluster = lookAt();
        cluster.relations.set(formerCommit, 'other');
        const early = late ? [cluster.look(before, seen[0] as StoredObject).verdict?.verdict ?? null] : [];
        const verdicts = seen.map((one) => {
          cluster.tick(700);
          return cluster.look(after, one).verdict?.verdict ?? null;
        });
        const expected = seen.map((one) => (one === goodRun.at(-1) ? 'synced' : null));
        expect([...early, ...verdicts]).toEqual([...early.map(() => null), ...expected]);
      }),
    );
  });

  test('a failure is red for the revision that it belongs to and not before', () => {
    fc.assert(
      fc.property(seenOf(badRun), (seen) => {
        const cluster = lookAt();
        for (const one of seen) {
          const { verdict } = cluster.look(after, one);
          expect(verdict?.reason ?? null).toBe(one === badRun.at(-1) ? 'BuildFailed' : null);
        }
      }),
    );
  });
});

const word = fc.constantFrom<'True' | 'False' | 'Unknown'>('True', 'False', 'Unknown');
const reason = fc.constantFrom(
  'ReconciliationSucceeded',
  'BuildFailed',
  'HealthCheckFailed',
  'Progressing',
  'DependencyNotReady',
  'ArtifactFailed',
  '',
);
const anyKustomization = fc.record({
  attempted: fc.constantFrom(ours, former),
  applied: fc.constantFrom(ours, former),
  ready: fc.tuple(word, reason),
  reconciling: fc.boolean(),
  generation: fc.integer({ min: 1, max: 2 }),
  observed: fc.integer({ min: 1, max: 2 }),
  suspend: fc.boolean(),
});

test('green needs every proof at once, in whatever state the object is', () => {
  fc.assert(
    fc.property(anyKustomization, fc.boolean(), (one, fetched) => {
      const object = kustomization(at(one.applied), {
        generation: one.generation,
        spec: { suspend: one.suspend },
        status: {
          lastAttemptedRevision: at(one.attempted),
          observedGeneration: one.observed,
          conditions: conditions(
            ['Ready', ...one.ready],
            ['Reconciling', one.reconciling ? 'True' : 'False', 'Progressing'],
          ),
        },
      });
      const { verdict } = lookAt().look(fetched ? after : before, object);
      const proven =
        fetched &&
        !one.suspend &&
        !one.reconciling &&
        one.ready[0] === 'True' &&
        one.applied === ours &&
        one.attempted === ours &&
        one.observed === one.generation;
      expect(verdict?.verdict === 'synced').toBe(proven);
      expect(verdict?.verdict === 'failed' && one.attempted !== ours).toBe(false);
    }),
  );
});

test('unknown data is never an error', () => {
  fc.assert(
    fc.property(fc.object(), fc.object(), (spec, status) => {
      const view = createView();
      const raw = { metadata: { name: 'podinfo', namespace: 'flux-system' }, spec, status } as never;
      for (const kind of [
        'OCIRepository',
        'Kustomization',
        'HelmRelease',
        'HelmChart',
        'Deployment',
        'StatefulSet',
        'Job',
        'Pod',
      ] as const)
        view.replace(kind, null, [raw], 1);
      const settled = settle({
        view,
        followed: podinfo,
        progress: noProgress,
        relations: new Map(),
        asked: new Map(),
        touched: new Map(),
        now: 2,
        patience: defaultPatience,
      });
      expect(settled.verdict?.verdict ?? null).not.toBe('synced');
    }),
  );
});
