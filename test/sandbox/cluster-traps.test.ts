import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import { call, fluxObjects, isSettled, one, sampleApp, shown, startWorld } from './cluster-world.ts';

const demo = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } };
const isAt = (digest: string) => (object: ClusterObject) =>
  isSettled(object) && object.status?.['lastAppliedRevision'] === `main@${digest}`;

/** A world in which version 1.0.0 runs. */
async function running(spec: Record<string, unknown> = {}, options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options);
  const digest = await world.push('team/app', 'main', sampleApp());
  world.cluster.apply([demo, ...fluxObjects(world.registry.host, 'team/app', 'app', spec)]);
  await world.cluster.until('Kustomization', one('app', isAt(digest)));
  const deploy = async (tag: string, color = 'blue') => {
    const next = await world.push('team/app', 'main', sampleApp(tag, color));
    world.poke('OCIRepository', 'app');
    return next;
  };
  const app = () => world.cluster.get('Kustomization', 'flux-system', 'app');
  return { ...world, digest, deploy, app };
}

describe('what a cluster can show', () => {
  test('a suspended object that looks all green', async () => {
    const { cluster, deploy, poke, digest, app } = await running();
    cluster.patch('Kustomization', 'flux-system', 'app', { spec: { suspend: true } });
    const second = await deploy('1.0.1');
    await cluster.until(
      'OCIRepository',
      one('app', (object) => JSON.stringify(object.status?.['artifact'] ?? {}).includes(second)),
    );
    poke('Kustomization', 'app', 'our-token');
    await cluster.until(
      'Kustomization',
      one('app', (object) => object.status?.['lastHandledReconcileAt'] === 'our-token'),
    );
    expect(shown(app(), 'Ready')).toContain('Ready=True ReconciliationSucceeded');
    expect(app()).toMatchObject({
      metadata: { generation: 2 },
      status: { observedGeneration: 2, lastAppliedRevision: `main@${digest}` },
    });
    cluster.patch('Kustomization', 'flux-system', 'app', { spec: { suspend: false } });
    await cluster.until('Kustomization', one('app', isAt(second)));
  });

  test('the same content under another annotation: a run without a NewArtifact event', async () => {
    const { cluster, push, poke, app } = await running();
    const events = () => cluster.objects('Event').filter((event) => event['reason'] === 'NewArtifact').length;
    const before = events();
    const second = await push('team/app', 'main', sampleApp(), { 'org.opencontainers.image.revision': 'other' });
    poke('OCIRepository', 'app');
    await cluster.until('Kustomization', one('app', isAt(second)));
    expect(events()).toBe(before);
    expect(app()?.status?.['history']).toMatchObject([
      { totalReconciliations: 2, metadata: { revision: `main@${second}`, originRevision: 'other' } },
    ]);
  });

  test('a stuck version that holds up the next one, unless the gate cancels its health check', async () => {
    const plain = await running({ timeout: '60s' });
    await plain.deploy('2.0.0-broken');
    const isChecking = (object: ClusterObject) => shown(object, 'Healthy').startsWith('Healthy=Unknown');
    await plain.cluster.until('Kustomization', one('app', isChecking));
    const seen: string[] = [];
    plain.cluster.observe('Kustomization', (_type, object) => seen.push(shown(object, 'Ready').replace(/:.*/s, '')));
    const fixed = await plain.deploy('2.0.1');
    await plain.cluster.until('Kustomization', one('app', isAt(fixed)));
    expect(seen).toContain('Ready=False HealthCheckFailed');

    const gated = await running({ timeout: '60s' }, { featureGates: { CancelHealthCheckOnNewRevision: true } });
    await gated.deploy('2.0.0-broken');
    await gated.cluster.until('Kustomization', one('app', isChecking));
    const reasons: string[] = [];
    gated.cluster.observe('Kustomization', (_type, object) => reasons.push(shown(object, 'Ready')));
    const healed = await gated.deploy('2.0.1');
    await gated.cluster.until('Kustomization', one('app', isAt(healed)));
    expect(reasons).toContain(
      'Ready=False HealthCheckCanceled: New reconciliation triggered by OCIRepository/flux-system/app',
    );
    expect(JSON.stringify(gated.app()?.status?.['history'])).not.toContain('HealthCheck');
  });

  test('a restart of source-controller: artifacts go and come back', async () => {
    const { cluster, poke, digest } = await running();
    cluster.scripts.pause('source-controller');
    await cluster.scripts.restart('source-controller');
    poke('Kustomization', 'app');
    const isLost = (object: ClusterObject) => shown(object, 'Ready').includes('ArtifactFailed');
    await cluster.until('Kustomization', one('app', isLost));
    cluster.scripts.resume('source-controller');
    await cluster.until('Kustomization', one('app', isAt(digest)));
    expect(cluster.get('OCIRepository', 'flux-system', 'app')?.status).toMatchObject({
      artifact: { revision: `main@${digest}` },
    });
  });

  test('children: a Kustomization that applies Kustomizations waits for them, and prunes what left', async () => {
    const { cluster, registry, push, poke } = await startWorld();
    const [source, child] = fluxObjects(registry.host, 'team/app', 'app', { timeout: '40s' });
    const files = (object: unknown): Record<string, string> => ({ 'child.json.yaml': JSON.stringify(object) });
    await push('team/app', 'main', sampleApp('1.0.0-broken'));
    await push('team/root', 'main', files(child));
    cluster.apply([
      demo,
      source,
      ...fluxObjects(registry.host, 'team/root', 'root', { timeout: '32s' }),
    ] as ClusterObject[]);
    await cluster.until(
      'Kustomization',
      one('root', (object) => shown(object, 'Ready').includes('HealthCheckFailed')),
    );
    expect(shown(cluster.get('Kustomization', 'flux-system', 'root'), 'Ready')).toContain(
      "[Kustomization/flux-system/app status: 'InProgress']",
    );
    const empty = await push('team/root', 'main', {
      'cm.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: demo}\n',
    });
    poke('OCIRepository', 'root');
    await cluster.until('Kustomization', one('root', isAt(empty)));
    await cluster.until('Kustomization', (objects) => objects.every((object) => object.metadata.name !== 'app'));
    expect(cluster.objects('Deployment')).toEqual([]);
    expect(cluster.objects('Pod')).toEqual([]);
  });

  test('lost history, and status fields that an older Flux does not know', async () => {
    const { cluster, deploy, app } = await running();
    cluster.scripts.dropHistory();
    const second = await deploy('1.0.1');
    await cluster.until('Kustomization', one('app', isAt(second)));
    expect(JSON.stringify(app()?.status?.['history'])).not.toContain(second);
    cluster.scripts.omitStatus(['history', 'inventory']);
    const third = await deploy('1.0.2');
    await cluster.until('Kustomization', one('app', isAt(third)));
    expect(app()?.status).not.toHaveProperty('history');
    expect(app()?.status).not.toHaveProperty('inventory');
  });

  test('a workload whose fate changes while it stands', async () => {
    const { cluster, deploy } = await running({ timeout: '10m' });
    cluster.scripts.workloads(() => 'crash');
    const second = await deploy('1.0.1');
    const waits = (objects: readonly ClusterObject[]) => JSON.stringify(objects).includes('CrashLoopBackOff');
    await cluster.until('Pod', waits);
    cluster.scripts.workloads(() => 'healthy');
    await cluster.until('Kustomization', one('app', isAt(second)));
    expect(waits(cluster.objects('Pod'))).toBe(false);
  });

  test('an object deleted while it is waited for takes its workloads with it', async () => {
    const { cluster } = await running();
    const types: string[] = [];
    cluster.observe('Kustomization', (type, object) =>
      types.push(`${type} ${object.metadata.deletionTimestamp === undefined ? 'stands' : 'going'}`),
    );
    cluster.remove('Kustomization', 'flux-system', 'app');
    await cluster.until('Kustomization', (objects) => objects.length === 0);
    expect(types[0]).toBe('MODIFIED going');
    expect(types.at(-1)).toBe('DELETED going');
    expect(cluster.objects('Deployment')).toEqual([]);
  });
});

test('several clusters stand side by side and leave nothing behind', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'clusters-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const [one1, two] = [await running({}, { folder }), await running({}, { folder, adminToken: 'other' })];
  expect(one1.cluster.url).not.toBe(two.cluster.url);
  expect((await call(two.cluster, 'GET', '/api/v1/namespaces', { token: one1.cluster.adminToken })).code).toBe(401);
  expect(readdirSync(folder)).toHaveLength(2);
  await one1.deploy('1.0.1-broken');
  await Promise.all([one1.cluster.stop(), two.cluster.stop(), two.cluster.stop()]);
  expect(existsSync(folder) && readdirSync(folder)).toEqual([]);
  await expect(fetch(two.cluster.url)).rejects.toThrow('fetch failed');
});
