import { describe, expect, test } from 'vitest';
import { lookAt, podinfo } from './look.ts';
import { conditions, deployment, former, kustomization, ociRepository, ours } from './objects.ts';
import { at, source, nameOf } from './runs.ts';

describe('nothing will happen', () => {
  test.each([
    ['source', [ociRepository(former, { spec: { suspend: true } }), kustomization(at(former))]],
    ['Kustomization', [ociRepository(former), kustomization(at(former), { spec: { suspend: true } })]],
  ] as const)('trap 15: a suspended %s is said at once', (_what, objects) => {
    expect(nameOf(lookAt().look(...objects))).toBe('suspended');
  });

  test('trap 9, 15: a suspended Kustomization that handled our request looks green and is not', () => {
    const looksGreen = kustomization(at(former), {
      spec: { suspend: true },
      status: { lastHandledReconcileAt: 'our token' },
    });
    expect(nameOf(lookAt().look(source(), looksGreen))).toBe('suspended');
  });

  test('trap 16: nothing refers to the source', () => {
    const cluster = lookAt();
    expect(nameOf(cluster.look(source()))).toBeNull();
    expect(cluster.pass(16_000).verdict).toMatchObject({
      verdict: 'unconsumed',
      message: 'no Kustomization or HelmRelease uses OCIRepository flux-system/podinfo',
    });
  });

  test('trap 16: a consumer that appears in time is followed', () => {
    const cluster = lookAt();
    cluster.look(source());
    cluster.pass(10_000);
    expect(nameOf(cluster.look(source(), kustomization(at(ours))))).toBe('synced');
  });

  test.each([
    [{ semver: '>=1.0.0' }, 'semver >=1.0.0'],
    [{ digest: former }, `digest ${former}`],
    [{ tag: 'production' }, 'tag production'],
  ])('an artifact that is followed by %o only is unconsumed, and that is said', (ref, text) => {
    const cluster = lookAt();
    cluster.look(ociRepository(former, { spec: { ref } }), kustomization(at(former)));
    const { verdict } = cluster.pass(16_000);
    expect(verdict?.verdict).toBe('unconsumed');
    expect(verdict?.message).toContain(`OCIRepository flux-system/podinfo follows ${text}`);
  });

  test('trap 31: a terminating object is red at once', () => {
    const leaving = kustomization(at(former), { metadata: { deletionTimestamp: '2026-11-22T10:00:00Z' } });
    expect(lookAt().look(source(), leaving).verdict).toMatchObject({ verdict: 'failed', reason: 'Deleting' });
  });

  test.each([
    ['Kustomization', [source()]],
    ['OCIRepository', [kustomization(at(former))]],
  ])('trap 31: a %s that is deleted while waiting is red, after the time to come back', (kind, left) => {
    const cluster = lookAt();
    cluster.look(source(), kustomization(at(former)));
    cluster.show(left);
    expect(nameOf(cluster.look(...left))).toBeNull();
    const { verdict } = cluster.pass(31_000);
    expect(verdict).toMatchObject({ verdict: 'failed', reason: 'Deleted' });
    expect(verdict?.message).toContain(kind);
  });
});

describe('health', () => {
  const applied = (more: object = {}) =>
    kustomization(at(ours), {
      spec: { wait: false },
      status: { conditions: conditions(['Ready', 'True', 'ReconciliationSucceeded']) },
      ...more,
    });

  test('trap 14: without wait the workloads are judged', () => {
    const cluster = lookAt();
    const waiting = cluster.look(
      source(),
      applied(),
      deployment({ status: { availableReplicas: 0, readyReplicas: 0 } }),
    );
    expect(waiting.verdict).toBeNull();
    expect(waiting.phase).toBe('applied');
    expect(nameOf(cluster.look(source(), applied(), deployment()))).toBe('synced');
  });

  test('trap 14: the workloads of a list begun before the apply was seen do not count', () => {
    const cluster = lookAt();
    cluster.show([source(), kustomization(at(former), { spec: { wait: false } }), deployment()]);
    cluster.glance();
    cluster.tick(1_000);
    cluster.view.apply('Kustomization', { type: 'modified', object: applied() });
    const settled = cluster.glance();
    expect(settled.verdict).toBeNull();
    expect(settled.needs).toEqual([{ kind: 'Deployment', namespace: 'shop', after: cluster.now() }]);
  });

  test('trap 14: no right to read workloads is unknown, never green, unless applied is enough', () => {
    const strict = lookAt();
    strict.refuse('Deployment');
    const settled = strict.look(source(), applied());
    expect(settled.verdict).toMatchObject({ verdict: 'unknown', reason: 'Forbidden' });
    expect(settled.verdict?.message).toContain('no right to list deployments (apps) in namespace shop');
    const content = lookAt({ ...podinfo, health: 'applied' });
    content.refuse('Deployment');
    expect(nameOf(content.look(source(), applied()))).toBe('synced');
  });

  test('a rollout past its deadline is red', () => {
    const late = deployment({
      status: {
        conditions: conditions([
          'Progressing',
          'False',
          'ProgressDeadlineExceeded',
          'ReplicaSet has timed out progressing',
        ]),
      },
    });
    expect(lookAt().look(source(), applied(), late).verdict).toMatchObject({
      verdict: 'failed',
      reason: 'ProgressDeadlineExceeded',
    });
  });
});

describe('rights', () => {
  test.each([
    ['OCIRepository', 'no right to list ocirepositories (source.toolkit.fluxcd.io)'],
    ['Kustomization', 'no right to list kustomizations (kustomize.toolkit.fluxcd.io)'],
    ['HelmRelease', 'no right to list helmreleases (helm.toolkit.fluxcd.io)'],
  ] as const)('no right on %s is unknown and named', (kind, text) => {
    const cluster = lookAt();
    cluster.refuse(kind);
    cluster.look(source(), kustomization(at(ours)));
    const { verdict } = cluster.pass(20_000);
    expect(verdict?.verdict).toBe('unknown');
    expect(verdict?.message).toContain(text);
  });

  test('a cluster without Helm is no obstacle, one without Flux is said', () => {
    const plain = lookAt();
    plain.refuse('HelmRelease', 'missing');
    expect(nameOf(plain.look(source(), kustomization(at(ours))))).toBe('synced');
    const bare = lookAt();
    bare.refuse('OCIRepository', 'missing');
    bare.show([]);
    expect(bare.pass(16_000).verdict).toMatchObject({ verdict: 'unconsumed' });
  });

  test('trap 28: fields of newer Flux versions may be absent', () => {
    const {
      conditions: words,
      lastAppliedRevision,
      lastAttemptedRevision,
      observedGeneration,
    } = kustomization(at(ours))['status'] as Record<string, unknown>;
    const old = {
      ...kustomization(at(ours)),
      status: { conditions: words, lastAppliedRevision, lastAttemptedRevision, observedGeneration },
    };
    expect(nameOf(lookAt().look(source(), old))).toBe('synced');
  });
});
