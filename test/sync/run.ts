import { parseConfig } from '../../src/config/parse.ts';
import type { PublishedArtifact } from '../../src/artifact/published.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { sync } from '../../src/sync/sync.ts';
import type { FollowCluster, SyncOptions } from '../../src/sync/sync.ts';
import { targetsOf } from '../../src/sync/target.ts';
import type { Observation, VerdictName } from '../../src/watch/verdict.ts';
import type { GitLabWorld } from '../status/world.ts';
import { artifactOf } from './build.ts';

/** sluice.yaml of the world's delivery project. */
export const config = parseConfig(
  [
    'version: 1',
    'environments:',
    '  staging: { clusters: [{ name: eu, context: "k:eu" }, { name: us, context: "k:us" }] }',
    '  production: { promote_from: staging, clusters: [{ name: prod, context: "k:prod" }] }',
    'apps:',
    '  podinfo: { project: team/podinfo }',
    '  cart: {}',
    '',
  ].join('\n'),
  'sluice.yaml',
);

/** What a scripted cluster says of each app, in order; `null` waits for the signal. */
export type Script = (
  cluster: string,
  app: string,
) => readonly (readonly [Observation['phase'], VerdictName | null] | null)[];

/** Clusters that say what the script says. */
export function scripted(script: Script): FollowCluster {
  return async function* follow(cluster, followed, _deadline, signal) {
    for (const one of followed) {
      for (const line of script(cluster.name, one.app)) {
        if (line === null) {
          await new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          });
          return;
        }
        const [phase, verdict] = line;
        const message = `${one.app} ${verdict ?? phase}`;
        yield {
          followed: one,
          at: Date.now(),
          phase,
          message,
          verdict: verdict === null ? null : { verdict, reason: 'Said', message, objects: [] },
        };
      }
    }
  };
}

export const healthy: Script = () => [
  ['fetched', null],
  ['applied', null],
  ['healthy', 'synced'],
];

/** Options of a run on the world's delivery commit. */
export function optionsIn(
  world: GitLabWorld,
  artifacts: readonly Partial<PublishedArtifact>[],
  more: Partial<SyncOptions> = {},
): SyncOptions & { readonly said: string[] } {
  const place = { project: 'team/delivery', commit: world.commit, branch: 'main', pipelineId: null };
  const publication = { ...place, ranges: [], artifacts: artifacts.map(artifactOf) };
  const said: string[] = [];
  return {
    clock: systemClock(),
    signal: new AbortController().signal,
    deadline: Date.now() + 30_000,
    targets: targetsOf(publication, config, { environments: [], apps: [] }),
    delivery: { ...place, urls: [] },
    place,
    jobUrl: `${world.server.url}/team/delivery/-/jobs/77`,
    gitlab: async () => world.gitlab,
    gitlabFor: async () => world.gitlab,
    lineage: async () => 'ours',
    follow: scripted(healthy),
    info: (text) => said.push(text),
    warn: (text) => said.push(`warning: ${text}`),
    said,
    ...more,
  };
}

/** Every status of both commits that is not final. */
export async function openStatuses(world: GitLabWorld): Promise<readonly string[]> {
  const rows = [
    ...(await world.gitlab.statuses('team/delivery', world.commit)),
    ...(await world.gitlab.statuses('team/podinfo', world.origin)),
  ];
  return rows
    .filter(({ state }) => state === 'pending' || state === 'running')
    .map(({ name, state }) => `${name} ${state}`);
}

export { sync };
