import { expect, test } from 'vitest';
import { readUses, userOf, type Uses } from '../../src/artifact/in-use.ts';
import { requestedKinds, resourceKind } from '../../src/notify/kinds.ts';
import { connectCluster } from '../../src/systems/cluster-kubernetes.ts';
import { fluxObjects, sampleApp, startWorld } from '../sandbox/cluster-world.ts';

const kinds = [requestedKinds.OCIRepository, requestedKinds.Kustomization, requestedKinds.HelmRelease].map((known) =>
  known.versions.map((version) => resourceKind(known, version)),
);

test('what Flux has fetched and follows is in use, whatever the registry is called inside the cluster', async () => {
  const world = await startWorld();
  const first = await world.push('team/app', 'main', sampleApp('1.0.0'));
  for (const object of fluxObjects(world.registry.host, 'team/app', 'app')) world.cluster.apply(object);
  const cluster = connectCluster({ name: 'eu', context: 'a:eu', kubeconfig: world.cluster.kubeconfig('a:eu') });
  const found = (tag: string, digest: string) => {
    const repository = 'registry.example.com/shop/app';
    return { repository, tag, digest, contentDigest: null, title: null, commit: null, createdAt: '' };
  };
  await expect
    .poll(async (): Promise<Uses> => readUses(cluster, kinds, ['flux-system']), { timeout: 20_000 })
    .toSatisfy((uses: Uses) => uses.digests.has(first));
  const uses = await readUses(cluster, kinds, ['flux-system']);
  expect(userOf(uses, found('any', first))).toMatch(/flux-system\/app in eu/);
  expect(userOf(uses, found('main', 'sha256:0'))).toContain('OCIRepository flux-system/app in eu');
  expect(userOf(uses, found('other', 'sha256:0'))).toBeNull();
  expect(userOf(uses, { ...found('main', 'sha256:0'), repository: 'registry.example.com/shop/web' })).toBeNull();
});

test('a cluster that shows nothing is a fault, not an empty answer', async () => {
  const world = await startWorld();
  const kubeconfig = world.cluster.kubeconfig('a:eu');
  const cluster = {
    ...connectCluster({ name: 'eu', context: 'a:eu', kubeconfig }),
    list: async () => 'forbidden' as const,
  };
  await expect(readUses(cluster, kinds, ['flux-system'])).rejects.toMatchObject({ code: 'verdict_unknown' });
});
