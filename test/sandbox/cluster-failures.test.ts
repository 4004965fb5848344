import { describe, expect, test } from 'vitest';
import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import {
  archive,
  type ClusterWorld,
  type Files,
  fluxObjects,
  one,
  sampleApp,
  shown,
  startWorld,
} from './cluster-world.ts';

const demo = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } };
const without = (files: Files, ...names: readonly string[]) =>
  Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)));

/** Applies a source and a Kustomization of one artifact and waits for the first judged failure. */
async function failure(
  files: Files,
  spec: Record<string, unknown> = {},
  isJudged = (text: string) => !text.includes('Source artifact not found'),
) {
  const world = await startWorld();
  const digest = await world.push('team/app', 'main', files);
  world.cluster.apply([demo, ...fluxObjects(world.registry.host, 'team/app', 'app', spec)]);
  const isFailed = (object: ClusterObject) =>
    shown(object, 'Ready').startsWith('Ready=False') && isJudged(shown(object, 'Ready'));
  await world.cluster.until('Kustomization', one('app', isFailed));
  await world.cluster.until('Event', (events) =>
    events.some(
      (event) =>
        JSON.stringify(event['involvedObject']).includes('"Kustomization"') &&
        shown(world.cluster.get('Kustomization', 'flux-system', 'app'), 'Ready').includes(String(event['reason'])),
    ),
  );
  const object = world.cluster.get('Kustomization', 'flux-system', 'app');
  return { world, digest, object, ready: shown(object, 'Ready'), status: object?.status ?? {} };
}

