import { describe, expect, test } from 'vitest';
import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import { call, fluxObjects, startWorld } from './cluster-world.ts';

const configMaps = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string, data: Record<string, unknown>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});

describe('objects', () => {
  test('are created, replaced, patched and deleted with versions and the right refusals', async () => {
    const { cluster } = await startWorld();
    const created = await call(cluster, 'POST', configMaps, { body: configMap('a', { x: '1' }) });
    expect(created.code).toBe(201);
    const again = await call(cluster, 'POST', configMaps, { body: configMap('a', {}) });
    expect(again).toMatchObject({
      code: 409,
      body: { kind: 'Status', reason: 'AlreadyExists', message: 'configmaps "a" already exists' },
    });
    const patched = await call(cluster, 'PATCH', `${configMaps}/a`, {
      body: { data: { y: '2', x: null } },
      type: 'application/merge-patch+json',
    });
    expect(patched.body).toMatchObject({ data: { y: '2' } });
    expect(patched.body['data']).not.toHaveProperty('x');
    const stale = await call(cluster, 'PUT', `${configMaps}/a`, { body: created.body });
    expect(stale).toMatchObject({ code: 409, body: { reason: 'Conflict' } });
    const byJson = await call(cluster, 'PATCH', `${configMaps}/a`, {
      body: [{ op: 'replace', path: '/data/y', value: '3' }],
      type: 'application/json-patch+json',
    });
    expect(byJson.body).toMatchObject({ data: { y: '3' } });
    expect((await call(cluster, 'DELETE', `${configMaps}/a`)).code).toBe(200);
    expect(await call(cluster, 'GET', `${configMaps}/a`)).toMatchObject({
      code: 404,
      body: { reason: 'NotFound', message: 'configmaps "a" not found' },
    });
    expect(await call(cluster, 'GET', '/apis/nobody.example/v1/things')).toMatchObject({
      code: 404,
      body: { message: 'the server could not find the requested resource' },
    });
    const nowhere = await call(cluster, 'POST', '/api/v1/namespaces/absent/configmaps', { body: configMap('a', {}) });
    expect(nowhere).toMatchObject({ code: 404, body: { message: 'namespaces "absent" not found' } });
  });

  test('count a generation for their spec alone, and keep status behind /status', async () => {
    const { cluster } = await startWorld();
    const path = '/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/app';
    cluster.scripts.pause('kustomize-controller');
    const [, kustomization] = fluxObjects('127.0.0.1:1', 'a/b', 'app');
    const apply = (spec: Record<string, unknown>) =>
      call(cluster, 'PATCH', `${path}?fieldManager=lab&force=true`, {
        body: JSON.stringify({ ...kustomization, spec }),
        type: 'application/apply-patch+yaml',
      });
    const spec = { ...kustomization?.spec };
    expect((await apply(spec)).code).toBe(201);
    expect((await apply({ ...spec, wait: false })).body).toMatchObject({
      metadata: { generation: 2 },
      status: { observedGeneration: -1 },
    });
    await call(cluster, 'PATCH', `${path}/status`, {
      body: { status: { lastAppliedRevision: 'x' }, spec: { path: 'no' } },
      type: 'application/merge-patch+json',
    });
    await call(cluster, 'PATCH', path, {
      body: { metadata: { annotations: { a: 'b' } }, status: { lastAppliedRevision: 'no' } },
      type: 'application/merge-patch+json',
    });
    const { body } = await call(cluster, 'GET', path);
    expect(body).toMatchObject({
      metadata: { generation: 2, annotations: { a: 'b' } },
      spec: { path: './' },
      status: { lastAppliedRevision: 'x' },
    });
    const { wait: _wait, ...less } = spec;
    expect((await apply(less)).body['spec']).not.toHaveProperty('wait');
    const refused = await call(cluster, 'PATCH', `${path}?fieldManager=lab`, {
      body: {
        apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
        kind: 'Kustomization',
        metadata: { name: 'app' },
        spec: { interval: '1m', prune: true, sourceRef: { kind: 'Nothing', name: 'x' } },
      },
      type: 'application/apply-patch+yaml',
    });
    expect(refused).toMatchObject({ code: 422, body: { reason: 'Invalid' } });
  });

  test('of an unknown kind become known with their CustomResourceDefinition', async () => {
    const { cluster } = await startWorld();
    expect((await call(cluster, 'GET', '/apis/shop.example/v1/carts')).code).toBe(404);
    cluster.apply(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: carts.shop.example}
spec:
  group: shop.example
  scope: Namespaced
  names: {kind: Cart, plural: carts}
  versions: [{name: v1, served: true, storage: true}]
`);
    cluster.apply({ apiVersion: 'shop.example/v1', kind: 'Cart', metadata: { name: 'c', namespace: 'default' } });
    expect((await call(cluster, 'GET', '/apis/shop.example/v1/carts')).body['items']).toHaveLength(1);
    const { body } = await call(cluster, 'GET', '/apis');
    expect(JSON.stringify(body)).toContain('shop.example/v1');
    const receivers = '/apis/notification.toolkit.fluxcd.io/v1/receivers';
    expect((await call(cluster, 'GET', receivers)).code).toBe(200);
    cluster.remove('CustomResourceDefinition', null, 'receivers.notification.toolkit.fluxcd.io');
    expect((await call(cluster, 'GET', receivers)).code).toBe(404);
  });
});

const role = (rules: unknown[]): ClusterObject[] => [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'r', namespace: 'flux-system' },
    rules,
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'r', namespace: 'flux-system' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    subjects: [{ kind: 'Group', name: 'gitlab:project:7', apiGroup: 'rbac.authorization.k8s.io' }],
  },
];

test('rights come from Roles and bindings, and refusals read as the API server writes them', async () => {
  const { cluster } = await startWorld();
  cluster.addToken('job', 'gitlab:ci_job:1', ['gitlab:project:7']);
  const path = '/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/ocirepositories';
  expect(await call(cluster, 'GET', `${path}/app`, { token: 'job' })).toMatchObject({
    code: 403,
    body: {
      reason: 'Forbidden',
      message:
        'ocirepositories.source.toolkit.fluxcd.io "app" is forbidden: User "gitlab:ci_job:1" cannot get resource "ocirepositories" in API group "source.toolkit.fluxcd.io" in the namespace "flux-system"',
    },
  });
  cluster.apply(
    role([
      {
        apiGroups: ['source.toolkit.fluxcd.io'],
        resources: ['ocirepositories'],
        resourceNames: ['app'],
        verbs: ['get', 'patch'],
      },
      {
        apiGroups: [''],
        resources: ['services/proxy'],
        resourceNames: ['http:webhook-receiver:80'],
        verbs: ['create'],
      },
    ]),
  );
  expect((await call(cluster, 'GET', `${path}/app`, { token: 'job' })).code).toBe(404);
  expect((await call(cluster, 'GET', `${path}/other`, { token: 'job' })).code).toBe(403);
  expect((await call(cluster, 'GET', path, { token: 'job' })).code).toBe(403);
  expect(
    (await call(cluster, 'GET', '/apis/source.toolkit.fluxcd.io/v1/ocirepositories', { token: 'job' })).body['message'],
  ).toContain('cannot list resource "ocirepositories" in API group "source.toolkit.fluxcd.io" at the cluster scope');
  const proxy = '/api/v1/namespaces/flux-system/services';
  expect(
    (await call(cluster, 'POST', `${proxy}/http:webhook-receiver:80/proxy/hook/x`, { token: 'job', body: {} })).code,
  ).toBe(404);
  expect(
    (await call(cluster, 'POST', `${proxy}/http:other:80/proxy/hook/x`, { token: 'job', body: {} })).body['message'],
  ).toContain('cannot create resource "services/proxy" in API group ""');
  const reviewed = await call(cluster, 'POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    token: 'job',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: {
          verb: 'patch',
          group: 'source.toolkit.fluxcd.io',
          resource: 'ocirepositories',
          namespace: 'flux-system',
          name: 'app',
        },
      },
    },
  });
  expect(reviewed.body).toMatchObject({ status: { allowed: true } });
  expect(await call(cluster, 'GET', path, { token: 'nobody' })).toMatchObject({
    code: 401,
    body: { reason: 'Unauthorized', message: 'Unauthorized' },
  });
  expect((await call(cluster, 'GET', path, { token: '' })).body['message']).toContain('User "system:anonymous"');
  expect((await call(cluster, 'GET', '/version', { token: '' })).body).toMatchObject({
    gitVersion: 'v1.36.4',
    minor: '36',
  });
  const as = (user: string, group: string) =>
    call(cluster, 'GET', `${path}/app`, { headers: { 'impersonate-user': user, 'impersonate-group': group } });
  expect((await as('gitlab:ci_job:2', 'gitlab:project:7')).code).toBe(404);
  expect((await as('gitlab:ci_job:2', 'gitlab:project:8')).code).toBe(403);
  expect(
    (await call(cluster, 'GET', `${path}/app`, { token: 'job', headers: { 'impersonate-user': 'admin' } })).body[
      'message'
    ],
  ).toContain('cannot impersonate resource "users"');
});
