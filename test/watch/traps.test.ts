import { describe, expect, test } from 'vitest';
import { timedOut } from '../../src/watch/settle.ts';
import type { Verdict } from '../../src/watch/verdict.ts';
import { lookAt, podinfo } from './look.ts';
import {
  conditions,
  deployment,
  former,
  formerCommit,
  gitRepository,
  helmRelease,
  kustomization,
  newer,
  newerCommit,
  ociRepository,
  ourCommit,
  ours,
  type ConditionWords,
} from './objects.ts';

const at = (digest: string) => `staging@${digest}`;
const source = () => ociRepository(ours);
const name = (settled: { readonly verdict: Verdict | null }) => settled.verdict?.verdict ?? null;

/** Kustomization in the middle of things: what was applied, what was attempted, and the conditions of a recorded run. */
function running(applied: string, attempted: string, words: readonly ConditionWords[], more: object = {}) {
  return kustomization(at(applied), {
    status: { lastAttemptedRevision: at(attempted), observedGeneration: 1, conditions: conditions(...words), ...more },
  });
}

const reconciling: ConditionWords = ['Reconciling', 'True', 'Progressing', 'Fetching manifests'];
const healthy: ConditionWords = ['Healthy', 'True', 'Succeeded', 'Health check passed'];

describe('bound to the digest', () => {
  test('trap 1: Ready of the former revision is not ours', () => {
    const cluster = lookAt();
    expect(name(cluster.look(source(), kustomization(at(former))))).toBeNull();
    expect(name(cluster.look(source(), kustomization(at(ours))))).toBe('synced');
  });

  test('trap 2: a ready source with the former artifact is waited for, and asked', () => {
    const cluster = lookAt();
    cluster.relations.set(formerCommit, 'other');
    const settled = cluster.look(ociRepository(former, { commit: formerCommit }), kustomization(at(former)));
    expect(settled.phase).toBe('waiting');
    expect(settled.behind).toEqual([{ kind: 'OCIRepository', namespace: 'flux-system', name: 'podinfo' }]);
    expect(settled.verdict).toBeNull();
  });

  test.each([`staging@${ours}`, ours, `1.2.3@${ours}`])(
    'trap 3: only the digest part of %s is compared',
    (revision) => {
      const settled = lookAt().look(
        ociRepository(ours, { status: { artifact: { revision, metadata: {} } } }),
        kustomization(revision),
      );
      expect(name(settled)).toBe('synced');
    },
  );

  test('trap 4: the tarball digest is never taken for the OCI digest', () => {
    const cluster = lookAt({ ...podinfo, wanted: `sha256:${'f'.repeat(64)}` });
    cluster.relations.set(ourCommit, 'other');
    expect(cluster.look(source(), kustomization(at(ours))).phase).toBe('waiting');
  });

  test('trap 7, 8: content that was there before is judged from the present state', () => {
    expect(name(lookAt().look(source(), kustomization(at(ours))))).toBe('synced');
  });

  test('trap 11: Ready and applied ours while another revision was attempted last', () => {
    const cluster = lookAt();
    expect(
      name(cluster.look(source(), running(ours, former, [['Ready', 'True', 'ReconciliationSucceeded'], healthy]))),
    ).toBeNull();
    const unobserved = kustomization(at(ours), { generation: 4, status: { observedGeneration: 3 } });
    expect(name(cluster.look(source(), unobserved))).toBeNull();
    const busy = running(ours, ours, [['Ready', 'True', 'ReconciliationSucceeded'], healthy, reconciling]);
    expect(name(cluster.look(source(), busy))).toBeNull();
  });

  test('the order of Flux’s writes: conditions first, the other fields some milliseconds later', () => {
    const cluster = lookAt();
    const words: ConditionWords[] = [
      ['Ready', 'True', 'ReconciliationSucceeded', `Applied revision: ${at(ours)}`],
      healthy,
    ];
    const first = kustomization(at(former), {
      generation: 2,
      status: { lastAttemptedRevision: at(ours), observedGeneration: 1, conditions: conditions(...words) },
    });
    expect(name(cluster.look(source(), first))).toBeNull();
    const second = kustomization(at(ours), { generation: 2, status: { conditions: conditions(...words) } });
    expect(name(cluster.look(source(), second))).toBe('synced');
  });

  test('a source can be Ready before its artifact is written', () => {
    const cluster = lookAt();
    const bare = ociRepository(undefined, {
      status: { conditions: conditions(['Ready', 'True', 'Succeeded', 'stored artifact']) },
    });
    expect(cluster.look(bare, kustomization(at(former))).phase).toBe('waiting');
  });
});

