import { requestReconcile } from '../../src/notify/reconcile.ts';
import { connectCluster } from '../../src/systems/cluster-kubernetes.ts';
import { fetchHttp } from '../../src/systems/http-fetch.ts';
import { followCluster, type FollowOptions } from '../../src/watch/follow.ts';
import type { Followed, Observation, Verdict } from '../../src/watch/verdict.ts';
import { fastClock } from '../doubles/fast-clock.ts';
import type { ClusterWorld } from '../sandbox/cluster-world.ts';

/** Commits in their order: each contains those before it. */
export const commits = ['1'.repeat(40), '2'.repeat(40), '3'.repeat(40)] as const;
export const namespaceDemo = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } };

/** Annotations of an artifact made from a commit. */
export const annotated = (commit: string) => ({ 'org.opencontainers.image.revision': `main@sha1:${commit}` });

/** The simulated cluster runs many times as quickly as Flux, and so does patience. */
const quick = { unconsumed: 700, artifact: 3_000, fetch: 3_000, gone: 1_000 };

/** What is followed in a world with an OCIRepository of `team/app:main`. */
export function followedIn(
  { registry }: ClusterWorld,
  wanted: string,
  commit: string,
  more: Partial<Followed> = {},
): Followed {
  return {
    cluster: 'staging-eu',
    environment: 'staging',
    app: 'app',
    artifact: 'app',
    source: 'oci',
    urls: [`${registry.host}/team/app`],
    reference: 'main',
    wanted,
    commit,
    namespace: 'flux-system',
    objects: [],
    roots: ['./'],
    health: 'workloads',
    ...more,
  };
}

/** Follows to the verdict, asking Flux by annotation through the same credential as users do by default. */
export async function follow(
  { cluster: simulated }: ClusterWorld,
  followed: Followed,
  more: Partial<FollowOptions> & { readonly token?: string } = {},
): Promise<{ verdict: Verdict; phases: readonly string[] }> {
  const clock = more.clock ?? fastClock(1);
  const signal = new AbortController().signal;
  const context = 'team/agents:eu';
  const cluster = connectCluster({
    name: 'staging-eu',
    context,
    kubeconfig: simulated.kubeconfig(context, more.token),
  });
  const seen: Observation[] = [];
  for await (const observation of followCluster({
    cluster,
    followed: [followed],
    clock,
    signal,
    deadline: clock.now() + 20_000,
    contains: async (ours, theirs) => commits.indexOf(theirs) >= commits.indexOf(ours),
    stillHolds: async () => true,
    ask: (delivered, source) =>
      requestReconcile({
        cluster,
        http: fetchHttp(),
        settings: { name: 'staging-eu', context, notify: ['annotate'], receiver: null },
        followed: delivered,
        source,
        secretOf: () => undefined,
        idToken: undefined,
        clock,
        signal,
      }),
    patience: quick,
    ...more,
  }))
    seen.push(observation);
  const verdict = seen.at(-1)?.verdict;
  if (!verdict) throw new Error('no verdict');
  return { verdict, phases: [...new Set(seen.map((observation) => observation.phase))] };
}
