import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { evaluateFilter } from '../../sandbox/cluster/flux/expression.ts';
import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import { call, type ClusterWorld, fluxObjects, one, shown, startWorld } from './cluster-world.ts';

const resources = [{ apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'OCIRepository', name: 'app' }];
const receiver = (name: string, spec: Record<string, unknown>): ClusterObject => ({
  apiVersion: 'notification.toolkit.fluxcd.io/v1',
  kind: 'Receiver',
  metadata: { name, namespace: 'flux-system' },
  spec: { resources, ...spec },
});

async function startReceivers() {
  const world = await startWorld();
  world.cluster.scripts.pause('source-controller');
  const [source] = fluxObjects('127.0.0.1:1', 'a/b', 'app');
  world.cluster.apply([
    ...(source ? [source] : []),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'token', namespace: 'flux-system' },
      stringData: { token: 'lab-token' },
    },
  ]);
  return world;
}

async function pathOf({ cluster }: ClusterWorld, object: ClusterObject): Promise<string> {
  cluster.apply(object);
  await cluster.until(
    'Receiver',
    one(
      object.metadata.name,
      (found) => shown(found, 'Ready').startsWith('Ready=True') && found.status?.['webhookPath'] !== undefined,
    ),
  );
  return cluster.get('Receiver', 'flux-system', object.metadata.name)?.status?.['webhookPath'] as string;
}

async function post(url: string, headers: Record<string, string> = {}, body = '{}') {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  return `${response.status} ${await response.text()}`.trim();
}

const signed = (body: string) => ({
  'x-signature': `sha256=${createHmac('sha256', 'lab-token').update(body).digest('hex')}`,
});
const asked = ({ cluster }: ClusterWorld) =>
  cluster.get('OCIRepository', 'flux-system', 'app')?.metadata.annotations?.['reconcile.fluxcd.io/requestedAt'];

test('generic-hmac answers as the real one, with an empty body, and annotates before it answers', async () => {
  const world = await startReceivers();
  const { cluster } = world;
  const path = await pathOf(world, receiver('hmac', { type: 'generic-hmac', secretRef: { name: 'token' } }));
  expect(path).toBe(`/hook/${createHash('sha256').update('lab-tokenhmacflux-system').digest('hex')}`);
  const url = cluster.receiverUrl + path;
  expect(await post(url, signed('{}'))).toBe('200');
  expect(asked(world)).toMatch(/^\d{4}-\d\d-\d\d .*m=\+/);
  expect(await post(url, { 'x-signature': `sha256=${'0'.repeat(64)}` })).toBe('400');
  expect(await post(url)).toBe('400');
  expect(await post(`${cluster.receiverUrl}/hook/${'0'.repeat(64)}`, signed('{}'))).toBe('404');
  expect(await post(`${url}?a=1`, signed('{}'))).toBe('404');
  cluster.patch('Receiver', 'flux-system', 'hmac', { spec: { suspend: true } });
  expect(await post(url, signed('{}'))).toBe('503');
  const absent = await pathOf(
    world,
    receiver('absent', {
      type: 'generic-hmac',
      secretRef: { name: 'token' },
      resources: [{ ...resources[0], name: 'absent' }],
    }),
  );
  expect(await post(cluster.receiverUrl + absent, signed('{}'))).toBe('500');
  const unlabelled = await pathOf(
    world,
    receiver('unlabelled', {
      type: 'generic-hmac',
      secretRef: { name: 'token' },
      resources: [{ ...resources[0], name: '*' }],
    }),
  );
  expect(await post(cluster.receiverUrl + unlabelled, signed('{}'))).toBe('500');
  const filtered = await pathOf(
    world,
    receiver('filtered', { type: 'generic-hmac', secretRef: { name: 'token' }, resourceFilter: 'req.digest == "x"' }),
  );
  const before = asked(world);
  expect(await post(cluster.receiverUrl + filtered, signed('{"digest":"y"}'), '{"digest":"y"}')).toBe('200');
  expect(await post(cluster.receiverUrl + filtered, signed('{}'))).toBe('500');
  expect(asked(world)).toBe(before);
  expect(await post(cluster.receiverUrl + filtered, signed('{"digest":"x"}'), '{"digest":"x"}')).toBe('200');
  expect(asked(world)).not.toBe(before);
});

