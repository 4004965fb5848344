import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import { newestMatching } from '../../sandbox/cluster/flux/semver.ts';
import { gitFolder } from '../doubles/git-folder.ts';
import { gitServer } from '../doubles/git-server.ts';
import { fluxObjects, isSettled, one, sampleApp, shown, startWorld } from './cluster-world.ts';

const demo = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } };
const revisionOf = (object: ClusterObject | undefined) =>
  (object?.status?.['artifact'] as { revision?: string } | undefined)?.revision;

function pullSecret(host: string, user: string, password: string): ClusterObject {
  const config = JSON.stringify({ auths: { [host]: { username: user, password } } });
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'pull', namespace: 'flux-system' },
    stringData: { '.dockerconfigjson': config },
  };
}

/** GitLab's token service for a registry: pull for one deploy token. */
async function tokenService() {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const isKnown = request.headers.authorization === `Basic ${Buffer.from('deploy:secret').toString('base64')}`;
    response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify(
        isKnown
          ? { token: 'pull-token' }
          : { errors: [{ code: 'UNAUTHORIZED', message: 'HTTP Basic: Access denied' }] },
      ),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { asked, realm: `http://localhost:${(server.address() as AddressInfo).port}/jwt/auth` };
}

describe('an OCI source', () => {
  test('pulls with the token that the realm gives for its Secret, and says the realm no', async () => {
    const { asked, realm } = await tokenService();
    const verify = (token: string) =>
      token === 'pull-token' ? [{ type: 'repository', name: 'team/app', actions: ['pull'] }] : null;
    const { cluster, registry, push } = await startWorld(
      {},
      { auth: { realm, service: 'container_registry', verify } },
    );
    const digest = await push('team/app', 'main', sampleApp(), {
      'org.opencontainers.image.revision': `main@sha1:${'a'.repeat(40)}`,
    });
    const [source, kustomization] = fluxObjects(registry.host, 'team/app', 'app');
    const secret = (password: string) => pullSecret(registry.host, 'deploy', password);
    cluster.apply([
      demo,
      secret('wrong'),
      { ...source, spec: { ...source?.spec, secretRef: { name: 'pull' } } },
      kustomization,
    ] as ClusterObject[]);
    await cluster.until(
      'OCIRepository',
      one('app', (object) => shown(object, 'FetchFailed') !== ''),
    );
    expect(shown(cluster.get('OCIRepository', 'flux-system', 'app'), 'FetchFailed')).toMatch(
      /OCIArtifactPullFailed: .*\/jwt\/auth\?.*: UNAUTHORIZED: HTTP Basic: Access denied$/,
    );
    cluster.apply(secret('secret'));
    await cluster.until('Kustomization', one('app', isSettled));
    expect(asked.at(-1)).toContain('scope=repository%3Ateam%2Fapp%3Apull');
    expect(cluster.get('OCIRepository', 'flux-system', 'app')?.status).toMatchObject({
      artifact: {
        revision: `main@${digest}`,
        metadata: { 'org.opencontainers.image.revision': `main@sha1:${'a'.repeat(40)}` },
      },
      observedGeneration: 1,
    });
    expect(cluster.get('Kustomization', 'flux-system', 'app')?.status).toMatchObject({
      lastAppliedOriginRevision: `main@sha1:${'a'.repeat(40)}`,
    });
  });

  test('follows digest before semver before tag, and shows its readiness before its artifact', async () => {
    const { cluster, registry, push, poke } = await startWorld();
    const first = await push('team/app', '1.0.0', sampleApp());
    const second = await push('team/app', '1.1.0', sampleApp('1.1.0'));
    const [source] = fluxObjects(registry.host, 'team/app', 'app');
    const ref = (value: Record<string, string>) =>
      cluster.apply({ ...source, spec: { ...source?.spec, ref: value } } as ClusterObject);
    const seen: string[] = [];
    cluster.observe('OCIRepository', (_type, object) =>
      seen.push(`${shown(object, 'Ready').replace(/:.*/, '')} ${revisionOf(object) ?? 'none'}`),
    );
    ref({ semver: '1.x', tag: '1.0.0' });
    await cluster.until(
      'OCIRepository',
      one('app', (object) => revisionOf(object) === `1.1.0@${second}`),
    );
    expect(seen).toContain('Ready=True Succeeded none');
    expect(shown(cluster.get('OCIRepository', 'flux-system', 'app'), 'Ready')).toBe(
      `Ready=True Succeeded: stored artifact for digest '1.1.0@${second}'`,
    );
    ref({ digest: first, semver: '1.x' });
    await cluster.until(
      'OCIRepository',
      one('app', (object) => revisionOf(object) === first),
    );
    cluster.patch('OCIRepository', 'flux-system', 'app', {
      spec: { suspend: true, ref: { digest: null, semver: '>=1.0.0' } },
    });
    poke('OCIRepository', 'app', 'token-1');
    await cluster.until(
      'OCIRepository',
      one('app', (object) => object.status?.['lastHandledReconcileAt'] === 'token-1'),
    );
    const suspended = cluster.get('OCIRepository', 'flux-system', 'app');
    expect([revisionOf(suspended), shown(suspended, 'Ready').replace(/:.*/, '')]).toEqual([
      first,
      'Ready=True Succeeded',
    ]);
  });

  test('leaves out what Flux leaves out: ignored files, links, pictures', async () => {
    const { cluster, registry, push } = await startWorld();
    const files = {
      ...sampleApp(),
      '.gitlab-ci.yml': 'x: 1',
      'notes/readme.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n',
      'notes/.sourceignore': 'readme.yaml\n',
    };
    await push('team/app', 'main', files);
    cluster.apply([demo, ...fluxObjects(registry.host, 'team/app', 'app', { path: './notes' })]);
    await cluster.until('Kustomization', one('app', isSettled));
    expect(cluster.get('Kustomization', 'flux-system', 'app')?.status?.['inventory']).toEqual({ entries: [] });
  });
});