describe('newer and older revisions', () => {
  test('trap 5: a newer revision is followed when it holds our values', () => {
    const cluster = lookAt();
    const objects = [ociRepository(newer, { commit: newerCommit }), kustomization(at(newer))] as const;
    expect(cluster.look(...objects).questions).toEqual([newerCommit]);
    expect(name(cluster.look(...objects))).toBeNull();
    cluster.relations.set(newerCommit, 'follow');
    expect(name(cluster.look(...objects))).toBe('synced');
  });

  test('trap 5: a newer revision without our values supersedes ours', () => {
    const cluster = lookAt();
    cluster.relations.set(newerCommit, 'gone');
    expect(name(cluster.look(ociRepository(newer, { commit: newerCommit }), kustomization(at(newer))))).toBe(
      'superseded',
    );
  });

  test('trap 5: the failure of ours is not the last word while a newer one that holds our values is on its way', () => {
    const cluster = lookAt();
    cluster.relations.set(newerCommit, 'follow');
    const failing = running(former, ours, [['Ready', 'False', 'HealthCheckFailed', 'health check failed']]);
    expect(name(cluster.look(ociRepository(newer, { commit: newerCommit }), failing))).toBeNull();
    const next = running(former, newer, [['Ready', 'False', 'BuildFailed', 'build failed']]);
    expect(cluster.look(ociRepository(newer, { commit: newerCommit }), next).verdict).toMatchObject({
      verdict: 'failed',
      reason: 'BuildFailed',
    });
  });

  test('trap 6: a tag that is moved back after ours was shown has superseded it', () => {
    const cluster = lookAt();
    cluster.relations.set(formerCommit, 'other');
    expect(name(cluster.look(source(), kustomization(at(former))))).toBeNull();
    expect(name(cluster.look(ociRepository(former, { commit: formerCommit }), kustomization(at(former))))).toBe(
      'superseded',
    );
  });

  test('trap 25: without an annotated commit another digest counts as older, and is asked about by its revision', () => {
    const cluster = lookAt();
    const bare = ociRepository(former, { status: { artifact: { revision: at(former) } } });
    expect(cluster.look(bare, kustomization(at(former))).questions).toEqual([at(former)]);
    cluster.relations.set(at(former), 'other');
    expect(name(cluster.look(bare, kustomization(at(former))))).toBeNull();
  });
});

