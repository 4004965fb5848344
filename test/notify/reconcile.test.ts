import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ClusterSettings, ReceiverSettings } from '../../src/config/config.ts';
import { requestReconcile, type ReconcileOptions } from '../../src/notify/reconcile.ts';
import { findSources } from '../../src/notify/find-source.ts';
import { serviceProxyPath, webhookPath } from '../../src/notify/receiver.ts';
import { secret } from '../../src/secret.ts';
import { connectCluster } from '../../src/systems/cluster-kubernetes.ts';
import { fetchHttp } from '../../src/systems/http-fetch.ts';
import { fastClock } from '../doubles/fast-clock.ts';
import { startKubernetes, statusObject, type KubernetesDouble } from '../doubles/kubernetes.ts';
import { agentReceiver, gitRepository, ociRepository, ours } from '../watch/objects.ts';

const TOKEN = 'receiver-token-value';
const source = { kind: 'OCIRepository', namespace: 'flux-system', name: 'podinfo' };
const hmac: ReceiverSettings = {
  name: 'sluice',
  namespace: 'flux-system',
  url: null,
  type: 'generic-hmac',
  secretEnv: 'RECEIVER',
};

let kubernetes: KubernetesDouble;
let webhook: Server;
let calls: { path: string; headers: IncomingMessage['headers']; body: string }[];
let answerWith: number;
let moves: boolean;
beforeEach(async () => {
  kubernetes = await startKubernetes();
  kubernetes.put(ociRepository(ours));
  calls = [];
  answerWith = 200;
  moves = true;
  webhook = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      calls.push({ path: request.url ?? '', headers: request.headers, body });
      if (moves)
        kubernetes.put(
          ociRepository(ours, { metadata: { annotations: { 'reconcile.fluxcd.io/requestedAt': 'by the receiver' } } }),
        );
      response.writeHead(answerWith, answerWith === 302 ? { location: '/elsewhere' } : {}).end();
    });
  }).listen(0, '127.0.0.1');
  await once(webhook, 'listening');
});
afterEach(async () => {
  webhook.closeAllConnections();
  webhook.close();
  await kubernetes.stop();
});

const direct = () => `http://127.0.0.1:${(webhook.address() as AddressInfo).port}`;
function ask(settings: Partial<ClusterSettings>, more: Partial<ReconcileOptions> = {}) {
  return requestReconcile({
    cluster: connectCluster({ name: 'staging-eu', context: 'team/agents:main', kubeconfig: kubernetes.kubeconfig }),
    http: fetchHttp(),
    settings: { name: 'staging-eu', context: 'team/agents:main', notify: ['annotate'], receiver: null, ...settings },
    followed: { app: 'podinfo', environment: 'staging', wanted: ours },
    source,
    secretOf: (variable) => (variable === 'RECEIVER' ? secret(TOKEN) : undefined),
    idToken: secret('header.claims.signature'),
    clock: fastClock(20),
    signal: new AbortController().signal,
    ...more,
  });
}
const annotations = async () => {
  const cluster = connectCluster({ name: 'x', context: 'other', kubeconfig: kubernetes.kubeconfig });
  const kind = { group: 'source.toolkit.fluxcd.io', version: 'v1', plural: 'ocirepositories', kind: 'OCIRepository' };
  const object = await cluster.get(kind, 'flux-system', 'podinfo');
  return typeof object === 'string' ? {} : (object.metadata.annotations ?? {});
};

describe('annotate', () => {
  test('patches a token that is new each time', async () => {
    const first = await ask({});
    expect(first).toMatchObject({ way: 'annotate', cluster: 'staging-eu', source });
    expect(await annotations()).toEqual({ 'reconcile.fluxcd.io/requestedAt': first.token });
    expect((await ask({})).token).not.toBe(first.token);
  });

  test('an older cluster is asked under the version it knows', async () => {
    kubernetes.interfere(({ path }) =>
      path.includes('/v1/') ? { status: 404, body: JSON.stringify(statusObject(404, 'not found')) } : undefined,
    );
    expect(await ask({})).toMatchObject({
      way: 'none',
      tried: [{ way: 'annotate', reason: 'OCIRepository flux-system/podinfo is not there' }],
    });
    expect(kubernetes.requests.map(({ path }) => path.split('?')[0])).toContain(
      '/apis/source.toolkit.fluxcd.io/v1beta2/namespaces/flux-system/ocirepositories/podinfo',
    );
  });

  test('no right is told as reason', async () => {
    kubernetes.interfere(({ method }) =>
      method === 'PATCH' ? { status: 403, body: JSON.stringify(statusObject(403, 'forbidden')) } : undefined,
    );
    expect(await ask({})).toMatchObject({
      way: 'none',
      tried: [{ way: 'annotate', reason: 'no right to patch OCIRepository flux-system/podinfo' }],
    });
  });

  test('none asks nobody', async () => {
    expect(await ask({ notify: ['none'] })).toMatchObject({ way: 'none' });
    expect(kubernetes.requests).toEqual([]);
  });
});

