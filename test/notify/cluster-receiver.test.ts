import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { ReceiverSettings } from '../../src/config/config.ts';
import { requestReconcile } from '../../src/notify/reconcile.ts';
import { secret } from '../../src/secret.ts';
import { connectCluster } from '../../src/systems/cluster-kubernetes.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { fetchHttp } from '../../src/systems/http-fetch.ts';
import { fluxObjects, one, shown, startWorld, type ClusterWorld } from '../sandbox/cluster-world.ts';

const source = { kind: 'OCIRepository', namespace: 'flux-system', name: 'app' };
const settings: ReceiverSettings = {
  name: 'sluice',
  namespace: 'flux-system',
  url: null,
  type: 'generic-hmac',
  secretEnv: 'RECEIVER',
};

/** A cluster with a Receiver, and a job that may do exactly what the published Role says. */
async function withReceiver(spec: Readonly<Record<string, unknown>>): Promise<ClusterWorld> {
  const world = await startWorld();
  const { cluster } = world;
  const [repository] = fluxObjects('127.0.0.1:1', 'a/b', 'app');
  if (!repository) throw new Error('no source');
  cluster.apply(await readFile('examples/agent-config/rbac/sluice.yaml', 'utf8'));
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'jobs' }];
  const bind = (kind: string, role: string) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: `${kind}Binding`,
    metadata: kind === 'Role' ? { name: role, namespace: 'flux-system' } : { name: role },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: role },
    subjects,
  });
  cluster.apply([
    repository,
    bind('ClusterRole', 'sluice-watch'),
    bind('Role', 'sluice-receiver'),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'token', namespace: 'flux-system' },
      stringData: { token: 'lab-token' },
    },
    {
      apiVersion: 'notification.toolkit.fluxcd.io/v1',
      kind: 'Receiver',
      metadata: { name: 'sluice', namespace: 'flux-system' },
      spec: {
        resources: [{ apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'OCIRepository', name: 'app' }],
        secretRef: { name: 'token' },
        ...spec,
      },
    },
  ]);
  cluster.addToken('job', 'gitlab:ci_job:7', ['jobs']);
  await cluster.until(
    'Receiver',
    one('sluice', (object) => shown(object, 'Ready').startsWith('Ready=True')),
  );
  return world;
}

function ask({ cluster }: ClusterWorld, receiver: Partial<ReceiverSettings> = {}) {
  return requestReconcile({
    cluster: connectCluster({ name: 'eu', context: 'eu', kubeconfig: cluster.kubeconfig('eu', 'job') }),
    http: fetchHttp(),
    settings: { name: 'eu', context: 'eu', notify: ['receiver', 'annotate'], receiver: { ...settings, ...receiver } },
    followed: { app: 'app', environment: 'staging', wanted: 'sha256:x' },
    source,
    secretOf: () => secret('lab-token'),
    idToken: undefined,
    clock: systemClock(),
    signal: new AbortController().signal,
  });
}

test('through the service proxy, with create on the receiver’s service and no right to patch', async () => {
  const world = await withReceiver({ type: 'generic-hmac' });
  expect(await ask(world)).toMatchObject({ way: 'receiver' });
  expect(world.cluster.get('OCIRepository', 'flux-system', 'app')?.metadata.annotations).toHaveProperty([
    'reconcile.fluxcd.io/requestedAt',
  ]);
});

test('the gitlab type through the service proxy, and directly', async () => {
  const world = await withReceiver({ type: 'gitlab', events: ['Push Hook'] });
  expect(await ask(world, { type: 'gitlab' })).toMatchObject({ way: 'receiver' });
  expect(await ask(world, { type: 'gitlab', url: world.cluster.receiverUrl })).toMatchObject({ way: 'receiver' });
});

test('a filter that lets the request’s body choose', async () => {
  const world = await withReceiver({ type: 'generic-hmac', resourceFilter: 'req.app == "app"' });
  expect(await ask(world)).toMatchObject({ way: 'receiver' });
});

test('a filter that matches nothing, a suspended Receiver, another token: the reason, and that annotating needs a right', async () => {
  const world = await withReceiver({ type: 'generic-hmac', resourceFilter: 'req.app == "other"' });
  const patch = { way: 'annotate', reason: 'no right to patch OCIRepository flux-system/app' };
  expect(await ask(world)).toMatchObject({
    way: 'none',
    tried: [{ reason: expect.stringContaining('did not move') }, patch],
  });
  world.cluster.patch('Receiver', 'flux-system', 'sluice', { spec: { suspend: true } });
  expect(await ask(world)).toMatchObject({ tried: [{ reason: expect.stringContaining('suspended') }, patch] });
  expect(await ask(world, { name: 'elsewhere' })).toMatchObject({
    tried: [{ reason: expect.stringContaining('no such Receiver') }, patch],
  });
});
