import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changesOf, readyOf } from './doctor-changes.ts';
import { doctorWorld, expectOpen, settings, type DoctorWorld } from './doctor-world.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await doctorWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const { added } = changesOf(() => world);

describe('source: git', () => {
  const objects = () => `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: { name: delivery, namespace: flux-system }
spec:
  url: "${world.gitlab.url}/shop/delivery.git"
  ref: { branch: main }
  interval: 10m
  secretRef: { name: delivery-git }
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: podinfo-git, namespace: flux-system }
spec: { sourceRef: { kind: GitRepository, name: delivery }, path: ./apps/podinfo/staging, interval: 10m, prune: false, wait: true }
`;
  const clone = (credential: { readonly username: string; readonly token: string }) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'delivery-git', namespace: 'flux-system' },
      stringData: { username: credential.username, password: credential.token },
    });
  const args = ['--check', 'sources', '--check', 'credential', '--check', 'registry'];
  const look = async () => {
    await world.configure(settings.replace('staging: {', 'staging: { source: git,'));
    try {
      return await world.doctor(args, await world.asAdministrator());
    } finally {
      await world.configure(settings);
    }
  };
  const ready = () =>
    world.cluster.until('GitRepository', (all) => all.some((one) => readyOf(one) !== undefined), 120_000);

  test('a GitRepository of the delivery project, with a deploy token that reads', async () => {
    const reads = world.gitlab.createDeployToken('shop/delivery', { name: 'clone', scopes: ['read_repository'] });
    await using _secret = await added(clone(reads));
    await using _ = await added(objects());
    await ready();
    const looked = await look();
    expect(looked).toMatchObject({ exit: 0, outcome: 'ok' });
    expect(looked.findings.map(({ id }) => id)).toEqual(['not-needed', 'source', 'credential']);
    expect(JSON.stringify(looked)).not.toContain(reads.token);
  });
  test('none', async () => {
    await world.cluster.until('GitRepository', (all) => all.length === 0, 120_000);
    expectOpen(await look(), {
      id: 'source-missing',
      exit: 4,
      message: /no GitRepository follows http:.*shop\/delivery\.git, main/,
      repair: /sluice init/,
    });
  });
  test('nothing builds the app’s root', async () => {
    await using _secret = await added(
      clone(world.gitlab.createDeployToken('shop/delivery', { name: 'c', scopes: ['read_repository'] })),
    );
    await using _ = await added(objects().replace('./apps/podinfo/staging', './apps/other'));
    await ready();
    expectOpen(await look(), {
      id: 'consumer-missing',
      exit: 4,
      message:
        /no Kustomization or HelmRelease uses GitRepository flux-system\/delivery with the path apps\/podinfo\/staging/,
      repair: /sluice init/,
    });
  });
});
