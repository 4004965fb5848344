import { expect, test } from 'vitest';
import { connectCluster } from '../../src/systems/cluster-kubernetes.ts';
import { fastClock } from '../doubles/fast-clock.ts';
import { startKubernetes } from '../doubles/kubernetes.ts';
import { follow, kubernetes, verdictOf } from './follow-world.ts';
import { podinfo } from './look.ts';
import { deployment, former, kustomization, ociRepository, ours } from './objects.ts';

test('the requests do not grow with the number of apps', async () => {
  const counts: number[] = [];
  for (const number of [1, 200]) {
    const double = await startKubernetes();
    const apps = Array.from({ length: number }, (_, index) => `app${index}`);
    for (const name of apps) {
      double.put(ociRepository(ours, { name, spec: { url: `oci://registry.example.com/shop/delivery/${name}` } }));
      const entries = [{ id: `shop_${name}_apps_Deployment`, v: 'v1' }];
      double.put(
        kustomization(`staging@${ours}`, {
          name,
          spec: { wait: false, sourceRef: { kind: 'OCIRepository', name } },
          status: { inventory: { entries } },
        }),
      );
      double.put(deployment({ name }));
    }
    const followed = apps.map((app) => ({
      ...podinfo,
      app,
      artifact: app,
      urls: [`registry.example.com/shop/delivery/${app}`],
    }));
    const cluster = connectCluster({ name: 'staging-eu', context: 'other', kubeconfig: double.kubeconfig });
    const verdicts = new Set<string>();
    for await (const observation of follow(followed, { cluster }))
      if (observation.verdict) verdicts.add(`${observation.followed.app} ${observation.verdict.verdict}`);
    expect([...verdicts].toSorted()).toEqual(apps.map((app) => `${app} synced`).toSorted());
    counts.push(double.requests.length);
    await double.stop();
  }
  expect(counts[1]).toBeLessThanOrEqual((counts[0] ?? 0) + 4);
});

test('rollouts one after the other share their lists', async () => {
  const apps = Array.from({ length: 100 }, (_, index) => `app${index}`);
  const show = (name: string, digest: string) => {
    const entries = [{ id: `shop_${name}_apps_Deployment`, v: 'v1' }];
    const spec = { wait: false, sourceRef: { kind: 'OCIRepository', name } };
    kubernetes.put(kustomization(`staging@${digest}`, { name, spec, status: { inventory: { entries } } }));
  };
  for (const name of apps) {
    kubernetes.put(ociRepository(ours, { name, spec: { url: `oci://registry.example.com/shop/delivery/${name}` } }));
    show(name, former);
    kubernetes.put(deployment({ name }));
  }
  const followed = apps.map((app) => ({ ...podinfo, app, urls: [`registry.example.com/shop/delivery/${app}`] }));
  const clock = fastClock(20);
  const rolling = (async () => {
    for (const name of apps) {
      await clock.sleep(200);
      show(name, ours);
    }
  })();
  const verdicts: string[] = [];
  for await (const { verdict } of follow(followed, { clock })) if (verdict) verdicts.push(verdict.verdict);
  await rolling;
  expect(verdicts).toEqual(apps.map(() => 'synced'));
  expect(kubernetes.requests.length).toBeLessThan(60);
});

test('workloads in many namespaces are read by one watch', async () => {
  const apps = Array.from({ length: 30 }, (_, index) => `app${index}`);
  kubernetes.put(ociRepository(ours));
  const entries = apps.map((name) => ({ id: `${name}_podinfo_apps_Deployment`, v: 'v1' }));
  kubernetes.put(kustomization(`staging@${ours}`, { spec: { wait: false }, status: { inventory: { entries } } }));
  for (const namespace of apps) kubernetes.put(deployment({ namespace }));
  expect((await verdictOf(follow([podinfo]))).verdict?.verdict).toBe('synced');
  expect(kubernetes.requests.filter(({ path }) => path.includes('/deployments')).length).toBeLessThan(25);
});
