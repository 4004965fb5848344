import type { KubernetesObject } from '../../systems/cluster.ts';
import { judge, type Finding } from './finding.ts';
import { nameOf } from './sources.ts';

/** Who else posts statuses. */
export interface PosterFacts {
  readonly cluster: string;
  /** Flux's Providers that may be read; null: none may. */
  readonly providers: readonly KubernetesObject[] | null;
  readonly alerts: readonly KubernetesObject[];
  /** Does an environment of this cluster read what they post (`watch: statuses`)? */
  readonly wanted: boolean;
}

/** Judges Flux's own GitLab Providers: a second poster doubles the jobs of a commit, and its red is not ours. */
export function judgePosters({ cluster, providers, alerts, wanted }: PosterFacts): readonly Finding[] {
  const { ok, fault, unknown } = judge('posters', cluster);
  if (providers === null)
    return [
      unknown('posters-unknown', 'Flux’s Providers may not be read', 'Run doctor with an administrator’s kubeconfig.'),
    ];
  const posting = providers.filter(
    (provider) => provider.spec?.['type'] === 'gitlab' && provider.spec['suspend'] !== true && isUsed(provider, alerts),
  );
  const names = posting.map(nameOf).join(', ');
  if (wanted) {
    return posting.length > 0
      ? [ok('posters', `${names} posts what \`watch: statuses\` reads`)]
      : [
          fault(
            'poster-missing',
            'cluster_failed',
            'sluice.yaml says `watch: statuses`, and no Provider of type gitlab with an Alert posts any',
            'Apply a Provider of type gitlab and an Alert for the Kustomizations, or say `watch: cluster`.',
          ),
        ];
  }
  if (posting.length === 0) return [ok('posters', 'nobody else posts statuses')];
  return [
    fault(
      'poster-second',
      'cluster_failed',
      `${names} posts statuses on the same commits: every delivery shows twice, and Flux’s job may turn the pipeline red or green before ours`,
      `Delete the Alerts that use ${posting.map(({ metadata }) => metadata.name).join(', ')} (or say \`watch: statuses\` and let Flux alone post).`,
    ),
  ];
}

/** A Provider without Alert posts nothing. */
function isUsed(provider: KubernetesObject, alerts: readonly KubernetesObject[]): boolean {
  return alerts.some(
    ({ spec, metadata }) =>
      metadata.namespace === provider.metadata.namespace &&
      spec?.['suspend'] !== true &&
      (spec?.['providerRef'] as { name?: string } | undefined)?.name === provider.metadata.name,
  );
}

/** Names that Flux's Provider gives its statuses: `<kind>/<name>/<8 hex of its uid>` (notification-controller). */
const FLUX_STATUS = /^(kustomization|helmrelease|ocirepository|gitrepository|helmchart|bucket)\/[^/]+\/[0-9a-f]{8}$/;

/** Judges the statuses of a delivery commit, for where Providers may not be read. */
export function judgePosted(project: string, names: readonly string[], wanted: boolean): readonly Finding[] {
  const foreign = [...new Set(names.filter((name) => FLUX_STATUS.test(name)))];
  if (foreign.length === 0 || wanted) return [];
  const { fault } = judge('posters', project);
  return [
    fault(
      'poster-second',
      'cluster_failed',
      `Flux’s own Provider posts statuses on delivery commits too (${foreign.slice(0, 3).join(', ')}): every delivery shows twice`,
      'Delete the Alerts that use a Provider of type gitlab (or say `watch: statuses` and let Flux alone post).',
    ),
  ];
}
