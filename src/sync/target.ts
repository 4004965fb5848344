import type { Origin } from '../app/change.ts';
import type { Publication, PublishedArtifact } from '../artifact/published.ts';
import type { ClusterSettings, Config, Pair } from '../config/config.ts';
import { pairOf } from '../config/pair.ts';
import type { Followed } from '../watch/verdict.ts';

/** One (environment, app) that this run answers for. */
export interface SyncTarget {
  readonly pair: Pair;
  readonly artifacts: readonly PublishedArtifact[];
  /** As claimed by trailers; not verified yet. */
  readonly origins: readonly Origin[];
  /** Name of the environment in the application project: with the app's name where several apps share the project. */
  readonly deploysTo: string;
}

/** The clusters to follow. With `watch: statuses` none need be named: what Flux's Provider posts tells none apart. */
export function clustersOf({ environment, watch }: Pair): readonly ClusterSettings[] {
  const { clusters, name } = environment;
  if (clusters.length > 0 || watch !== 'statuses') return clusters;
  return [{ name, context: '', notify: ['none'], receiver: null }];
}

/** Which pairs the caller asks for; empty lists mean all. */
export interface TargetFilter {
  readonly environments: readonly string[];
  readonly apps: readonly string[];
}

/**
 * The pairs to answer for: those whose content changed (or was kept from changing), and those with an origin in the
 * range. Faults `unknown_app`, `unknown_environment` where the publication names what sluice.yaml does not.
 */
export function targetsOf(publication: Publication, config: Config, filter: TargetFilter): readonly SyncTarget[] {
  const wanted = publication.artifacts.filter(
    (artifact) =>
      (filter.environments.length === 0 || filter.environments.includes(artifact.environment)) &&
      (filter.apps.length === 0 || filter.apps.includes(artifact.app)),
  );
  const groups = Map.groupBy(wanted, (artifact) => `${artifact.environment}/${artifact.app}`);
  return [...groups.values()]
    .filter((artifacts) => artifacts.some(isTold))
    .map((artifacts) => ({
      pair: pairOf(config, artifacts[0]!.app, artifacts[0]!.environment),
      artifacts,
      deploysTo: deploysTo(config, artifacts[0]!),
      origins: distinctOrigins(artifacts.flatMap((artifact) => artifact.origins)),
    }));
}

function deploysTo(config: Config, { app, environment }: PublishedArtifact): string {
  const own = config.apps.find(({ name }) => name === app)?.project ?? null;
  const shared = own !== null && config.apps.filter(({ project }) => project === own).length > 1;
  return shared ? `${environment}/${app}` : environment;
}

function isTold(artifact: PublishedArtifact): boolean {
  return artifact.origins.length > 0 || (artifact.outcome !== 'unchanged' && artifact.outcome !== 'superseded');
}

function distinctOrigins(origins: readonly Origin[]): readonly Origin[] {
  const byCommit = new Map<string, Origin>();
  for (const origin of origins) {
    const key = `${origin.project}@${origin.commit}`;
    const known = byCommit.get(key);
    // Of two pipelines of one commit the newer is the one people look at.
    if (known === undefined || (origin.pipeline ?? 0) > (known.pipeline ?? 0)) byCommit.set(key, origin);
  }
  return [...byCommit.values()];
}

/** Where the delivery repository stands, for `source: git`. */
export interface DeliveryPlace {
  readonly commit: string;
  readonly branch: string;
  /** Every URL under which a GitRepository may know it. */
  readonly urls: readonly string[];
}

/** What is to be followed of an artifact in one cluster; null where nothing stands to be followed. */
export function followedOf(
  target: SyncTarget,
  artifact: PublishedArtifact,
  cluster: string,
  delivery: DeliveryPlace,
): Followed | null {
  const { pair } = target;
  const git = artifact.source === 'git';
  const wanted = git ? delivery.commit : artifact.digest;
  if (wanted === null) return null;
  return {
    cluster,
    environment: pair.environment.name,
    app: pair.app.name,
    artifact: artifact.artifact,
    source: artifact.source,
    urls: git ? delivery.urls : [artifact.repository],
    reference: git ? delivery.branch : pair.tag,
    wanted,
    commit: delivery.commit,
    namespace: pair.namespace,
    objects: pair.objects,
    roots: pair.artifacts.find((candidate) => candidate.name === artifact.artifact)?.roots ?? [],
    health: pair.health,
  };
}

/** The addresses of a GitLab project that a GitRepository may name: with and without `.git`, over HTTP(S) and SSH. */
export function repositoryUrls(server: string, project: string): readonly string[] {
  const { hostname, href } = new URL(server);
  const base = `${href.replace(/\/+$/, '')}/${project}`;
  return [`${base}.git`, base, `ssh://git@${hostname}/${project}.git`, `ssh://git@${hostname}/${project}`];
}