describe('Kustomizations fail with the words of the real one', () => {
  test('when the source has nothing yet', async () => {
    const { cluster } = await startWorld();
    cluster.scripts.pause('source-controller');
    cluster.apply(fluxObjects('127.0.0.1:1', 'a/b', 'app'));
    await cluster.until(
      'Kustomization',
      one('app', (object) => shown(object, 'Ready') !== ''),
    );
    const object = cluster.get('Kustomization', 'flux-system', 'app');
    expect(shown(object, 'Ready')).toBe('Ready=False ArtifactFailed: Source artifact not found, retrying in 30s');
    expect(object?.status?.['observedGeneration']).toBe(-1);
  });

  test('on broken YAML, without history', async () => {
    const { ready, status, digest, object } = await failure({ ...sampleApp(), 'service.yaml': 'a: [\nb' });
    expect(ready).toMatch(
      /^Ready=False BuildFailed: kustomize build failed: accumulating resources: .*service\.yaml.*MalformedYAMLError/,
    );
    expect(shown(object, 'Reconciling')).toContain(
      'Reconciling=True ProgressingWithRetry: Building manifests for revision',
    );
    expect(status).toMatchObject({ lastAttemptedRevision: `main@${digest}`, observedGeneration: -1 });
    expect(status).not.toHaveProperty('history');
  });

  test('on a file that is no Kubernetes object, where a folder has no kustomization', async () => {
    const { ready } = await failure({ 'values.yaml': 'replicas: 2\n', ...without(sampleApp(), 'kustomization.yaml') });
    expect(ready).toMatch(
      /^Ready=False BuildFailed: failed to decode Kubernetes YAML from \/.*\/values\.yaml: missing Resource metadata$/,
    );
  });

  test('on an undefined variable; without postBuild it is applied as it stands', async () => {
    const files = { ...sampleApp('1.0.0', '${COLOR}') };
    const { ready, world } = await failure(files, { postBuild: { substitute: { OTHER: 'x' } } });
    expect(ready).toMatch(
      /^Ready=False BuildFailed: post build failed for 'ConfigMap\.v1\.\[noGrp\]\/podinfo-config-\w+': envsubst error: variable substitution failed: variable not set \(strict mode\): "COLOR"$/,
    );
    world.cluster.patch('Kustomization', 'flux-system', 'app', { spec: { postBuild: null } });
    await world.cluster.until(
      'Kustomization',
      one('app', (object) => shown(object, 'Ready').startsWith('Ready=True')),
    );
    expect(world.cluster.objects('ConfigMap', 'demo').map((object) => object['data'])).toEqual([{ color: '${COLOR}' }]);
  });

  test('on values that cannot be had or cannot be read', async () => {
    const absent = await failure(sampleApp(), {
      postBuild: { substituteFrom: [{ kind: 'ConfigMap', name: 'absent' }] },
    });
    expect(absent.ready).toMatch(
      /: post build failed for '.+': substitute from 'ConfigMap\/absent' error: configmaps "absent" not found$/,
    );
    const number = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: n, namespace: demo}\ndata: {a: 1}\n';
    expect((await failure({ 'cm.yaml': number })).ready).toBe(
      'Ready=False ReconciliationFailed: ConfigMap/demo/n dry-run failed: failed to create typed patch object (demo/n; /v1, Kind=ConfigMap): .data.a: expected string, got &value.valueUnstructured{Value:1}\n',
    );
    const broken = await failure({ 'cm.yaml': 'a: [\nb' });
    expect(broken.ready).toMatch(/cm\.yaml: MalformedYAMLError: yaml: line 2: did not find expected ',' or '\]'$/);
    const secret = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: demo}\nsops: {mac: "ENC[x]"}\n';
    expect((await failure({ 'secret.yaml': secret })).ready).toContain(
      'Secret/demo/s is SOPS encrypted, configuring decryption is required',
    );
  });

  test('on an invalid object', async () => {
    const { ready, status, world } = await failure({
      ...sampleApp(),
      'service.yaml': sampleApp()['service.yaml']?.replace('port: 80', 'port: 99999') ?? '',
    });
    expect(ready).toBe(
      'Ready=False ReconciliationFailed: Service/demo/podinfo dry-run failed (Invalid): Service "podinfo" is invalid: spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive\n',
    );
    expect(status['history']).toMatchObject([
      { lastReconciledStatus: 'ReconciliationFailed', totalReconciliations: 1 },
    ]);
    expect(world.cluster.objects('Deployment')).toEqual([]);
  });

  test('on a missing namespace and on an unknown kind', async () => {
    const missing = await failure(
      without(sampleApp('1.0.0', 'blue', 'absent-namespace'), 'service.yaml', 'kustomization.yaml'),
      { targetNamespace: 'absent-namespace' },
    );
    expect(missing.ready).toBe(
      'Ready=False ReconciliationFailed: Deployment/absent-namespace/podinfo not found: namespaces "absent-namespace" not found\n',
    );
    const unknown = await failure({
      'cart.yaml': 'apiVersion: shop.example/v1\nkind: Cart\nmetadata: {name: c, namespace: demo}\n',
    });
    expect(unknown.ready).toBe(
      'Ready=False ReconciliationFailed: Cart/demo/c dry-run failed: no matches for kind "Cart" in version "shop.example/v1"\n',
    );
  });

  test('on a path that is not there, before the attempt counts', async () => {
    const { ready, status } = await failure(sampleApp(), { path: './nope' });
    expect(ready).toMatch(
      /^Ready=False ArtifactFailed: kustomization path not found: stat \/.*\/nope: no such file or directory$/,
    );
    expect(status).not.toHaveProperty('lastAttemptedRevision');
  });

  test('on a Deployment that never comes up: after the timeout, with the cause in pod and event', async () => {
    const { ready, status, object, world } = await failure(sampleApp('1.0.0-broken'));
    expect(ready).toMatch(
      /^Ready=False HealthCheckFailed: health check failed after [\d.ms]+: timeout waiting for: \[Deployment\/demo\/podinfo status: 'InProgress'\]$/,
    );
    expect(shown(object, 'Healthy')).toBe(
      "Healthy=False HealthCheckFailed: timeout waiting for: [Deployment/demo/podinfo status: 'InProgress']",
    );
    expect(status['history']).toMatchObject([{ lastReconciledStatus: 'HealthCheckFailed' }]);
    expect(status).not.toHaveProperty('lastAppliedRevision');
    expect(world.cluster.objects('Pod')[0]?.status).toMatchObject({
      containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff' } } }],
    });
    expect(world.cluster.objects('Event', 'demo').map((event) => event['reason'])).toContain('BackOff');
  });

  test('on a Deployment past its deadline: at once', async () => {
    const { ready } = await failure(sampleApp('1.0.0-dead'), { timeout: '10m' });
    expect(ready).toMatch(/: failed early due to stalled resources: \[Deployment\/demo\/podinfo status: 'Failed'\]$/);
  });

  test('on a dependency that is not ready: without an attempt', async () => {
    const world = await startWorld();
    const { cluster, registry } = world;
    await world.push('team/app', 'main', sampleApp('1.0.0-broken'));
    const [source, first] = fluxObjects(registry.host, 'team/app', 'app');
    const [, second] = fluxObjects(registry.host, 'team/app', 'app', { dependsOn: [{ name: 'app' }] });
    cluster.apply([
      demo,
      source,
      first,
      { ...second, metadata: { name: 'later', namespace: 'flux-system' } },
    ] as ClusterObject[]);
    await cluster.until(
      'Kustomization',
      one('later', (object) => shown(object, 'Ready').includes('DependencyNotReady')),
    );
    const later = cluster.get('Kustomization', 'flux-system', 'later');
    expect(shown(later, 'Ready')).toBe("Ready=False DependencyNotReady: dependency 'flux-system/app' is not ready");
    expect(later?.status).not.toHaveProperty('lastAttemptedRevision');
    expect(shown(later, 'Reconciling')).toBe('');
  });
});

