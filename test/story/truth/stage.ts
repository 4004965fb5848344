import type { ClusterObject, ClusterOptions } from '../../../sandbox/cluster/handle.ts';
import type { Publication } from '../../../src/artifact/published.ts';
import { parseConfig } from '../../../src/config/parse.ts';
import { requestReconcile } from '../../../src/notify/reconcile.ts';
import { secret } from '../../../src/secret.ts';
import { sync } from '../../../src/sync/sync.ts';
import type { FollowCluster } from '../../../src/sync/sync.ts';
import { targetsOf } from '../../../src/sync/target.ts';
import { connectCluster } from '../../../src/systems/cluster-kubernetes.ts';
import { systemClock } from '../../../src/systems/clock-system.ts';
import { fetchHttp } from '../../../src/systems/http-fetch.ts';
import { followCluster } from '../../../src/watch/follow.ts';
import type { ClusterWorld } from '../../sandbox/cluster-world.ts';
import { fluxObjects, isSettled, one, sampleApp, startWorld } from '../../sandbox/cluster-world.ts';
import type { GitLabWorld } from '../../status/world.ts';
import { annotated, namespaceDemo } from '../../watch/cluster-world.ts';

/** A cluster in which the first version of the app stands, and the commits of the delivery repository, oldest first. */
export interface Stage extends ClusterWorld {
  readonly commits: readonly string[];
  /** Pushes an artifact of the commit of this index under the environment's tag; answers the digest. */
  deliver(files: Readonly<Record<string, string>>, commit: number, tag?: string): Promise<string>;
  /** Until the Kustomization has applied it and is at rest. */
  standing(digest: string, name?: string): Promise<void>;
}

/** Flux objects as a team writes them; `spec` of the Kustomization. */
export async function raise(
  commits: readonly string[],
  setUp: {
    readonly spec?: Readonly<Record<string, unknown>>;
    readonly options?: Partial<ClusterOptions>;
    readonly first?: (world: ClusterWorld) => Readonly<Record<string, string>>;
    readonly more?: (world: ClusterWorld) => Promise<readonly ClusterObject[]>;
  },
  provider: readonly ClusterObject[],
): Promise<Stage> {
  const world = await startWorld({ requeueDependencyMs: 5_000, ...setUp.options });
  const stage: Stage = {
    ...world,
    commits,
    deliver: (files, commit, tag = 'main') => world.push('team/app', tag, files, annotated(commits[commit]!)),
    async standing(digest, name = 'app') {
      const isIt = (object: ClusterObject) =>
        isSettled(object) && String(object.status?.['lastAppliedRevision']).endsWith(digest);
      await world.cluster.until('Kustomization', one(name, isIt));
    },
  };
  world.cluster.apply([namespaceDemo, ...provider, ...((await setUp.more?.(world)) ?? [])]);
  const first = await stage.deliver(setUp.first?.(world) ?? sampleApp(), 0);
  world.cluster.apply(fluxObjects(world.registry.host, 'team/app', 'app', setUp.spec));
  await stage.standing(first);
  return stage;
}

/** The cluster is fifty times as quick as Flux, and so is patience. */
const patience = { unconsumed: 700, artifact: 3_000, fetch: 3_000, gone: 1_000, release: 3_000 };

const configOf = (cluster: string) =>
  parseConfig(
    [
      'version: 1',
      `environments: { staging: { tag: main, clusters: [{ name: eu, context: "team/agents:eu"${cluster} }] } }`,
      'apps: { app: { project: team/podinfo } }',
      '',
    ].join('\n'),
    'sluice.yaml',
  );

/** Token of the Receivers of the traps. */
export const receiverToken = 'receiver-token';

/** sluice's whole loop on one delivered artifact: asks Flux, follows it, and tells both commits. */
export async function syncOn(
  stage: Stage,
  gitlab: GitLabWorld,
  delivered: {
    readonly wanted: string;
    readonly commit: number;
    readonly holds: boolean;
    readonly timeoutMs: number;
    readonly cluster?: string | undefined;
  },
) {
  const config = configOf(delivered.cluster === undefined ? '' : `, ${delivered.cluster}`);
  const clock = systemClock();
  const signal = new AbortController().signal;
  const commit = stage.commits[delivered.commit]!;
  const place = { project: 'team/delivery', commit, branch: 'main', pipelineId: null };
  const publication: Publication = {
    ...place,
    ranges: [],
    artifacts: [
      {
        app: 'app',
        artifact: 'app',
        environment: 'staging',
        repository: `${stage.registry.host}/team/app`,
        tags: ['main'],
        digest: delivered.wanted,
        contentDigest: delivered.wanted,
        revision: `main@sha1:${commit}`,
        source: 'oci',
        outcome: 'pushed',
        reason: 'content changed',
        origins: [{ project: 'team/podinfo', commit: gitlab.origin, ref: 'main', pipeline: null }],
      },
    ],
  };
  const kubeconfig = stage.cluster.kubeconfig('team/agents:eu');
  const follow: FollowCluster = (settings, followed, deadline, inner) => {
    const cluster = connectCluster({ name: settings.name, context: settings.context, kubeconfig });
    return followCluster({
      cluster,
      followed,
      clock,
      signal: inner,
      deadline,
      contains: async (ours, theirs) => stage.commits.indexOf(theirs) >= stage.commits.indexOf(ours),
      stillHolds: async () => delivered.holds,
      ask: (asked, source) =>
        requestReconcile({
          cluster,
          http: fetchHttp(),
          settings,
          followed: asked,
          source,
          secretOf: () => secret(receiverToken),
          idToken: secret('header.payload.signature'),
          clock,
          signal: inner,
        }),
      patience,
    });
  };
  return sync({
    clock,
    signal,
    deadline: clock.now() + delivered.timeoutMs,
    targets: targetsOf(publication, config, { environments: [], apps: [] }),
    delivery: { ...place, urls: [] },
    place,
    jobUrl: `${gitlab.server.url}/team/delivery/-/jobs/77`,
    gitlab: async () => gitlab.gitlab,
    gitlabFor: async () => gitlab.gitlab,
    lineage: async () => 'ours',
    follow,
    info: () => undefined,
    warn: () => undefined,
  });
}