describe('failures', () => {
  test('trap 10: a failure of the former revision is not ours', () => {
    const settled = lookAt().look(
      source(),
      running(former, former, [['Ready', 'False', 'HealthCheckFailed', 'old news']]),
    );
    expect(name(settled)).toBeNull();
  });

  test.each([
    ['BuildFailed', 'kustomize build failed: MalformedYAMLError: yaml: line 2'],
    [
      'HealthCheckFailed',
      "health check failed after 32s: timeout waiting for: [Deployment/d2/podinfo status: 'InProgress']",
    ],
  ])('traps 12, 13: %s of ours is final at once, though observedGeneration lags', (reason, message) => {
    const failing = kustomization(at(former), {
      generation: 2,
      status: {
        observedGeneration: 1,
        lastAttemptedRevision: at(ours),
        conditions: conditions(['Reconciling', 'True', 'ProgressingWithRetry'], ['Ready', 'False', reason, message]),
      },
    });
    expect(lookAt().look(source(), failing).verdict).toMatchObject({
      verdict: 'failed',
      reason,
      message: `Kustomization flux-system/podinfo: ${reason}: ${message}`,
    });
  });

  test('trap 12: a poll that sees only the retry finds the failure in the history', () => {
    const history = [
      { digest: 'sha256:x', lastReconciledStatus: 'HealthCheckFailed', metadata: { revision: at(ours) } },
    ];
    const retry = running(
      former,
      ours,
      [
        ['Ready', 'Unknown', 'Progressing'],
        reconciling,
        ['Healthy', 'False', 'HealthCheckFailed', 'timeout waiting for: [Deployment]'],
      ],
      { history },
    );
    expect(lookAt().look(source(), retry).verdict).toMatchObject({ verdict: 'failed', reason: 'HealthCheckFailed' });
    const old = running(former, ours, [['Ready', 'Unknown', 'Progressing'], reconciling], {
      history: [{ lastReconciledStatus: 'HealthCheckFailed', metadata: { revision: at(former) } }],
    });
    expect(name(lookAt().look(source(), old))).toBeNull();
  });

  test('an object that the cluster refuses is a failure when it stays refused for a moment', () => {
    const cluster = lookAt();
    const refused = running(former, ours, [
      ['Ready', 'False', 'ReconciliationFailed', 'Service/d1/podinfo dry-run failed (Invalid)\n'],
    ]);
    expect(name(cluster.look(source(), refused))).toBeNull();
    expect(cluster.pass(6_000).verdict).toMatchObject({ verdict: 'failed', reason: 'ReconciliationFailed' });
  });

  test('trap 10, 23: ArtifactFailed of a first deployment passes; the grace counts from our digest in the source', () => {
    const cluster = lookAt();
    const first = kustomization(undefined, {
      status: {
        conditions: conditions(['Ready', 'False', 'ArtifactFailed', 'Source artifact not found, retrying in 30s']),
      },
    });
    cluster.look(ociRepository(undefined), first);
    expect(name(cluster.pass(80_000))).toBeNull();
    cluster.look(source(), first);
    expect(name(cluster.pass(40_000))).toBeNull();
    expect(name(cluster.look(source(), kustomization(at(ours))))).toBe('synced');
  });

  test('a wrong path stays ArtifactFailed and becomes a failure, also when retries show Unknown in between', () => {
    const cluster = lookAt();
    const failing = running(former, former, [
      ['Ready', 'False', 'ArtifactFailed', 'kustomization path not found: stat /tmp/kustomization-2913123911/nope'],
    ]);
    const trying = running(former, former, [
      ['Ready', 'Unknown', 'Progressing', 'Reconciliation in progress'],
      reconciling,
    ]);
    cluster.look(source(), failing);
    expect(name(cluster.pass(30_000))).toBeNull();
    cluster.look(source(), trying);
    cluster.tick(500);
    cluster.look(source(), failing);
    expect(cluster.pass(40_000).verdict).toMatchObject({ verdict: 'failed', reason: 'ArtifactFailed' });
  });

  test('trap 19: a dependency that is not ready is waited for, whatever the time', () => {
    const cluster = lookAt();
    cluster.look(
      source(),
      running(former, former, [
        ['Ready', 'False', 'DependencyNotReady', "dependency 'flux-system/stuck' is not ready"],
      ]),
    );
    const settled = cluster.pass(300_000);
    expect(settled.verdict).toBeNull();
    expect(timedOut(settled)).toMatchObject({ verdict: 'timed-out', reason: 'DependencyNotReady' });
  });

  test('trap 21: a canceled health check is neither red nor green', () => {
    const cluster = lookAt();
    cluster.look(
      source(),
      running(former, ours, [['Ready', 'False', 'HealthCheckCanceled', 'New reconciliation triggered']]),
    );
    expect(name(cluster.pass(60_000))).toBeNull();
  });

  test('a source that cannot fetch is given time, since the tag may not have been there before', () => {
    const cluster = lookAt();
    const failing = ociRepository(former, {
      commit: formerCommit,
      status: {
        conditions: conditions(
          ['FetchFailed', 'True', 'OCIArtifactPullFailed', 'MANIFEST_UNKNOWN: manifest unknown'],
          ['Ready', 'False', 'OCIArtifactPullFailed', 'MANIFEST_UNKNOWN: manifest unknown'],
        ),
      },
    });
    cluster.relations.set(formerCommit, 'other');
    cluster.look(failing, kustomization(at(former)));
    expect(name(cluster.pass(60_000))).toBeNull();
    expect(cluster.pass(60_000).verdict).toMatchObject({ verdict: 'failed', reason: 'OCIArtifactPullFailed' });
  });

  test('a failing source that has our digest does not matter', () => {
    const later = ociRepository(ours, {
      status: {
        artifact: { revision: at(ours) },
        conditions: conditions(
          ['FetchFailed', 'True', 'OCIArtifactPullFailed', 'later'],
          ['Ready', 'False', 'OCIArtifactPullFailed', 'later'],
        ),
      },
    });
    expect(name(lookAt().look(later, kustomization(at(ours))))).toBe('synced');
  });
});

describe('nothing will happen', () => {
  test.each([
    ['source', [ociRepository(former, { spec: { suspend: true } }), kustomization(at(former))]],
    ['Kustomization', [ociRepository(former), kustomization(at(former), { spec: { suspend: true } })]],
  ] as const)('trap 15: a suspended %s is said at once', (_what, objects) => {
    expect(name(lookAt().look(...objects))).toBe('suspended');
  });

  test('trap 9, 15: a suspended Kustomization that handled our request looks green and is not', () => {
    const looksGreen = kustomization(at(former), {
      spec: { suspend: true },
      status: { lastHandledReconcileAt: 'our token' },
    });
    expect(name(lookAt().look(source(), looksGreen))).toBe('suspended');
  });

  test('trap 16: nothing refers to the source', () => {
    const cluster = lookAt();
    expect(name(cluster.look(source()))).toBeNull();
    expect(cluster.pass(16_000).verdict).toMatchObject({
      verdict: 'unconsumed',
      message: 'no Kustomization or HelmRelease uses OCIRepository flux-system/podinfo',
    });
  });

  test('trap 16: a consumer that appears in time is followed', () => {
    const cluster = lookAt();
    cluster.look(source());
    cluster.pass(10_000);
    expect(name(cluster.look(source(), kustomization(at(ours))))).toBe('synced');
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
    expect(name(cluster.look(...left))).toBeNull();
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
    expect(name(cluster.look(source(), applied(), deployment()))).toBe('synced');
  });

  test('trap 14: the workloads of a list begun before the apply was seen do not count', () => {
    const cluster = lookAt();
    cluster.show([source(), kustomization(at(former), { spec: { wait: false } }), deployment()]);
    cluster.glance();
    cluster.tick(1_000);
    cluster.view.apply('Kustomization', { type: 'modified', object: applied() as never });
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
    expect(name(content.look(source(), applied()))).toBe('synced');
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
    expect(name(plain.look(source(), kustomization(at(ours))))).toBe('synced');
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
    expect(name(lookAt().look(source(), old))).toBe('synced');
  });
});

