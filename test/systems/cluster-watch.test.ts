import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WatchEvent } from '../../src/systems/cluster.ts';
import { connectCluster } from '../../src/systems/cluster-kubernetes.ts';
import { startKubernetes, statusObject, type KubernetesDouble } from '../doubles/kubernetes.ts';
import { kustomization, ours } from '../watch/objects.ts';

const kustomizations = {
  group: 'kustomize.toolkit.fluxcd.io',
  version: 'v1',
  plural: 'kustomizations',
  kind: 'Kustomization',
};

let kubernetes: KubernetesDouble;
beforeEach(async () => {
  kubernetes = await startKubernetes();
});
afterEach(async () => {
  await kubernetes.stop();
});
const connect = (more: Partial<Parameters<typeof connectCluster>[0]> = {}) =>
  connectCluster({ name: 'staging-eu', context: 'team/agents:main', kubeconfig: kubernetes.kubeconfig, ...more });

describe('watching', () => {
  async function collect(until: (event: WatchEvent) => boolean, act: () => void, more: object = {}) {
    const abort = new AbortController();
    const events: WatchEvent[] = [];
    const watching = connect(more).watch(kustomizations, null, '100', abort.signal);
    const requested = () => kubernetes.requests.some(({ path }) => path.includes('watch=true'));
    const acting = (async () => {
      while (!requested()) await new Promise((resolve) => setImmediate(resolve));
      act();
    })();
    for await (const event of watching) {
      events.push(event);
      if (until(event)) break;
    }
    await acting;
    abort.abort();
    return events;
  }

  test('streams changes after a version and ends with gone', async () => {
    const object = kustomization(`staging@${ours}`);
    const events = await collect(
      (event) => event.type === 'gone',
      () => {
        kubernetes.put(object);
        kubernetes.put(object);
        kubernetes.remove(object);
        kubernetes.cutWatches();
      },
    );
    expect(events.map((event) => event.type)).toEqual(['added', 'modified', 'deleted', 'gone']);
  });

  test('410 comes inside a 200 answer', async () => {
    const line = JSON.stringify({ type: 'ERROR', object: statusObject(410, 'too old resource version') });
    const events = await collect(
      (event) => event.type === 'gone',
      () => kubernetes.cutWatches(line),
    );
    expect(events).toEqual([{ type: 'gone', reason: '410 too old resource version' }]);
  });

  test('bookmarks pass silently; a broken line ends the watch instead of being lost', async () => {
    const bookmark = JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '7' } } });
    const events = await collect(
      (event) => event.type === 'gone',
      () => kubernetes.cutWatches(`${bookmark}\n{"type":"ADDED","obj`),
    );
    expect(events).toEqual([{ type: 'gone', reason: 'a line of the stream is no watch event' }]);
  });

  test('silence ends it', async () => {
    const events = await collect(
      (event) => event.type === 'gone',
      () => {},
      { idleMs: 50 },
    );
    expect(events).toEqual([{ type: 'gone', reason: 'nothing heard for 50 ms' }]);
  });

  test.each([410, 426, 429, 504])('an HTTP %i instead of a stream is gone, not a fault', async (status) => {
    kubernetes.interfere(() => ({ status, body: JSON.stringify(statusObject(status, 'no')) }));
    expect(
      await collect(
        (event) => event.type === 'gone',
        () => {},
      ),
    ).toEqual([{ type: 'gone', reason: `HTTP ${status} no` }]);
  });

  test('an abort ends it without a word', async () => {
    const abort = new AbortController();
    const watching = connect().watch(kustomizations, null, '100', abort.signal)[Symbol.asyncIterator]();
    const next = watching.next();
    while (!kubernetes.requests.some(({ path }) => path.includes('watch=true')))
      await new Promise((resolve) => setImmediate(resolve));
    kubernetes.put(kustomization(`staging@${ours}`));
    expect((await next).value).toMatchObject({ type: 'added' });
    const end = watching.next();
    abort.abort();
    expect((await end).done).toBe(true);
  });
});
