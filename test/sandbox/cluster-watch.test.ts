import { CoreV1Api, CustomObjectsApi, KubeConfig, Watch } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import type { ClusterObject, SimulatedCluster } from '../../sandbox/cluster/handle.ts';
import { call, fluxObjects, startWorld } from './cluster-world.ts';

const configMaps = '/api/v1/namespaces/default/configmaps';

function client(cluster: SimulatedCluster): KubeConfig {
  const config = new KubeConfig();
  config.loadFromString(cluster.kubeconfig('shop/agents:eu'));
  return config;
}

/** Reads a raw watch until it ends or `enough` events came. */
async function watchRaw(
  cluster: SimulatedCluster,
  query: string,
  enough: number,
): Promise<{ type: string; object: Record<string, unknown> }[]> {
  const response = await fetch(`${cluster.url}${configMaps}?watch=1&${query}`, {
    headers: { authorization: `Bearer ${cluster.adminToken}` },
  });
  const events: { type: string; object: Record<string, unknown> }[] = [];
  let buffer = '';
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    buffer += decoder.decode(part as Uint8Array, { stream: true });
    const lines = buffer.split('\n');
    buffer = lines.pop() ?? '';
    events.push(...lines.filter((line) => line !== '').map((line) => JSON.parse(line) as (typeof events)[number]));
    if (events.length >= enough) break;
  }
  return events;
}

describe('watches', () => {
  test('resume after a version, see labels come and go, and are told when the past is gone', async () => {
    const { cluster } = await startWorld();
    const put = (labels: Record<string, string>) =>
      cluster.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default', labels } });
    const [first] = put({ app: 'x' });
    const from = first?.metadata.resourceVersion ?? '';
    put({ app: 'y' });
    put({ app: 'x' });
    cluster.remove('ConfigMap', 'default', 'a');
    const seen = await watchRaw(cluster, `resourceVersion=${from}&labelSelector=app%3Dx`, 3);
    expect(seen.map(({ type }) => type)).toEqual(['DELETED', 'ADDED', 'DELETED']);
    const bookmarked = await watchRaw(
      cluster,
      `sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
      1,
    );
    expect(bookmarked[0]).toMatchObject({
      type: 'BOOKMARK',
      object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    cluster.scripts.compact();
    const [gone] = await watchRaw(cluster, `resourceVersion=${from}`, 1);
    expect(gone).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    expect(await watchRaw(cluster, 'timeoutSeconds=1', 5)).toEqual([]);
  });

  test('are cut and refused by script, as an agent in trouble does', async () => {
    const { cluster } = await startWorld();
    const ended = watchRaw(cluster, '', 1).catch(() => 'cut');
    const until = async (isSeen: () => boolean) => {
      while (!isSeen()) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await until(() => cluster.requests().some(({ verb }) => verb === 'watch'));
    cluster.scripts.cutWatches(true);
    expect(await ended).toBe('cut');
    expect((await call(cluster, 'GET', `${configMaps}?watch=1`)).code).toBe(500);
    const rule = cluster.scripts.fail({
      when: ({ verb, resource }) => verb === 'list' && resource === 'configmaps',
      answer: 503,
    });
    expect((await call(cluster, 'GET', configMaps)).code).toBe(503);
    rule.remove();
    expect((await call(cluster, 'GET', configMaps)).code).toBe(200);
    cluster.scripts.offline(true);
    await expect(call(cluster, 'GET', configMaps)).rejects.toThrow('fetch failed');
  });
});

test("Kubernetes' own client lists, patches and watches", async () => {
  const { cluster } = await startWorld();
  const config = client(cluster);
  const core = config.makeApiClient(CoreV1Api);
  const namespaces = await core.listNamespace();
  expect(namespaces.items.map(({ metadata }) => metadata?.name)).toEqual(['default', 'flux-system', 'kube-system']);
  cluster.scripts.pause('source-controller');
  cluster.apply(fluxObjects('127.0.0.1:1', 'a/b', 'app'));
  const custom = config.makeApiClient(CustomObjectsApi);
  const kind = {
    group: 'source.toolkit.fluxcd.io',
    version: 'v1',
    namespace: 'flux-system',
    plural: 'ocirepositories',
  };
  const listed = (await custom.listNamespacedCustomObject(kind)) as {
    items: ClusterObject[];
    metadata: { resourceVersion: string };
  };
  expect(listed.items.map(({ metadata }) => metadata.name)).toEqual(['app']);
  const seen: string[] = [];
  let abort: AbortController | undefined;
  const ended = new Promise<void>((resolve, reject) => {
    new Watch(config)
      .watch(
        '/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/ocirepositories',
        { resourceVersion: listed.metadata.resourceVersion },
        (phase: string, object: ClusterObject) => {
          seen.push(`${phase} ${object.metadata.annotations?.['a'] ?? ''}`);
          abort?.abort();
        },
        () => resolve(),
      )
      .then((controller) => {
        abort = controller;
        return cluster.patch('OCIRepository', 'flux-system', 'app', { metadata: { annotations: { a: 'b' } } });
      }, reject);
  });
  await ended;
  expect(seen).toEqual(['MODIFIED b']);
  await expect(core.readNamespacedConfigMap({ name: 'no', namespace: 'default' })).rejects.toMatchObject({ code: 404 });
});