async function sourceFailure(
  change: (world: ClusterWorld) => void | Promise<void>,
  spec: Record<string, unknown> = {},
  registryOptions = {},
) {
  const world = await startWorld({}, registryOptions);
  await change(world);
  const [source] = fluxObjects(world.registry.host, 'team/app', 'app');
  world.cluster.apply({ ...source, spec: { ...source?.spec, ...spec } } as ClusterObject);
  await world.cluster.until(
    'OCIRepository',
    one('app', (object) => shown(object, 'Ready').startsWith('Ready=False')),
  );
  const object = world.cluster.get('OCIRepository', 'flux-system', 'app');
  return {
    host: world.registry.host,
    ready: shown(object, 'Ready'),
    fetch: shown(object, 'FetchFailed'),
    reconciling: shown(object, 'Reconciling'),
  };
}

describe('OCI sources fail with the words of the real one', () => {
  test('when tag or repository is missing', async () => {
    const { host, fetch, ready, reconciling } = await sourceFailure(
      async (world) => void (await world.push('team/app', 'other', sampleApp())),
    );
    expect(fetch).toContain(
      `FetchFailed=True OCIArtifactPullFailed: failed to determine artifact digest: GET http://${host}/v2/team/app/manifests/main: MANIFEST_UNKNOWN: manifest unknown`,
    );
    expect(ready.replace('Ready=False', 'FetchFailed=True')).toBe(fetch);
    expect(reconciling).toContain('Reconciling=True ProgressingWithRetry: building artifact');
  });

  test('when the layer is no archive, or holds a pipe', async () => {
    const cut = (await archive(sampleApp())).subarray(0, 60);
    const broken = await sourceFailure((world) => void world.pushLayer('team/app', 'main', cut));
    expect(broken.fetch).toBe(
      'FetchFailed=True OCIArtifactLayerOperationFailed: failed to extract layer contents from artifact: tar error: unexpected EOF',
    );
    const plain = await sourceFailure((world) => void world.pushLayer('team/app', 'main', Buffer.from('hello')));
    expect(plain.fetch).toContain(
      'OCIArtifactLayerOperationFailed: failed to extract layer contents from artifact: requires gzip-compressed body',
    );
  });

  test('when the pull Secret is missing', async () => {
    const { fetch } = await sourceFailure(() => undefined, { secretRef: { name: 'pull' } });
    expect(fetch).toMatch(/AuthenticationFailed: .*secrets "pull" not found/);
  });

  test('when the realm is a private address of another host', async () => {
    const realm = 'http://127.0.0.2:1/jwt/auth';
    const { fetch } = await sourceFailure(
      () => undefined,
      {},
      { auth: { realm, service: 'container_registry', verify: () => null } },
    );
    expect(fetch).toBe(
      'FetchFailed=True OCIArtifactPullFailed: failed to determine artifact digest: invalid realm in www-authenticate: realm host "127.0.0.2" is a private or link-local address',
    );
  });
});
