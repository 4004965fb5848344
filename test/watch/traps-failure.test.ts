import { describe, expect, test } from 'vitest';
import { timedOut } from '../../src/watch/settle.ts';
import { lookAt } from './look.ts';
import { conditions, former, formerCommit, kustomization, ociRepository, ours } from './objects.ts';
import { at, source, nameOf, running, reconciling } from './runs.ts';

describe('failures', () => {
  test('trap 10: a failure of the former revision is not ours', () => {
    const settled = lookAt().look(
      source(),
      running(former, former, [['Ready', 'False', 'HealthCheckFailed', 'old news']]),
    );
    expect(nameOf(settled)).toBeNull();
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
    expect(nameOf(lookAt().look(source(), old))).toBeNull();
  });

  test('an object that the cluster refuses is a failure when it stays refused for a moment', () => {
    const cluster = lookAt();
    const refused = running(former, ours, [
      ['Ready', 'False', 'ReconciliationFailed', 'Service/d1/podinfo dry-run failed (Invalid)\n'],
    ]);
    expect(nameOf(cluster.look(source(), refused))).toBeNull();
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
    expect(nameOf(cluster.pass(80_000))).toBeNull();
    cluster.look(source(), first);
    expect(nameOf(cluster.pass(40_000))).toBeNull();
    expect(nameOf(cluster.look(source(), kustomization(at(ours))))).toBe('synced');
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
    expect(nameOf(cluster.pass(30_000))).toBeNull();
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
    expect(nameOf(cluster.pass(60_000))).toBeNull();
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
    expect(nameOf(cluster.pass(60_000))).toBeNull();
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
    expect(nameOf(lookAt().look(later, kustomization(at(ours))))).toBe('synced');
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