describe('deadline', () => {
  test('trap 30: not seen yet never becomes success; the last known reason is told', () => {
    const cluster = lookAt();
    const settled = cluster.look(
      source(),
      running(former, ours, [
        ['Ready', 'Unknown', 'Progressing', 'in progress'],
        ['Reconciling', 'True', 'Progressing', 'Running health checks for revision'],
      ]),
    );
    expect(timedOut(settled)).toMatchObject({
      verdict: 'timed-out',
      message: expect.stringContaining('Running health checks'),
    });
    expect(timedOut({ judgements: [], message: '', reason: '' })).toMatchObject({
      verdict: 'timed-out',
      reason: 'TimedOut',
    });
  });
});

describe('source: git', () => {
  const delivery = {
    ...podinfo,
    source: 'git' as const,
    urls: ['https://gitlab.example.com/shop/delivery.git'],
    reference: 'main',
    wanted: ourCommit,
  };
  const builds = (path: string, revision: string, title = 'podinfo') =>
    kustomization(revision, { name: title, spec: { sourceRef: { kind: 'GitRepository', name: 'delivery' }, path } });

  test('the commit is compared, and only what builds our root counts', () => {
    const cluster = lookAt(delivery);
    const other = builds('./apps/checkout/staging', `main@sha1:${formerCommit}`, 'checkout');
    const settled = cluster.look(
      gitRepository(ourCommit),
      builds('./apps/podinfo/staging/', `main@sha1:${ourCommit}`),
      other,
    );
    expect(name(settled)).toBe('synced');
    expect(settled.verdict?.objects.map((object) => object.name)).toEqual(['delivery', 'podinfo']);
  });

  test.each([
    'git@gitlab.example.com:shop/delivery.git',
    'ssh://git@gitlab.example.com:22/shop/delivery',
    'https://oauth2:x@gitlab.example.com:443/shop/delivery/',
  ])('the repository is known as %s', (url) => {
    const settled = lookAt(delivery).look(
      gitRepository(ourCommit, { spec: { url } }),
      builds('apps/podinfo/staging', `main@sha1:${ourCommit}`),
    );
    expect(name(settled)).toBe('synced');
  });

  test('a Kustomization above our root does not prove that it reaches it', () => {
    const cluster = lookAt(delivery);
    cluster.look(gitRepository(ourCommit), builds('./', `main@sha1:${ourCommit}`, 'everything'));
    const { verdict } = cluster.pass(16_000);
    expect(verdict?.verdict).toBe('unconsumed');
    expect(verdict?.message).toContain('Kustomization flux-system/everything builds ./');
  });

  test('a later commit that still holds our values is followed', () => {
    const cluster = lookAt(delivery);
    cluster.relations.set(newerCommit, 'follow');
    expect(
      name(cluster.look(gitRepository(newerCommit), builds('apps/podinfo/staging', `main@sha1:${newerCommit}`))),
    ).toBe('synced');
  });

  test('another branch is not ours', () => {
    const cluster = lookAt(delivery);
    cluster.look(
      gitRepository(ourCommit, { spec: { ref: { branch: 'next' } } }),
      builds('apps/podinfo/staging', `main@sha1:${ourCommit}`),
    );
    expect(cluster.pass(16_000).verdict?.message).toContain('follows branch next');
  });
});

describe('HelmRelease of our own source', () => {
  const charted = { chartRef: { kind: 'OCIRepository', name: 'podinfo' } };
  test('trap 3: the digest of the chart is compared, by twelve digits or in full', () => {
    const short = `1.2.0+${ours.slice(7, 19)}`;
    expect(name(lookAt().look(source(), helmRelease(short, { spec: charted })))).toBe('synced');
    const old = helmRelease(`1.2.0+${former.slice(7, 19)}`, { spec: charted });
    expect(name(lookAt().look(source(), old))).toBeNull();
  });
});