describe('receiver', () => {
  test('direct: exact path, signature of the body, JSON', async () => {
    const request = await ask({ notify: ['receiver'], receiver: { ...hmac, url: `${direct()}/` } });
    expect(request.way).toBe('receiver');
    const [call] = calls;
    expect(call?.path).toBe(`/hook/${createHash('sha256').update(`${TOKEN}sluiceflux-system`).digest('hex')}`);
    expect(call?.headers['x-signature']).toBe(
      `sha256=${createHmac('sha256', TOKEN)
        .update(call?.body ?? '')
        .digest('hex')}`,
    );
    expect(JSON.parse(call?.body ?? '')).toEqual({ ...source, app: 'podinfo', environment: 'staging', revision: ours });
    expect(call?.headers['content-type']).toBe('application/json');
  });

  test('gitlab type: its two headers', async () => {
    await ask({ notify: ['receiver'], receiver: { ...hmac, type: 'gitlab', url: direct() } });
    expect(calls[0]?.headers).toMatchObject({ 'x-gitlab-token': TOKEN, 'x-gitlab-event': 'Push Hook' });
  });

  test('through the service proxy, with the cluster’s credential', async () => {
    const path = serviceProxyPath('flux-system', webhookPath(TOKEN, 'sluice', 'flux-system'));
    kubernetes.interfere(({ method }) => {
      if (method !== 'POST') return undefined;
      kubernetes.put(
        ociRepository(ours, { metadata: { annotations: { 'reconcile.fluxcd.io/requestedAt': 'by the receiver' } } }),
      );
      return { status: 200 };
    });
    expect(await ask({ notify: ['receiver'], receiver: hmac })).toMatchObject({ way: 'receiver' });
    const posted = kubernetes.requests.find(({ method }) => method === 'POST');
    expect(posted?.path).toBe(path);
    expect(path).toMatch(
      /^\/api\/v1\/namespaces\/flux-system\/services\/http:webhook-receiver:80\/proxy\/hook\/[0-9a-f]{64}$/,
    );
  });

  test('trap 32: a 200 after which nothing moved falls through', async () => {
    moves = false;
    const request = await ask({ notify: ['receiver', 'annotate'], receiver: { ...hmac, url: direct() } });
    expect(request.way).toBe('annotate');
    expect(request.tried?.[0]?.reason).toContain('did not move');
  });

  test.each([
    [400, 'refused the credential'],
    [404, 'there is no such Receiver'],
    [500, 'could not annotate'],
    [503, 'suspended or not ready'],
    [302, 'redirects are not followed'],
  ])('HTTP %i falls through, with the reason', async (status, text) => {
    answerWith = status;
    const request = await ask({ notify: ['receiver', 'annotate'], receiver: { ...hmac, url: direct() } });
    expect(request).toMatchObject({
      way: 'annotate',
      tried: [{ way: 'receiver', reason: expect.stringContaining(text) }],
    });
    expect(calls).toHaveLength(1);
  });

  test('nobody there falls through, without the address’s credentials', async () => {
    const request = await ask({ notify: ['receiver', 'annotate'], receiver: { ...hmac, url: 'http://127.0.0.1:2' } });
    expect(request.tried?.[0]?.reason).toContain('does not answer');
    expect(JSON.stringify(request)).not.toContain(TOKEN);
  });

  test('a secret that is not set is a fault when no other way works', async () => {
    const settings = { notify: ['receiver' as const], receiver: { ...hmac, url: direct() } };
    await expect(ask(settings, { secretOf: () => undefined })).rejects.toMatchObject({
      code: 'token_missing',
      message: expect.stringContaining('RECEIVER'),
    });
    expect(await ask({ ...settings, notify: ['receiver', 'annotate'] }, { secretOf: () => undefined })).toMatchObject({
      way: 'annotate',
    });
  });
});

describe('oidc', () => {
  const oidc: ReceiverSettings = { ...hmac, type: 'generic-oidc', secretEnv: null };
  test('the ID token as bearer, a path without secret', async () => {
    const request = await ask({ notify: ['oidc'], receiver: { ...oidc, url: direct() } }, { cluster: null });
    expect(request.way).toBe('oidc');
    expect(calls[0]?.headers.authorization).toBe('Bearer header.claims.signature');
    expect(calls[0]?.path).toBe(`/hook/${createHash('sha256').update('sluiceflux-system').digest('hex')}`);
  });

  test('trap 33: not through the service proxy, and only for its own type', async () => {
    expect((await ask({ notify: ['oidc', 'annotate'], receiver: oidc })).tried?.[0]?.reason).toContain(
      'removes the Authorization header',
    );
    expect(
      (await ask({ notify: ['receiver', 'annotate'], receiver: { ...oidc, url: direct() } })).tried?.[0]?.reason,
    ).toContain('of type generic-oidc');
    expect(kubernetes.requests.some(({ method }) => method === 'POST')).toBe(false);
  });
});

test('sources of many addresses are found with one list per kind', async () => {
  kubernetes.put(gitRepository('1'.repeat(40)));
  const cluster = connectCluster({ name: 'x', context: 'other', kubeconfig: kubernetes.kubeconfig });
  const addresses = [
    {
      source: 'oci' as const,
      urls: ['registry.example.com/shop/delivery/podinfo'],
      reference: 'staging',
      namespace: 'flux-system',
      objects: [],
    },
    {
      source: 'oci' as const,
      urls: ['registry.example.com/shop/delivery/none'],
      reference: 'staging',
      namespace: 'flux-system',
      objects: [],
    },
    {
      source: 'git' as const,
      urls: ['git@gitlab.example.com:shop/delivery.git'],
      reference: 'main',
      namespace: 'flux-system',
      objects: [],
    },
  ];
  const found = await findSources(cluster, addresses);
  expect(addresses.map((address) => found.get(address)?.map((one) => one.name))).toEqual([
    ['podinfo'],
    [],
    ['delivery'],
  ]);
  expect(kubernetes.requests).toHaveLength(2);
});

test('the Receiver that GitLab’s agent made for a GitRepository is told, and asking goes on', async () => {
  kubernetes.put(gitRepository('1'.repeat(40)));
  kubernetes.put(agentReceiver);
  const delivery = { kind: 'GitRepository', namespace: 'flux-system', name: 'delivery' };
  const request = await ask({}, { source: delivery });
  expect(request).toMatchObject({
    way: 'annotate',
    tried: [{ way: 'receiver', reason: expect.stringContaining('gitlab-delivery') }],
  });
});
