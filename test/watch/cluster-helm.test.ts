import { expect, test } from 'vitest';
import { fluxObjects, one, shown, startWorld } from '../sandbox/cluster-world.ts';
import { pushChart, release } from '../sandbox/tiny-chart.ts';
import { annotated, commits, follow, followedIn, namespaceDemo } from './cluster-world.ts';

async function installed() {
  const world = await startWorld({ requeueDependencyMs: 2_000 });
  await pushChart(world);
  await world.push('team/app', 'main', release(world, '1'), annotated(commits[0]));
  world.cluster.apply([namespaceDemo, ...fluxObjects(world.registry.host, 'team/app', 'app', { wait: false })]);
  await world.cluster.until(
    'HelmRelease',
    one('tiny', (object) => shown(object, 'Ready').startsWith('Ready=True')),
  );
  return world;
}

test('values alone change neither generation nor chart: the release is asked, and its upgrade awaited', async () => {
  const world = await installed();
  const wanted = await world.push('team/app', 'main', release(world, '2'), annotated(commits[1]));
  const { verdict } = await follow(world, followedIn(world, wanted, commits[1]));
  expect(verdict.verdict).toBe('synced');
  expect(verdict.objects.map((object) => object.kind)).toEqual(['OCIRepository', 'Kustomization', 'HelmRelease']);
  expect(JSON.stringify(world.cluster.get('Deployment', 'demo', 'tiny'))).toContain('tiny:2');
});

test('an upgrade that fails for good is red, although the rollback left a healthy workload', async () => {
  const world = await installed();
  const spec = '  upgrade: {timeout: 8s, remediation: {retries: 1}}';
  const wanted = await world.push('team/app', 'main', release(world, '2-broken', spec), annotated(commits[1]));
  const { verdict } = await follow(world, followedIn(world, wanted, commits[1]));
  expect(verdict).toMatchObject({
    verdict: 'failed',
    message: expect.stringContaining('HelmRelease flux-system/tiny'),
  });
});
