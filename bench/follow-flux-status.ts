import { setTimeout as pause } from 'node:timers/promises';
import { annotate, requestToken } from '../src/notify/annotate.ts';
import { secret } from '../src/secret.ts';
import { sync } from '../src/sync/sync.ts';
import { systemClock } from '../src/systems/clock-system.ts';
import { connectGitLab } from '../src/systems/gitlab-rest.ts';
import { followCluster } from '../src/watch/follow.ts';
import type { Followed } from '../src/watch/verdict.ts';
import { hasApplied } from '../test/lab/flux-object.ts';
import { gitlabWorld } from '../test/status/world.ts';
import { optionsIn } from '../test/sync/run.ts';
import { raiseFlux } from './follow-flux-stage.ts';
import type { FluxStage } from './follow-flux-stage.ts';
import { median, quantile } from './measure.ts';
import type { BenchOptions, Row } from './measure.ts';

const latencyMs = 100;
const pollMs = 2_000;
const name = 'sync: production/cart';

/**
 * From the moment at which the real Flux says Ready at the pushed digest to the final status in GitLab, with 100 ms added
 * to each GitLab request, beside a look every 2 s as the `flux` CLI does it; and what a status costs in requests.
 */
export async function benchFluxStatus({ rounds }: BenchOptions): Promise<readonly Row[]> {
  await using stage = await raiseFlux();
  await using world = await gitlabWorld({ latencyMs });
  let requests = 0;
  const { token } = world.server.createToken('team', { name: 'counted', scopes: ['api'], accessLevel: 40 });
  const gitlab = connectGitLab({
    url: world.server.url,
    token: secret(token),
    tokenKind: 'private',
    clock: systemClock(),
    fetch: (...args) => {
      requests += 1;
      return fetch(...args);
    },
  });
  const first = await stage.push('cart');
  await stage.scene.put('OCIRepository', 'cart', stage.scene.ociSpec('team/cart'));
  await stage.scene.put('Kustomization', 'cart', stage.scene.kustomizationSpec('cart'));
  await stage.scene.waitFor('Kustomization', 'cart', hasApplied(first.wanted));
  const watched: number[] = [];
  const polled: number[] = [];
  for (let round = 0; round < Math.max(rounds * 4, 20); round += 1) {
    const files = new Map([['a.yaml', `a: ${round}\n`]]);
    const commit = await world.server.seed('team/delivery', files, `bench ${round}`, { pipeline: false });
    const posted = (wanted: string) =>
      new Promise<number>((resolve) => {
        world.server.on((event) => {
          if (event.type === 'status' && event.sha === commit && event.name === wanted && event.state === 'success')
            resolve(performance.now());
        });
      });
    const [done, seen] = [posted(name), posted('poll')];
    const followed = await stage.push('cart');
    const ready = stage.seen('Kustomization', 'cart', isApplied(followed.wanted));
    const artifact = {
      app: 'cart',
      environment: 'production',
      digest: followed.wanted,
      revision: `main@sha1:${commit}`,
    };
    const following = sync(
      optionsIn({ ...world, gitlab, commit }, [artifact], {
        gitlab: async () => gitlab,
        follow: (settings, [one], deadline, signal) => follow(stage, followed, one!, settings.name, deadline, signal),
      }),
    );
    const polling = poll(stage, world.gitlab, followed.wanted, commit);
    const [readyAt, doneAt, seenAt] = await Promise.all([ready, done, seen]);
    await Promise.all([following, polling]);
    watched.push((doneAt - readyAt) / 1000);
    polled.push((seenAt - readyAt) / 1000);
  }
  const posts = world.events.filter((event) => event.name.startsWith('sync: ')).length;
  const finals = new Set(
    world.events.filter((event) => event.name.startsWith('sync: ')).map(({ sha, name: own }) => `${sha} ${own}`),
  );
  return [
    {
      name: 'real Flux: Ready to the status in GitLab, median, beside a poll every 2 s',
      value: median(watched),
      floor: median(polled),
      unit: 's',
      goal: 'value ≤ 0.5 s',
      note: `${watched.length} rounds`,
    },
    {
      name: 'the same, 95th percentile',
      value: quantile(watched, 0.95),
      floor: quantile(polled, 0.95),
      unit: 's',
      goal: 'value ≤ 1.5 s',
    },
    {
      name: 'GitLab requests per status (commit and name), all of sync',
      value: requests / finals.size,
      floor: posts / finals.size,
      unit: 'requests',
      goal: 'shown; floor: posts, ≤ 3',
    },
  ];
}

const isApplied = (digest: string) => (status: string) => {
  const { conditions = [], lastAppliedRevision = '' } = JSON.parse(status) as {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly lastAppliedRevision?: string;
  };
  return (
    lastAppliedRevision.endsWith(digest) && conditions.some((one) => one.type === 'Ready' && one.status === 'True')
  );
};

/** What runs after notify: the real address in place of the one of the configuration. */
async function* follow(
  { watcher }: FluxStage,
  real: Followed,
  asked: Followed,
  cluster: string,
  deadline: number,
  signal: AbortSignal,
) {
  const clock = systemClock();
  const followed = { ...asked, cluster, urls: real.urls, reference: real.reference };
  const observations = followCluster({
    cluster: watcher.cluster,
    followed: [followed],
    clock,
    signal,
    deadline,
    contains: async (ours, theirs) => ours === theirs,
    stillHolds: async () => false,
    ask: (_, source) => annotate(watcher.cluster, source, requestToken(clock)),
  });
  for await (const observation of observations) yield { ...observation, followed: asked };
}

/** A job that looks every 2 s, from a random moment on, and posts when it sees Ready. */
async function poll(
  { watcher }: FluxStage,
  gitlab: Awaited<ReturnType<typeof gitlabWorld>>['gitlab'],
  digest: string,
  sha: string,
): Promise<void> {
  const kind = { group: 'kustomize.toolkit.fluxcd.io', version: 'v1', plural: 'kustomizations', kind: 'Kustomization' };
  await pause(Math.random() * pollMs);
  for (;;) {
    const found = await watcher.cluster.get(kind, 'flux-system', 'cart');
    if (typeof found !== 'string' && isApplied(digest)(JSON.stringify(found.status))) break;
    await pause(pollMs);
  }
  await gitlab.postStatus({
    project: 'team/delivery',
    sha,
    pipelineId: null,
    ref: 'main',
    name: 'poll',
    state: 'success',
    description: '',
    targetUrl: null,
  });
}
