import { describe, expect, test } from 'vitest';
import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import { fluxObjects, one, sampleApp, shown, startWorld } from './cluster-world.ts';

const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } };
const isApplied = (digest: string) => (object: ClusterObject) =>
  object.status?.['lastAppliedRevision'] === `main@${digest}`;

describe('a new version', () => {
  test('comes in as Flux writes it: conditions first, the applied revision last', async () => {
    const { cluster, registry, push, poke } = await startWorld();
    const first = await push('team/app', 'main', sampleApp());
    cluster.apply([namespace, ...fluxObjects(registry.host, 'team/app', 'app')]);
    await cluster.until('Kustomization', one('app', isApplied(first)));
    const second = await push('team/app', 'main', sampleApp('1.0.1', 'green'));
    const seen: string[] = [];
    cluster.observe('Kustomization', (_type, object) => {
      const { lastAttemptedRevision: attempted, lastAppliedRevision: applied } = object.status ?? {};
      const at = (revision: unknown) => (revision === `main@${second}` ? 'new' : 'old');
      const words = ['Reconciling', 'Ready', 'Healthy'].map((type) =>
        shown(object, type).replace(/ (for|in|revision:?) .*/, ''),
      );
      seen.push(
        `${words.filter((word) => word !== '').join(' | ')} | attempted ${at(attempted)} applied ${at(applied)}`,
      );
    });
    poke('OCIRepository', 'app');
    await cluster.until(
      'Kustomization',
      one('app', (object) => isApplied(second)(object)),
    );
    const healthy = 'Healthy=True Succeeded: Health check passed';
    const running = 'Ready=Unknown Progressing: Reconciliation';
    expect(seen).toEqual([
      `Reconciling=True Progressing: Fetching manifests | ${running} | ${healthy} | attempted old applied old`,
      `Reconciling=True Progressing: Building manifests | ${running} | ${healthy} | attempted old applied old`,
      `Reconciling=True Progressing: Building manifests | ${running} | ${healthy} | attempted new applied old`,
      `Reconciling=True Progressing: Detecting drift | ${running} | ${healthy} | attempted new applied old`,
      `Reconciling=True Progressing: Running health checks | ${running} | Healthy=Unknown Progressing: Running health checks | attempted new applied old`,
      expect.stringMatching(
        /^Reconciling=True Progressing: Running health checks .* Healthy=Unknown .* attempted new applied old$/,
      ),
      `Reconciling=True Progressing: Running health checks | ${running} | ${healthy} | attempted new applied old`,
      `Ready=True ReconciliationSucceeded: Applied | ${healthy} | attempted new applied old`,
      `Ready=True ReconciliationSucceeded: Applied | ${healthy} | attempted new applied new`,
    ]);
  });
});