test('the service proxy passes signatures on and eats Authorization', async () => {
  const world = await startReceivers();
  const { cluster } = world;
  const proxy = (path: string) => `/api/v1/namespaces/flux-system/services/http:webhook-receiver:80/proxy${path}`;
  const gitlab = await pathOf(
    world,
    receiver('gitlab', { type: 'gitlab', events: ['Push Hook'], secretRef: { name: 'token' } }),
  );
  const headers = { 'x-gitlab-token': 'lab-token', 'x-gitlab-event': 'Push Hook' };
  expect((await call(cluster, 'POST', proxy(gitlab), { body: {}, headers })).code).toBe(200);
  expect(
    (
      await call(cluster, 'POST', proxy(gitlab), {
        body: {},
        headers: { ...headers, 'x-gitlab-event': 'Tag Push Hook' },
      })
    ).code,
  ).toBe(400);
  expect((await call(cluster, 'POST', proxy(`${gitlab}?a=1`), { body: {}, headers })).code).toBe(404);
  const oidc = await pathOf(
    world,
    receiver('oidc', {
      type: 'generic-oidc',
      oidcProviders: [{ issuerURL: 'http://127.0.0.1:1', validations: [{ expression: 'true', message: '' }] }],
    }),
  );
  expect((await call(cluster, 'POST', proxy(oidc), { body: {} })).code).toBe(400);
  expect((await call(cluster, 'POST', proxy(oidc).replace('webhook-receiver', 'nothing'), { body: {} })).code).toBe(
    404,
  );
});

test("generic-oidc takes GitLab's id token when signature, audience, time and claims are right", async () => {
  const world = await startReceivers();
  const { cluster } = world;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const issuer = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    const keys = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256', use: 'sig' }] };
    response.end(JSON.stringify(request.url === '/jwks' ? keys : { issuer: address(), jwks_uri: `${address()}/jwks` }));
  });
  const address = () => `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    issuer.closeAllConnections();
    issuer.close();
  });
  const path = await pathOf(
    world,
    receiver('oidc', {
      type: 'generic-oidc',
      oidcProviders: [
        {
          issuerURL: address(),
          audience: 'flux',
          validations: [
            { expression: "claims.project_path == 'team/app' && claims.ref_protected == 'true'", message: 'no' },
          ],
        },
      ],
    }),
  );
  expect(path).toBe(`/hook/${createHash('sha256').update('oidcflux-system').digest('hex')}`);
  const now = Math.floor(Date.now() / 1000);
  const jwt = (claims: Record<string, unknown>) => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const body = `${part({ alg: 'RS256', kid: 'k' })}.${part({ iss: address(), aud: 'flux', exp: now + 300, nbf: now - 5, project_path: 'team/app', ref_protected: 'true', ...claims })}`;
    return `${body}.${sign('sha256', Buffer.from(body), privateKey).toString('base64url')}`;
  };
  const send = (token: string) => post(cluster.receiverUrl + path, { authorization: `Bearer ${token}` });
  expect(await send(jwt({}))).toBe('200');
  expect(asked(world)).toBeDefined();
  for (const claims of [{ project_path: 'x/y' }, { aud: 'z' }, { exp: 1 }, { iss: 'http://127.0.0.1:1' }])
    expect(await send(jwt(claims))).toBe('400');
  const [head, , signature] = jwt({}).split('.');
  expect(await send(`${head}.${jwt({ ref: 'x' }).split('.')[1]}.${signature}`)).toBe('400');
  expect(await post(cluster.receiverUrl + path)).toBe('400');
});

test.each([
  ['has(req.a) && req.a.b == "x"', true],
  ['has(req.c) && req.c.b == "x"', false],
  ['has(req.c) || req.a.b in ["x", "y"]', true],
  ["req.a.b.startsWith('x') ? req.n > 2 : false", true],
  ['!(req.n == 3)', false],
  ['req["list"][1] == 5 && req.a.b.size() == 1', true],
])('the expression %s', (expression, value) => {
  expect(evaluateFilter(expression, { req: { a: { b: 'x' }, n: 3, list: [4, 5] } })).toBe(value);
});

test('an expression on a missing field says so', () => {
  expect(() => evaluateFilter('req.digest == "x"', { req: {} })).toThrow('no such key: digest');
});
