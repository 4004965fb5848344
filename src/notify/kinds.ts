import type { ResourceKind } from '../systems/cluster.ts';

/** A kind and the API versions under which clusters know it, newest first. */
export interface KnownKind {
  readonly kind: string;
  readonly group: string;
  readonly plural: string;
  readonly versions: readonly [string, ...string[]];
}

const SOURCE = 'source.toolkit.fluxcd.io';

/** The Flux kinds that are asked to reconcile, by kind. Older versions are tried where the cluster lacks the newer. */
export const requestedKinds = {
  OCIRepository: { kind: 'OCIRepository', group: SOURCE, plural: 'ocirepositories', versions: ['v1', 'v1beta2'] },
  GitRepository: { kind: 'GitRepository', group: SOURCE, plural: 'gitrepositories', versions: ['v1', 'v1beta2'] },
  Kustomization: {
    kind: 'Kustomization',
    group: 'kustomize.toolkit.fluxcd.io',
    plural: 'kustomizations',
    versions: ['v1', 'v1beta2'],
  },
  HelmRelease: {
    kind: 'HelmRelease',
    group: 'helm.toolkit.fluxcd.io',
    plural: 'helmreleases',
    versions: ['v2', 'v2beta2', 'v2beta1'],
  },
  Receiver: {
    kind: 'Receiver',
    group: 'notification.toolkit.fluxcd.io',
    plural: 'receivers',
    versions: ['v1', 'v1beta2'],
  },
} as const satisfies Record<string, KnownKind>;

/** A kind under one of its versions. */
export function resourceKind(known: KnownKind, version: string = known.versions[0]): ResourceKind {
  return { kind: known.kind, group: known.group, plural: known.plural, version };
}
