import { describe, expect, test } from 'vitest';
import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import { call, fluxObjects, isSettled, one, sampleApp, shown, startWorld } from './cluster-world.ts';

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

const secret = (name: string, extra: string) => `apiVersion: v1
kind: Secret
metadata:
  name: ${name}
  namespace: demo
${extra}`;

describe('what a Kustomization builds', () => {
  test('a folder without a kustomization, with the fields of its spec', async () => {
    const { cluster, registry, push } = await startWorld();
    cluster.apply([
      namespace,
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'vars', namespace: 'flux-system' },
        data: { COLOR: 'red', SHAPE: 'round' },
      },
    ]);
    await push('team/app', 'main', {
      'a/cm.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {color: "${COLOR}", shape: "${SHAPE:=square}", size: "${SIZE:=small}", kept: "$${COLOR}"}\n',
      'a/deep/deployment.yaml': sampleApp()['deployment.yaml'] ?? '',
      'a/secret.yaml': secret('plain', 'stringData: {password: "ENC[AES256_GCM,data:x]"}\nsops: {version: 3.9.0}\n'),
      'a/off.yaml': secret('off', '  annotations: {kustomize.toolkit.fluxcd.io/reconcile: disabled}\n'),
    });
    const spec = {
      path: './a',
      targetNamespace: 'demo',
      namePrefix: 'x-',
      images: [{ name: 'registry.example.com/podinfo', newTag: '9.9.9' }],
      commonMetadata: { labels: { team: 'shop' }, annotations: { note: 'yes' } },
      decryption: { provider: 'sops' },
      postBuild: { substitute: { COLOR: 'blue' }, substituteFrom: [{ kind: 'ConfigMap', name: 'vars' }] },
    };
    cluster.apply(fluxObjects(registry.host, 'team/app', 'app', spec));
    await cluster.until('Kustomization', one('app', isSettled));
    const map = cluster.get('ConfigMap', 'demo', 'x-cm');
    expect(map?.['data']).toEqual({ color: 'blue', shape: 'round', size: 'small', kept: '${COLOR}' });
    expect(map?.metadata).toMatchObject({
      labels: {
        team: 'shop',
        'kustomize.toolkit.fluxcd.io/name': 'app',
        'kustomize.toolkit.fluxcd.io/namespace': 'flux-system',
      },
      annotations: { note: 'yes' },
    });
    expect(JSON.stringify(cluster.get('Deployment', 'demo', 'x-podinfo')?.spec)).toContain(
      'registry.example.com/podinfo:9.9.9',
    );
    expect(cluster.get('Secret', 'demo', 'x-plain')?.['data']).toEqual({
      password: Buffer.from('decrypted').toString('base64'),
    });
    expect(cluster.get('Secret', 'demo', 'x-off')).toBeUndefined();
  });

  test('is kept: drift is put right, what left is pruned, what is marked stays', async () => {
    const { cluster, registry, push, poke } = await startWorld();
    const keep =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: keep, namespace: demo, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}}\n';
    const files = {
      'keep.yaml': keep,
      'gone.yaml': keep.replace('name: keep', 'name: gone').replace('disabled', 'enabled'),
      'web.yaml': (sampleApp()['deployment.yaml'] ?? '').replace('{name: podinfo}', '{name: web, namespace: demo}'),
    };
    await push('team/app', 'main', files);
    cluster.apply([namespace, ...fluxObjects(registry.host, 'team/app', 'app')]);
    await cluster.until('Kustomization', one('app', isSettled));
    cluster.patch('Deployment', 'demo', 'web', {
      spec: { replicas: 7, paused: true },
      metadata: { labels: { mine: 'yes' } },
    });
    cluster.remove('ConfigMap', 'demo', 'keep');
    poke('Kustomization', 'app', 'again');
    await cluster.until(
      'Kustomization',
      one('app', (object) => isSettled(object) && object.status?.['lastHandledReconcileAt'] === 'again'),
    );
    expect(cluster.get('Deployment', 'demo', 'web')).toMatchObject({
      spec: { replicas: 2, paused: true },
      metadata: { labels: { mine: 'yes' } },
    });
    expect(cluster.get('ConfigMap', 'demo', 'keep')).toBeDefined();
    const next = await push('team/app', 'main', { 'web.yaml': files['web.yaml'] });
    poke('OCIRepository', 'app');
    await cluster.until(
      'Kustomization',
      one('app', (object) => isSettled(object) && isApplied(next)(object)),
    );
    expect(cluster.objects('ConfigMap', 'demo').map(({ metadata }) => metadata.name)).toEqual(['keep']);
    expect(cluster.get('Kustomization', 'flux-system', 'app')?.status?.['inventory']).toEqual({
      entries: [{ id: 'demo_web_apps_Deployment', v: 'v1' }],
    });
    const paged = await call(cluster, 'GET', '/api/v1/namespaces?limit=3');
    const { continue: more, remainingItemCount } = paged.body['metadata'] as Record<string, string>;
    expect(remainingItemCount).toBe(1);
    expect((await call(cluster, 'GET', `/api/v1/namespaces?limit=3&continue=${more}`)).body).toMatchObject({
      items: [{ metadata: { name: 'kube-system' } }],
    });
  });
});
