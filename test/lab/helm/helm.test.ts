import { beforeAll, describe, expect, test } from 'vitest';
import { helmTypes } from '../artifact-push.ts';
import { brief, condition, isReady } from '../flux-object.ts';
import { deployment } from '../sample-app.ts';
import { setStage } from '../stage.ts';

describe('a HelmRelease that takes its chart from an OCIRepository', () => {
  const stage = setStage({ tier: 'helm' }, ['helm']);

  async function pushChart(version: string, fate?: 'stuck' | 'deadline'): Promise<string> {
    const { digest } = await stage().scene.push(
      'charts/tiny',
      {
        'tiny/Chart.yaml': `apiVersion: v2\nname: tiny\nversion: ${version}\n`,
        'tiny/values.yaml': 'color: blue\n',
        'tiny/templates/deployment.yaml': deployment('{{ .Release.Name }}', version, fate),
      },
      { tag: version, types: helmTypes, config: { apiVersion: 'v2', name: 'tiny', version } },
    );
    return digest;
  }

  beforeAll(async () => {
    const { scene } = stage();
    await pushChart('1.0.0');
    await scene.put(
      'OCIRepository',
      'tiny',
      scene.ociSpec('charts/tiny', {
        ref: { semver: '>=1.0.0' },
        layerSelector: { mediaType: helmTypes.layer, operation: 'copy' },
      }),
    );
    await scene.waitFor('OCIRepository', 'tiny', (object) => object.status?.artifact !== undefined);
    await scene.put('HelmRelease', 'tiny', {
      interval: '10m',
      timeout: '20s',
      targetNamespace: 'helm',
      releaseName: 'tiny',
      chartRef: { kind: 'OCIRepository', name: 'tiny' },
      install: { remediation: { retries: 0 } },
      upgrade: { timeout: '8s', remediation: { retries: 1, remediateLastFailure: true } },
    });
  });

  test('install: ready shows before the generation is observed', async () => {
    const { scene } = stage();
    const { object, seen } = await scene.waitFor('HelmRelease', 'tiny', isReady);
    const early = seen.filter((sight) => condition(sight.object, 'Ready')?.status === 'True' && !isReady(sight.object));
    expect(early[0]?.object.status?.observedGeneration).not.toBe(object.metadata.generation);
    expect(brief(object, 'Ready')).toBe('Ready=True InstallSucceeded');
    expect(object.status?.history?.map((entry) => `${entry.chartVersion} ${entry.status}`)).toEqual([
      expect.stringMatching(/^1\.0\.0\+\w+ deployed$/),
    ]);
  });

  test('upgrade: the new digest is attempted and deployed', async () => {
    const { scene } = stage();
    const digest = await pushChart('1.1.0');
    const upgraded = scene.waitFor(
      'HelmRelease',
      'tiny',
      (seen) => isReady(seen) && seen.status?.lastAttemptedRevisionDigest === digest,
    );
    await scene.poke('OCIRepository', 'tiny');
    const { object } = await upgraded;
    expect(brief(object, 'Ready')).toBe('Ready=True UpgradeSucceeded');
    expect(object.status?.history?.[0]).toMatchObject({
      status: 'deployed',
      chartVersion: expect.stringContaining('1.1.0'),
    });
  });

  test('failed upgrade: the rollback succeeds, which is a failure of the version', async () => {
    const { scene } = stage();
    const digest = await pushChart('1.2.0', 'stuck');
    const stalled = scene.waitFor(
      'HelmRelease',
      'tiny',
      (seen) => condition(seen, 'Stalled')?.status === 'True' && seen.status?.lastAttemptedRevisionDigest === digest,
      58_000,
    );
    await scene.poke('OCIRepository', 'tiny');
    const { object, seen } = await stalled;
    expect(brief(object, 'Stalled')).toBe('Stalled=True RetriesExceeded');
    expect(brief(object, 'Ready')).toBe('Ready=False RollbackSucceeded');
    expect(condition(object, 'Remediated')?.status).toBe('True');
    expect(object.status?.upgradeFailures).toBe(2);
    expect(
      object.status?.history
        ?.slice(0, 2)
        .map(({ chartVersion = '', status }) => `${chartVersion.split('+')[0]} ${status}`),
    ).toEqual(['1.2.0 failed', '1.1.0 deployed']);
    // Between the tries the newest entry is the former version, deployed: alone it is no verdict.
    expect(
      seen.some(
        (sight) =>
          sight.object.status?.history?.[0]?.status === 'deployed' &&
          sight.conditions.some(({ reason }) => reason === 'RollbackSucceeded'),
      ),
    ).toBe(true);
  }, 90_000);

  test('roll-forward: the next version heals it', async () => {
    const { scene } = stage();
    const digest = await pushChart('1.3.0');
    const healed = scene.waitFor(
      'HelmRelease',
      'tiny',
      (seen) => isReady(seen) && seen.status?.lastAttemptedRevisionDigest === digest,
    );
    await scene.poke('OCIRepository', 'tiny');
    const { object } = await healed;
    expect(brief(object, 'Stalled')).toBe('Stalled -');
    expect(object.status?.history?.[0]).toMatchObject({
      status: 'deployed',
      chartVersion: expect.stringContaining('1.3.0'),
    });
  });
});
