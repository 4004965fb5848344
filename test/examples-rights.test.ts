import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCluster } from '../sandbox/cluster/cluster.ts';
import type { SimulatedCluster } from '../sandbox/cluster/handle.ts';

/** What the bindings of the example let a job do, by the answers of an API server. */

const rbac = join(import.meta.dirname, '..', 'examples', 'agent-config', 'rbac');
let folder: string;
let cluster: SimulatedCluster;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  cluster = await startCluster({ kustomize: 'kustomize', env: {}, folder, timeScale: 0.05 });
  for (const file of ['sluice.yaml', 'bindings-agent.yaml', 'bindings-ci-job.yaml'])
    cluster.apply(await readFile(join(rbac, file), 'utf8'));
  const account = 'system:serviceaccount:gitlab-agent-staging-eu:staging-eu-gitlab-agent';
  cluster.addToken('free', account, ['system:serviceaccounts', 'system:serviceaccounts:gitlab-agent-staging-eu']);
  cluster.addToken('other account', account.replace('staging-eu-gitlab-agent', 'default'), ['system:serviceaccounts']);
  cluster.addToken('premium', 'gitlab:ci_job:7', [
    'gitlab:ci_job',
    'gitlab:project:42',
    'gitlab:project_env:42:staging',
  ]);
  cluster.addToken('other environment', 'gitlab:ci_job:8', [
    'gitlab:ci_job',
    'gitlab:project:42',
    'gitlab:project_env:42:production',
  ]);
});
afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function may(token: string, verb: string, group: string, resource: string, subresource = ''): Promise<boolean> {
  const answer = await fetch(`${cluster.url}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace: 'flux-system', verb, group, resource, subresource } },
    }),
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { readonly status: { readonly allowed: boolean } }).status.allowed;
}

test.each(['free', 'premium'])('%s: Flux is watched and asked to look', async (token) => {
  for (const verb of ['get', 'list', 'watch']) {
    expect(await may(token, verb, 'source.toolkit.fluxcd.io', 'ocirepositories')).toBe(true);
    expect(await may(token, verb, 'kustomize.toolkit.fluxcd.io', 'kustomizations')).toBe(true);
    expect(await may(token, verb, 'helm.toolkit.fluxcd.io', 'helmreleases')).toBe(true);
    expect(await may(token, verb, '', 'pods')).toBe(true);
  }
  expect(await may(token, 'patch', 'source.toolkit.fluxcd.io', 'ocirepositories')).toBe(true);
});

test.each(['free', 'premium'])(
  '%s: no workload, Secret or Flux object is written, and no Secret is read',
  async (token) => {
    for (const verb of ['create', 'update', 'patch', 'delete'])
      for (const [group, resource] of [
        ['apps', 'deployments'],
        ['', 'secrets'],
        ['', 'pods'],
        ['rbac.authorization.k8s.io', 'clusterrolebindings'],
      ])
        expect(await may(token, verb, group!, resource!), `${verb} ${resource}`).toBe(false);
    for (const verb of ['get', 'list', 'watch']) expect(await may(token, verb, '', 'secrets')).toBe(false);
    expect(await may(token, 'create', '', 'pods', 'exec')).toBe(false);
    for (const verb of ['create', 'update', 'delete'])
      expect(await may(token, verb, 'source.toolkit.fluxcd.io', 'ocirepositories')).toBe(false);
  },
);

test.each(['other account', 'other environment'])('%s: nothing', async (token) => {
  expect(await may(token, 'get', 'source.toolkit.fluxcd.io', 'ocirepositories')).toBe(false);
  expect(await may(token, 'patch', 'source.toolkit.fluxcd.io', 'ocirepositories')).toBe(false);
});
