import { expect, test } from 'vitest';
import { gitFolder } from '../doubles/git-folder.ts';
import { gitServer } from '../doubles/git-server.ts';
import { one, sampleApp, startWorld } from '../sandbox/cluster-world.ts';
import { follow, followedIn, namespaceDemo } from './cluster-world.ts';

test('source: git: a commit is followed from the delivery repository to health', async () => {
  await using folder = await gitFolder();
  await folder.bare('delivery.git');
  await using server = await gitServer(folder.path, { token: 'read' });
  const files = (tag: string, color?: string) =>
    Object.fromEntries(Object.entries(sampleApp(tag, color)).map(([name, text]) => [`apps/app/staging/${name}`, text]));
  const first = await folder.commit('delivery.git', files('1.0.0'));
  const world = await startWorld();
  world.cluster.apply([
    namespaceDemo,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'pull', namespace: 'flux-system' },
      stringData: { username: 'deploy', password: 'token' },
    },
    {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'GitRepository',
      metadata: { name: 'delivery', namespace: 'flux-system' },
      spec: {
        interval: '10m',
        url: `${server.url}/delivery.git`,
        ref: { branch: 'main' },
        secretRef: { name: 'pull' },
      },
    },
    {
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      metadata: { name: 'app', namespace: 'flux-system' },
      spec: {
        interval: '10m',
        timeout: '32s',
        wait: true,
        prune: true,
        path: './apps/app/staging',
        sourceRef: { kind: 'GitRepository', name: 'delivery' },
      },
    },
  ]);
  await world.cluster.until(
    'Kustomization',
    one('app', (object) => object.status?.['lastAppliedRevision'] === `main@sha1:${first}`),
  );
  const commit = await folder.commit('delivery.git', files('1.0.1'));
  const followed = followedIn(world, commit, commit, {
    source: 'git',
    urls: [`${server.url}/delivery`],
    reference: 'main',
    roots: ['apps/app/staging'],
  });
  const contains = async (ours: string, theirs: string) =>
    (await folder.git('delivery.git', ['rev-list', theirs])).split('\n').includes(ours);
  const { verdict } = await follow(world, followed, { contains });
  expect(verdict).toMatchObject({ verdict: 'synced', message: expect.stringContaining(commit.slice(0, 12)) });

  await folder.commit('delivery.git', files('1.0.1', 'green'));
  const later = await follow(world, followed, {
    contains,
    ask: async (_, { name }) => world.poke('GitRepository', name),
  });
  expect(later.verdict.verdict).toBe('synced');
});