describe('a Git source', () => {
  test('fetches with the real git and its Secret, and a Kustomization follows the commit', async () => {
    const folder = await gitFolder();
    onTestFinished(() => folder[Symbol.asyncDispose]());
    const bare = await folder.bare('delivery.git');
    const commit = await folder.commit('delivery.git', {
      'app/cm.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app, namespace: default}\ndata: {v: "1"}\n',
    });
    expect(bare).not.toBe('');
    const server = await gitServer(folder.path, { 'read-token': 'read' });
    onTestFinished(() => server[Symbol.asyncDispose]());
    const { cluster, poke } = await startWorld();
    const source = (branch: string): ClusterObject => ({
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'GitRepository',
      metadata: { name: 'delivery', namespace: 'flux-system' },
      spec: { interval: '10m', url: `${server.url}/delivery.git`, ref: { branch }, secretRef: { name: 'git' } },
    });
    const secret = (password: string): ClusterObject => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'git', namespace: 'flux-system' },
      stringData: { username: 'flux', password },
    });
    const kustomization: ClusterObject = {
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      metadata: { name: 'app', namespace: 'flux-system' },
      spec: { interval: '10m', prune: true, path: './app', sourceRef: { kind: 'GitRepository', name: 'delivery' } },
    };
    cluster.apply([secret('wrong'), source('main'), kustomization]);
    await cluster.until(
      'GitRepository',
      one('delivery', (object) => shown(object, 'FetchFailed') !== ''),
    );
    expect(shown(cluster.get('GitRepository', 'flux-system', 'delivery'), 'FetchFailed')).toContain(
      'authentication required: HTTP Basic: Access denied',
    );
    cluster.apply(secret('read-token'));
    const isAt = (sha: string) => (object: ClusterObject) =>
      object.status?.['lastAppliedRevision'] === `main@sha1:${sha}`;
    await cluster.until('Kustomization', one('app', isAt(commit)));
    const later = await folder.commit('delivery.git', {
      'app/cm.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app, namespace: default}\ndata: {v: "2"}\n',
    });
    poke('GitRepository', 'delivery');
    await cluster.until('Kustomization', one('app', isAt(later)));
    expect(cluster.get('ConfigMap', 'default', 'app')?.['data']).toEqual({ v: '2' });
    expect(shown(cluster.get('Kustomization', 'flux-system', 'app'), 'Healthy')).toBe('');
    cluster.apply(source('absent'));
    await cluster.until(
      'GitRepository',
      one('delivery', (object) =>
        shown(object, 'FetchFailed').includes('couldn\'t find remote ref "refs/heads/absent"'),
      ),
    );
  });

  test('gives a chart, through the HelmChart that helm-controller makes', async () => {
    const folder = await gitFolder();
    onTestFinished(() => folder[Symbol.asyncDispose]());
    await folder.bare('charts.git');
    const template =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {color: {{ .Values.color }}}\n';
    await folder.commit('charts.git', {
      'charts/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.3.0\n',
      'charts/web/values.yaml': 'color: blue\n',
      'charts/web/templates/cm.yaml': template,
    });
    const server = await gitServer(folder.path, { 'read-token': 'read' });
    onTestFinished(() => server[Symbol.asyncDispose]());
    const { cluster } = await startWorld({ requeueDependencyMs: 1000 });
    const secret: ClusterObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'git', namespace: 'flux-system' },
      stringData: { username: 'flux', password: 'read-token' },
    };
    const values: ClusterObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'values', namespace: 'flux-system' },
      data: { 'values.yaml': 'color: green\n' },
    };
    cluster.apply([
      secret,
      values,
      {
        apiVersion: 'source.toolkit.fluxcd.io/v1',
        kind: 'GitRepository',
        metadata: { name: 'charts', namespace: 'flux-system' },
        spec: { interval: '10m', url: `${server.url}/charts.git`, ref: { branch: 'main' }, secretRef: { name: 'git' } },
      },
      {
        apiVersion: 'helm.toolkit.fluxcd.io/v2',
        kind: 'HelmRelease',
        metadata: { name: 'web', namespace: 'flux-system' },
        spec: {
          interval: '10m',
          chart: { spec: { chart: './charts/web', sourceRef: { kind: 'GitRepository', name: 'charts' } } },
          valuesFrom: [{ kind: 'ConfigMap', name: 'values' }],
        },
      },
    ]);
    await cluster.until('HelmRelease', one('web', isSettled));
    expect(cluster.get('HelmRelease', 'flux-system', 'web')?.status).toMatchObject({
      helmChart: 'flux-system/flux-system-web',
      lastAttemptedRevision: '0.3.0',
      history: [{ status: 'deployed', chartVersion: '0.3.0' }],
    });
    expect(cluster.get('ConfigMap', 'flux-system', 'web')?.['data']).toEqual({ color: 'green' });
    cluster.remove('HelmRelease', 'flux-system', 'web');
    await cluster.until('HelmRelease', (objects) => objects.length === 0);
    expect(cluster.get('ConfigMap', 'flux-system', 'web')).toBeUndefined();
    expect(cluster.objects('HelmChart').filter((object) => object.metadata.deletionTimestamp === undefined)).toEqual(
      [],
    );
  });
});

test.each([
  ['>=1.0.0', ['1.0.0', '2.0.0', '3.0.0-rc.1', 'latest'], '2.0.0'],
  ['1.x', ['1.0.0', '1.9.1', '2.0.0'], '1.9.1'],
  ['^0.2.1', ['0.2.0', '0.2.9', '0.3.0'], '0.2.9'],
  ['~1.2', ['1.2.9', '1.3.0'], '1.2.9'],
  ['>=1.0.0-0', ['1.5.0-rc.2', '1.4.0'], '1.5.0-rc.2'],
  ['1.0.0 || 3.*', ['1.0.0', '2.0.0', '3.1.0'], '3.1.0'],
  ['*', ['nope'], null],
])('the newest version of %s', (constraint, words, newest) => {
  expect(newestMatching(words, constraint)).toBe(newest);
});
