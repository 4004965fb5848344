import { describe, expect, test } from 'vitest';
import { lookAt } from './look.ts';
import {
  conditions,
  deployment,
  former,
  helmRelease,
  kustomization,
  newer,
  ociRepository,
  ours,
  type ConditionWords,
} from './objects.ts';

const at = (digest: string) => `staging@${digest}`;
const source = () => ociRepository(ours);
const entries = (...ids: readonly string[]) => ({ inventory: { entries: ids.map((id) => ({ id, v: 'v1' })) } });
const TINY = 'flux-system_tiny_helm.toolkit.fluxcd.io_HelmRelease';
const TINY_SOURCE = 'flux-system_tiny_source.toolkit.fluxcd.io_OCIRepository';
const parent = (...ids: readonly string[]) => kustomization(at(ours), { status: entries(...ids) });
const name = (settled: { readonly verdict: { readonly verdict: string } | null }) => settled.verdict?.verdict ?? null;

describe('HelmReleases below', () => {
  const busy: ConditionWords = ['Reconciling', 'True', 'Progressing', 'Fulfilling prerequisites'];
  const release = (words: readonly ConditionWords[], status: Readonly<Record<string, unknown>> = {}, generation = 2) =>
    helmRelease('1.2.0', { generation, status: { conditions: conditions(...words), ...status } });
  const chartOf = {
    spec: {
      chart: { spec: { chart: 'tiny', sourceRef: { kind: 'HelmRepository', name: 'charts' } } },
      chartRef: undefined,
    },
  };

  test('trap 20: Ready of before while it is being worked on is stale', () => {
    expect(
      name(lookAt().look(source(), parent(TINY), release([['Ready', 'True', 'UpgradeSucceeded'], busy]))),
    ).toBeNull();
  });

  test('trap 20: a failure that is retried is not final, however long', () => {
    const cluster = lookAt();
    cluster.look(
      source(),
      parent(TINY),
      release(
        [
          ['Ready', 'False', 'UpgradeFailed', 'timeout waiting'],
          ['Reconciling', 'True', 'ProgressingWithRetry'],
        ],
        { history: [{ chartVersion: '1.2.0', status: 'failed' }] },
      ),
    );
    expect(name(cluster.pass(300_000))).toBeNull();
  });

  test('trap 20: a stalled release is red, with the cause', () => {
    const stalled = release(
      [
        ['Stalled', 'True', 'RetriesExceeded', 'Failed to upgrade after 2 attempt(s)'],
        ['Ready', 'False', 'RollbackSucceeded', 'Helm rollback to previous release succeeded'],
      ],
      {
        history: [
          { chartVersion: '1.2.0', status: 'failed' },
          { chartVersion: '1.1.0', status: 'deployed' },
        ],
      },
    );
    expect(lookAt().look(source(), parent(TINY), stalled).verdict).toMatchObject({
      verdict: 'failed',
      reason: 'RollbackSucceeded',
      message:
        'HelmRelease flux-system/tiny: RollbackSucceeded: Failed to upgrade after 2 attempt(s): Helm rollback to previous release succeeded',
    });
  });

  test('trap 20: stalled before the present generation was attempted is old news', () => {
    const old = release(
      [
        ['Stalled', 'True', 'RetriesExceeded', 'old'],
        ['Ready', 'False', 'UpgradeFailed', 'old'],
      ],
      { lastAttemptedGeneration: 1 },
    );
    expect(name(lookAt().look(source(), parent(TINY), old))).toBeNull();
  });

  test('trap 20: deployed at the former version after a rollback is not ours', () => {
    const rolled = release([['Ready', 'True', 'RollbackSucceeded']], {
      history: [{ chartVersion: '1.1.0', status: 'deployed' }],
    });
    expect(name(lookAt().look(source(), parent(TINY), rolled))).toBeNull();
  });

  test('trap 20: charts of one version differ by the digest or commit that they were made from', () => {
    const stale = (chartVersion: string) =>
      helmRelease('0.1.0+1f0ac6f11aaa', {
        ...chartOf,
        status: { history: [{ chartVersion, status: 'deployed' }] },
      });
    const look = (chartVersion: string) => name(lookAt().look(source(), parent(TINY), stale(chartVersion)));
    expect(look('0.1.0+000000000000')).toBeNull();
    expect([look('0.1.0+1f0ac6f11aaa'), look('0.1.0')]).toEqual(['synced', 'synced']);
  });

  test.each([['observedGeneration'], ['lastAttemptedGeneration']])('a release whose %s lags is waited for', (field) => {
    const late = release([['Ready', 'True', 'UpgradeSucceeded']], { [field]: 1 });
    expect(name(lookAt().look(source(), parent(TINY), late))).toBeNull();
  });

  test('a release is read anew after its parent was seen ready', () => {
    const cluster = lookAt();
    cluster.show([source(), kustomization(at(former)), helmRelease('1.1.0', chartOf)]);
    cluster.glance();
    cluster.tick(1_000);
    cluster.view.apply('Kustomization', { type: 'modified', object: parent(TINY) });
    const settled = cluster.glance();
    expect(settled.verdict).toBeNull();
    expect(settled.needs).toEqual([{ kind: 'HelmRelease', namespace: 'flux-system', after: cluster.now() }]);
  });

  test('a chart source that our revision changed must have arrived in the release', () => {
    const chart = ociRepository(newer, {
      name: 'tiny',
      tag: '1.3.0',
      spec: { url: 'oci://registry.example.com/charts/tiny' },
    });
    const taken = (digest: string) =>
      helmRelease(`1.3.0+${digest.slice(7, 19)}`, { status: { lastAttemptedRevisionDigest: digest } });
    expect(name(lookAt().look(source(), parent(TINY, TINY_SOURCE), chart, taken(former)))).toBeNull();
    expect(name(lookAt().look(source(), parent(TINY, TINY_SOURCE), chart, taken(newer)))).toBe('synced');
  });

  test('trap 22: a release whose values come from what we applied is asked, and its answer awaited', () => {
    const cluster = lookAt();
    const values = { spec: { valuesFrom: [{ kind: 'ConfigMap', name: 'tiny-values' }] } };
    const owner = parent(TINY, 'flux-system_tiny-values__ConfigMap');
    const before = helmRelease('1.2.0', { ...values, status: { lastHandledReconcileAt: 'somebody' } });
    const first = cluster.look(source(), owner, before);
    expect(first.verdict).toBeNull();
    expect(first.asks).toEqual([{ kind: 'HelmRelease', namespace: 'flux-system', name: 'tiny' }]);
    cluster.asked.set('HelmRelease/flux-system/tiny', { before: 'somebody', answer: 'done' });
    expect(name(cluster.look(source(), owner, before))).toBeNull();
    const handled = helmRelease('1.2.0', { ...values, status: { lastHandledReconcileAt: 'our token' } });
    expect(name(cluster.look(source(), owner, handled))).toBe('synced');
  });

  test('trap 22: values that we did not apply are none of our business; without the right to ask it is unknown', () => {
    const values = { spec: { valuesFrom: [{ kind: 'Secret', name: 'tiny-values' }] } };
    expect(name(lookAt().look(source(), parent(TINY), helmRelease('1.2.0', values)))).toBe('synced');
    const cluster = lookAt();
    cluster.asked.set('HelmRelease/flux-system/tiny', { before: undefined, answer: 'forbidden' });
    const settled = cluster.look(
      source(),
      parent(TINY, 'flux-system_tiny-values__Secret'),
      helmRelease('1.2.0', values),
    );
    expect(settled.verdict).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('no right to patch helmreleases'),
    });
  });

  test('a release that does not wait is judged by its inventory, and unknown without one', () => {
    const spec = { upgrade: { disableWait: true } };
    expect(lookAt().look(source(), parent(TINY), helmRelease('1.2.0', { spec })).verdict).toMatchObject({
      verdict: 'unknown',
      reason: 'NotWaited',
    });
    const listed = helmRelease('1.2.0', { spec, status: entries('shop_podinfo_apps_Deployment') });
    expect(
      name(lookAt().look(source(), parent(TINY), listed, deployment({ status: { readyReplicas: 1 } }))),
    ).toBeNull();
    expect(name(lookAt().look(source(), parent(TINY), listed, deployment()))).toBe('synced');
  });
});
