import { beforeAll, describe, expect, test } from 'vitest';
import { helmTypes } from '../artifact-push.ts';
import { deployment } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectWatcher } from '../watcher.ts';
import type { Watcher } from '../watcher.ts';

describe('sluice’s verdict on HelmReleases', () => {
  const stage = setStage({ tier: 'helm' }, ['helm', 'nested']);
  let watcher: Watcher;
  let count = 0;

  async function pushChart(repository: string, fate?: 'deadline') {
    const version = `1.${++count}.0`;
    const commit = String(count).padStart(40, '0');
    const { digest } = await stage().scene.push(
      repository,
      {
        'tiny/Chart.yaml': `apiVersion: v2\nname: tiny\nversion: ${version}\n`,
        'tiny/values.yaml': 'tag: 1.0.0\n',
        'tiny/templates/deployment.yaml': deployment('{{ .Release.Name }}', '{{ .Values.tag }}', fate).replace(
          'replicas: 2',
          `replicas: ${count}`,
        ),
      },
      {
        types: helmTypes,
        config: { apiVersion: 'v2', name: 'tiny', version },
        annotations: { 'org.opencontainers.image.revision': `main@sha1:${commit}` },
      },
    );
    return watcher.followed({ repository, wanted: digest, commit });
  }

  const chartSource = (repository: string) =>
    stage().scene.ociSpec(repository, { layerSelector: { mediaType: helmTypes.layer, operation: 'copy' } });
  const release = (chart: string, namespace: string, more: object = {}) => ({
    interval: '10m',
    timeout: '20s',
    targetNamespace: namespace,
    releaseName: chart,
    chartRef: { kind: 'OCIRepository', name: chart },
    install: { remediation: { retries: 0 } },
    upgrade: { timeout: '8s', remediation: { retries: 0, remediateLastFailure: true } },
    ...more,
  });

  beforeAll(async () => {
    watcher = await connectWatcher(stage().stack);
  });

  test('synced: install from an OCIRepository; failed: an upgrade that is rolled back; synced: a roll-forward', async () => {
    const { scene } = stage();
    const first = await pushChart('charts/tiny');
    await scene.put('OCIRepository', 'tiny', chartSource('charts/tiny'));
    await scene.put('HelmRelease', 'tiny', release('tiny', 'helm'));
    expect((await watcher.watch(first)).verdict).toMatchObject({ verdict: 'synced' });
    const bad = (await watcher.watch(await pushChart('charts/tiny', 'deadline'))).verdict;
    expect(bad).toMatchObject({ verdict: 'failed' });
    expect(bad.message).toContain('tiny');
    expect((await watcher.watch(await pushChart('charts/tiny'))).verdict).toMatchObject({ verdict: 'synced' });
  }, 120_000);

  test('a HelmRelease that a Kustomization delivers: its failure is the version’s failure', async () => {
    const { scene } = stage();
    await pushChart('charts/nested');
    await scene.put('OCIRepository', 'nested', chartSource('charts/nested'));
    await scene.waitFor('OCIRepository', 'nested', (object) => object.status?.artifact !== undefined);
    const push = async (tag: string) => {
      const commit = String(++count).padStart(40, '0');
      const manifest = {
        apiVersion: 'helm.toolkit.fluxcd.io/v2',
        kind: 'HelmRelease',
        metadata: { name: 'nested', namespace: 'flux-system' },
        spec: release('nested', 'nested', { values: { tag } }),
      };
      const { digest } = await scene.push(
        'team/nested',
        { 'release.yaml': JSON.stringify(manifest) },
        { annotations: { 'org.opencontainers.image.revision': `main@sha1:${commit}` } },
      );
      return watcher.followed({ repository: 'team/nested', wanted: digest, commit });
    };
    const first = await push('1.0.0');
    await scene.put('OCIRepository', 'releases', scene.ociSpec('team/nested'));
    await scene.put('Kustomization', 'releases', scene.kustomizationSpec('releases'));
    expect((await watcher.watch(first)).verdict).toMatchObject({ verdict: 'synced' });
    const bad = (await watcher.watch(await push('2.0.0-broken'))).verdict;
    expect(bad).toMatchObject({ verdict: 'failed' });
    expect(bad.message).toContain('HelmRelease flux-system/nested');
    expect((await watcher.watch(await push('2.0.1'))).verdict).toMatchObject({ verdict: 'synced' });
  }, 150_000);
});
