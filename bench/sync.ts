import { sync } from '../src/sync/sync.ts';
import { connectCluster } from '../src/systems/cluster-kubernetes.ts';
import { systemClock } from '../src/systems/clock-system.ts';
import { followCluster } from '../src/watch/follow.ts';
import { startKubernetes } from '../test/doubles/kubernetes.ts';
import { gitlabWorld } from '../test/status/world.ts';
import type { GitLabWorld } from '../test/status/world.ts';
import { optionsIn } from '../test/sync/run.ts';
import { former, kustomization, ociRepository, ours } from '../test/watch/objects.ts';
import { median, quantile, type BenchOptions, type Row } from './measure.ts';

const latencyMs = 100;
const pollMs = 2_000;
const pause = async (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms);
  });

/**
 * From Flux's Ready to the final status in GitLab, 100 ms added to each GitLab request, beside a look every 2 s as the
 * `flux` CLI does it, which posts the moment it sees Ready; and what that costs.
 */
export async function benchSync({ rounds }: BenchOptions): Promise<readonly Row[]> {
  await using world = await gitlabWorld({ latencyMs });
  const counted: string[] = [];
  const watched: number[] = [];
  const polled: number[] = [];
  for (let round = 0; round < Math.max(rounds * 3, 12); round += 1) {
    const files = new Map([['a.yaml', `a: ${round}\n`]]);
    const commit = await world.server.seed('team/delivery', files, `bench ${round}`, { pipeline: false });
    const [watch, poll] = await measure({ ...world, commit });
    watched.push(watch);
    polled.push(poll);
    counted.push(
      ...world.events.filter(({ sha, name }) => sha === commit && name !== 'poll').map(({ state }) => state),
    );
  }
  return [
    {
      name: 'Ready in the cluster to the status in GitLab, median, beside a poll every 2 s',
      value: median(watched),
      floor: median(polled),
      unit: 's',
      goal: 'value ≤ 0.5 s',
    },
    {
      name: 'the same, 95th percentile',
      value: quantile(watched, 0.95),
      floor: quantile(polled, 0.95),
      unit: 's',
      goal: 'value ≤ 1.5 s',
    },
    {
      name: 'statuses posted per commit and name',
      value: counted.length / watched.length,
      floor: null,
      unit: 'posts',
      goal: '≤ 3',
    },
  ];
}

/** Seconds from Ready to the final status: by sluice, by the poll. */
async function measure(world: GitLabWorld): Promise<readonly [number, number]> {
  const kubernetes = await startKubernetes();
  const stop = new AbortController();
  const stand = (digest: string) => {
    const spec = { url: 'oci://registry.test/platform/delivery/cart', ref: { tag: 'production' } };
    kubernetes.put(ociRepository(digest, { name: 'cart', spec }));
    const sourceRef = { kind: 'OCIRepository', name: 'cart' };
    kubernetes.put(kustomization(`production@${digest}`, { name: 'cart', spec: { sourceRef } }));
  };
  stand(former);
  const posted = (name: string, state: string) =>
    new Promise<number>((resolve) => {
      world.server.on((event) => {
        if (event.type === 'status' && event.sha === world.commit && event.name === name && event.state === state)
          resolve(performance.now());
      });
    });
  const [running, done, seen] = [
    posted('sync: production/cart', 'running'),
    posted('sync: production/cart', 'success'),
    posted('poll', 'success'),
  ];
  const cluster = connectCluster({ name: 'prod', context: 'other', kubeconfig: kubernetes.kubeconfig });
  const clock = systemClock();
  const artifact = { app: 'cart', environment: 'production', digest: ours };
  const following = sync(
    optionsIn(world, [artifact], {
      follow: (_settings, followed, deadline, signal) =>
        followCluster({
          cluster,
          followed,
          clock,
          signal,
          deadline,
          contains: async () => false,
          stillHolds: async () => false,
        }),
    }),
  );
  const polling = postWhenSeen(world, kubernetes.kubeconfig, stop.signal);
  await running;
  await pause(500 + Math.random() * pollMs);
  const ready = performance.now();
  stand(ours);
  const times = await Promise.all([done, seen]);
  await Promise.all([following, polling]);
  stop.abort();
  await kubernetes.stop();
  return [(times[0] - ready) / 1000, (times[1] - ready) / 1000];
}

async function postWhenSeen({ gitlab, commit }: GitLabWorld, kubeconfig: string, signal: AbortSignal): Promise<void> {
  const cluster = connectCluster({ name: 'prod', context: 'other', kubeconfig });
  const kind = { group: 'kustomize.toolkit.fluxcd.io', version: 'v1', plural: 'kustomizations' } as const;
  for (;;) {
    const found = await cluster.list({ ...kind, kind: 'Kustomization' }, 'flux-system', signal);
    if (typeof found !== 'string' && JSON.stringify(found.items[0]?.status).includes(ours)) break;
    await pause(pollMs);
  }
  await gitlab.postStatus({
    project: 'team/delivery',
    sha: commit,
    pipelineId: null,
    ref: 'main',
    name: 'poll',
    state: 'success',
    description: '',
    targetUrl: null,
  });
}
