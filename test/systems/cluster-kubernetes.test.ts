import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect as connectSocket, createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Fault } from '../../src/fault.ts';
import { connectCluster, contextsOf } from '../../src/systems/cluster-kubernetes.ts';
import { kubeconfigFor, startKubernetes, statusObject, type KubernetesDouble } from '../doubles/kubernetes.ts';
import { deployment, kustomization, ours } from '../watch/objects.ts';

const kustomizations = {
  group: 'kustomize.toolkit.fluxcd.io',
  version: 'v1',
  plural: 'kustomizations',
  kind: 'Kustomization',
};
const deployments = { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment' };
const pods = { group: '', version: 'v1', plural: 'pods', kind: 'Pod' };

let kubernetes: KubernetesDouble;
beforeEach(async () => {
  kubernetes = await startKubernetes();
});
afterEach(async () => {
  await kubernetes.stop();
});
const connect = (more: Partial<Parameters<typeof connectCluster>[0]> = {}) =>
  connectCluster({ name: 'staging-eu', context: 'team/agents:main', kubeconfig: kubernetes.kubeconfig, ...more });

async function faultOf(act: () => unknown): Promise<Fault> {
  try {
    await act();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('no fault');
}

describe('contexts', () => {
  test('are listed in order, with colons and slashes', () => {
    expect(contextsOf(kubernetes.kubeconfig)).toEqual(['team/agents:main', 'other']);
  });

  test('an unknown one is refused and the ones there are are named', async () => {
    const fault = await faultOf(() => connect({ context: 'team/agents:nope', hint: 'Share the agent.' }));
    expect(fault).toMatchObject({ code: 'context_missing', hint: 'Share the agent.' });
    expect(fault.message).toContain('"team/agents:main", "other"');
  });

  test.each(['', '{ not: yaml', '[]', 'clusters: 3'])(
    'a kubeconfig %j is a fault without its text',
    async (kubeconfig) => {
      const fault = await faultOf(() => connect({ kubeconfig }));
      expect(fault.code).toBe('context_missing');
      expect(fault.message).not.toContain('not: yaml');
    },
  );

  test('of several files the first wins', async () => {
    const second = kubeconfigFor('http://127.0.0.1:1').replaceAll('other', 'third');
    expect(contextsOf([kubernetes.kubeconfig, second])).toEqual(['team/agents:main', 'other', 'third']);
    kubernetes.put(deployment());
    const cluster = connect({ kubeconfig: [kubernetes.kubeconfig, second] });
    expect(await cluster.get(deployments, 'shop', 'podinfo')).toMatchObject({ metadata: { name: 'podinfo' } });
  });
});

describe('reading', () => {
  test('lists over pages, with kinds, without managed fields, and the token', async () => {
    kubernetes.pages(2);
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      kubernetes.put(deployment({ name, metadata: { managedFields: [{ manager: 'x' }] } }));
    const answer = await connect().list(deployments, null);
    if (typeof answer === 'string') throw new Error(answer);
    expect(answer.items.map((item) => [item.kind, item.metadata.name])).toEqual(
      ['a', 'b', 'c', 'd', 'e'].map((name) => ['Deployment', name]),
    );
    expect(JSON.stringify(answer.items)).not.toContain('managedFields');
    expect(answer.resourceVersion).toBe('105');
    expect(kubernetes.requests.every((request) => request.authorization === 'Bearer ci:1:job-token-value')).toBe(true);
  });

  test('begins again when a page has expired', async () => {
    kubernetes.pages(1);
    kubernetes.put(deployment({ name: 'a' }));
    kubernetes.put(deployment({ name: 'b' }));
    let expired = false;
    kubernetes.interfere(({ path }) => {
      if (!path.includes('continue=') || expired) return undefined;
      expired = true;
      return { status: 410, body: JSON.stringify(statusObject(410, 'The provided continue parameter is too old')) };
    });
    const answer = await connect().list(deployments, 'shop');
    expect(typeof answer === 'string' ? answer : answer.items.map((item) => item.metadata.name)).toEqual(['a', 'b']);
  });

  test('the core group has its own path', async () => {
    await connect().list(pods, 'shop');
    expect(kubernetes.requests.at(-1)?.path).toBe('/api/v1/namespaces/shop/pods?limit=500');
  });

  test('what is not there is missing, what is not allowed is forbidden', async () => {
    const cluster = connect();
    expect(await cluster.get(kustomizations, 'flux-system', 'nope')).toBe('missing');
    expect(await cluster.list({ ...kustomizations, plural: 'unknowns' }, null)).toBe('missing');
    kubernetes.interfere(() => ({
      status: 403,
      body: JSON.stringify(statusObject(403, 'kustomizations is forbidden')),
    }));
    expect(await cluster.list(kustomizations, null)).toBe('forbidden');
    expect(await cluster.annotate(kustomizations, 'flux-system', 'podinfo', { a: 'b' })).toBe('forbidden');
  });
});

describe('writing', () => {
  test('annotates by merge patch and leaves the rest', async () => {
    kubernetes.put(kustomization(`staging@${ours}`, { metadata: { annotations: { keep: 'me' } } }));
    expect(await connect().annotate(kustomizations, 'flux-system', 'podinfo', { asked: 'now' })).toBe('done');
    expect(await connect().get(kustomizations, 'flux-system', 'podinfo')).toMatchObject({
      metadata: { annotations: { keep: 'me', asked: 'now' } },
    });
    expect(await connect().annotate(kustomizations, 'flux-system', 'nope', { asked: 'now' })).toBe('missing');
  });

  test('posts answer the status and are never repeated', async () => {
    kubernetes.interfere(({ method }) => (method === 'POST' ? { status: 503 } : undefined));
    expect(
      await connect().post(
        '/api/v1/namespaces/flux-system/services/http:webhook-receiver:80/proxy/hook/1',
        { 'x-signature': 'sha256=1' },
        '{}',
      ),
    ).toBe(503);
    expect(kubernetes.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test('a redirect is not followed', async () => {
    const other = await startKubernetes();
    kubernetes.interfere(() => ({ status: 307, headers: { location: `${other.url}/hook` } }));
    expect(await connect().post('/hook', {}, '{}')).toBe(307);
    expect(other.requests).toEqual([]);
    await other.stop();
  });
});

describe('trouble', () => {
  test.each([425, 426, 429, 500, 502, 503, 504])('HTTP %i is tried again', async (status) => {
    let left = 1;
    kubernetes.interfere(() => (left-- > 0 ? { status } : undefined));
    expect(await connect().list(deployments, null)).toMatchObject({ items: [] });
  });

  test('an API server that stays away is cluster_unavailable, with its address', async () => {
    kubernetes.interfere(() => ({ status: 503, body: JSON.stringify(statusObject(503, 'the server is overloaded')) }));
    const fault = await faultOf(() => connect().list(deployments, null));
    expect(fault.code).toBe('cluster_unavailable');
    expect(fault.message).toContain(`${kubernetes.url}): HTTP 503 the server is overloaded`);
  });

  test.each([
    [401, 'GitLab Agent Server: Unauthorized: CI job token. Trace ID: 1', 'token_refused'],
    [403, 'GitLab Agent Server: Forbidden: agentId is not allowed', 'token_refused'],
    [404, 'GitLab Agent Server: Not found: agents for CI job token', 'token_refused'],
    [502, 'GitLab Agent Server: Failed to make outbound connection', 'cluster_unavailable'],
  ] as const)('the agent’s own %i is told in its words', async (code, message, expected) => {
    kubernetes.interfere(() => ({ status: code, body: JSON.stringify(statusObject(code, message)) }));
    const fault = await faultOf(() => connect().list(deployments, null));
    expect(fault.code).toBe(expected);
    expect(fault.message).toContain(message);
    expect(fault.message).not.toContain('job-token-value');
  });

  test('the cluster’s own 401 is a refused credential', async () => {
    kubernetes.interfere(() => ({ status: 401, body: JSON.stringify(statusObject(401, 'Unauthorized')) }));
    expect(await faultOf(() => connect().get(deployments, 'shop', 'podinfo'))).toMatchObject({ code: 'token_refused' });
  });

  test('nobody there, no answer in time, and no HTTP', async () => {
    const gone = kubeconfigFor('http://127.0.0.1:2');
    expect(await faultOf(() => connect({ kubeconfig: gone }).list(deployments, null))).toMatchObject({
      code: 'cluster_unavailable',
    });
    kubernetes.interfere(() => 'hang');
    const late = await faultOf(() => connect({ timeoutMs: 50 }).list(deployments, null));
    expect(late.message).toContain('no answer within 50 ms');
    const odd = createServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n')).listen(0, '127.0.0.1');
    await once(odd, 'listening');
    const { port } = odd.address() as AddressInfo;
    expect(
      await faultOf(() => connect({ kubeconfig: kubeconfigFor(`http://127.0.0.1:${port}`) }).list(deployments, null)),
    ).toMatchObject({ code: 'cluster_unavailable' });
    odd.close();
  });

  test('a kept connection that the server has closed is no failure, for a post neither', async () => {
    const used = new Set<unknown>();
    await using server = createHttpServer((request, response) => {
      const again = used.has(request.socket);
      used.add(request.socket);
      if (again) request.socket.destroy();
      else response.end('{"items":[]}');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const cluster = connect({ kubeconfig: kubeconfigFor(`http://127.0.0.1:${port}`) });
    for (const _ of [1, 2]) expect(await cluster.post('/hook', {}, '{}')).toBe(200);
    expect(await cluster.list(deployments, null)).toMatchObject({ items: [] });
    expect(used.size).toBe(3);
  });

  test('an abort gives its reason', async () => {
    kubernetes.interfere(() => 'hang');
    const abort = new AbortController();
    const reading = connect().list(deployments, null, abort.signal);
    abort.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });
});

test('goes through a proxy where one is named for the server', async () => {
  const asked: string[] = [];
  const proxy = createHttpServer().on('connect', (request, socket, head) => {
    asked.push(request.url ?? '');
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const upstream = connectSocket(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  kubernetes.put(deployment());
  const cluster = connect({ proxyFor: (server) => (server === kubernetes.url ? address : undefined) });
  expect(await cluster.get(deployments, 'shop', 'podinfo')).toMatchObject({ metadata: { name: 'podinfo' } });
  expect(asked[0]).toBe(kubernetes.url.replace('http://', ''));
  proxy.closeAllConnections();
  proxy.close();
});
