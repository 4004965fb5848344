import type { ClusterObject } from '../handle.ts';
import { at, fields, groupOf, list, text, versionOf } from './object.ts';

/** A served kind. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Has /status, and with it `metadata.generation`. */
  readonly status: boolean;
  readonly shortNames: readonly string[];
  /** Made known by a CustomResourceDefinition of the store. */
  readonly custom: boolean;
}

/** The kinds a cluster serves; grows with CustomResourceDefinitions. */
export interface Kinds {
  all(): readonly Resource[];
  byPlural(group: string, version: string, plural: string): Resource | undefined;
  byKind(apiVersion: string, kind: string): Resource | undefined;
  /** First kind of this name in any group, also one whose definition was deleted. */
  named(kind: string): Resource | undefined;
  /** Registers what a CustomResourceDefinition declares. */
  define(definition: ClusterObject): void;
  /** Its kinds are served no more, those of Flux included. */
  forget(definition: ClusterObject): void;
}

const core =
  'Namespace! ConfigMap Secret Service:s ServiceAccount Pod:s Event Endpoints PersistentVolumeClaim:s LimitRange ResourceQuota:s Node!s PersistentVolume!s';
const others: readonly (readonly [string, string])[] = [
  ['apps/v1', 'Deployment:s StatefulSet:s DaemonSet:s ReplicaSet:s'],
  ['batch/v1', 'Job:s CronJob:s'],
  ['rbac.authorization.k8s.io/v1', 'Role RoleBinding ClusterRole! ClusterRoleBinding!'],
  ['networking.k8s.io/v1', 'Ingress:s NetworkPolicy IngressClass!'],
  ['autoscaling/v2', 'HorizontalPodAutoscaler:s'],
  ['policy/v1', 'PodDisruptionBudget:s'],
  ['storage.k8s.io/v1', 'StorageClass!'],
  ['scheduling.k8s.io/v1', 'PriorityClass!'],
  ['discovery.k8s.io/v1', 'EndpointSlice'],
  ['coordination.k8s.io/v1', 'Lease'],
  ['apiextensions.k8s.io/v1', 'CustomResourceDefinition!s'],
  ['source.toolkit.fluxcd.io/v1', 'OCIRepository:s GitRepository:s HelmRepository:s HelmChart:s Bucket:s'],
  ['kustomize.toolkit.fluxcd.io/v1', 'Kustomization:s'],
  ['helm.toolkit.fluxcd.io/v2', 'HelmRelease:s'],
  ['notification.toolkit.fluxcd.io/v1', 'Receiver:s'],
  ['notification.toolkit.fluxcd.io/v1beta3', 'Provider Alert'],
];
const shortNames: Readonly<Record<string, readonly string[]>> = {
  Namespace: ['ns'],
  ConfigMap: ['cm'],
  Service: ['svc'],
  ServiceAccount: ['sa'],
  Pod: ['po'],
  Event: ['ev'],
  Deployment: ['deploy'],
  StatefulSet: ['sts'],
  DaemonSet: ['ds'],
  ReplicaSet: ['rs'],
  Ingress: ['ing'],
  OCIRepository: ['ocirepo'],
  GitRepository: ['gitrepo'],
  HelmRepository: ['helmrepo'],
  HelmChart: ['hc'],
  Kustomization: ['ks'],
  HelmRelease: ['hr'],
};

/** `ingresses`, `networkpolicies`, `endpoints`: the plural Kubernetes uses for a kind. */
function pluralOf(kind: string): string {
  const word = kind.toLowerCase();
  if (word === 'endpoints') return word;
  if (/(s|x|ch|sh)$/.test(word)) return `${word}es`;
  return /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`;
}

function read(apiVersion: string, words: string): Resource[] {
  return words.split(' ').map((word) => {
    const [, kind = '', flags = ''] = /^(\w+?)((?::s|!s?)?)$/.exec(word) ?? [];
    return {
      group: groupOf(apiVersion),
      version: versionOf(apiVersion),
      kind,
      plural: pluralOf(kind),
      namespaced: !flags.includes('!'),
      status: flags.endsWith('s') || kind === 'Namespace',
      shortNames: shortNames[kind] ?? [],
      custom: false,
    };
  });
}

function declared(definition: ClusterObject): Resource[] {
  const names = fields(at(definition, 'spec', 'names'));
  return list(at(definition, 'spec', 'versions'))
    .filter((version) => at(version, 'served') !== false)
    .map((version) => ({
      group: text(at(definition, 'spec', 'group')),
      version: text(at(version, 'name')),
      kind: text(names['kind']),
      plural: text(names['plural']),
      namespaced: at(definition, 'spec', 'scope') !== 'Cluster',
      status: at(version, 'subresources', 'status') !== undefined,
      shortNames: list(names['shortNames']).map(text),
      custom: true,
    }));
}

/** The built-in kinds and those of Flux 2.9. */
export function createKinds(): Kinds {
  let known = [...read('v1', core), ...others.flatMap(([apiVersion, words]) => read(apiVersion, words))];
  let hidden: readonly Resource[] = [];
  const isSame = (a: Resource, b: Resource) => a.group === b.group && a.version === b.version && a.kind === b.kind;
  const isHidden = (one: Resource) => hidden.some((other) => isSame(one, other));
  const forget = (definition: ClusterObject) => {
    const gone = declared(definition);
    known = known.filter((one) => !one.custom || !gone.some((other) => isSame(one, other)));
    hidden = [...hidden, ...gone];
  };
  return {
    all: () => known.filter((one) => !isHidden(one)),
    byPlural: (group, version, plural) =>
      known.find((one) => one.group === group && one.version === version && one.plural === plural && !isHidden(one)),
    byKind: (apiVersion, kind) =>
      known.find(
        (one) =>
          one.kind === kind &&
          one.group === groupOf(apiVersion) &&
          one.version === versionOf(apiVersion) &&
          !isHidden(one),
      ),
    named: (kind) => known.find((one) => one.kind === kind),
    define: (definition) => {
      const wanted = declared(definition);
      hidden = hidden.filter((one) => !wanted.some((other) => isSame(one, other)));
      known = [...known, ...wanted.filter((one) => !known.some((other) => isSame(one, other)))];
    },
    forget,
  };
}

/** The CustomResourceDefinitions that installing Flux brings. */
export function fluxDefinitions(kinds: Kinds): readonly ClusterObject[] {
  return kinds
    .all()
    .filter(({ group }) => group.endsWith('.toolkit.fluxcd.io'))
    .map(({ group, version, kind, plural, status }) => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: {
        name: `${plural}.${group}`,
        labels: { 'app.kubernetes.io/part-of': 'flux', 'app.kubernetes.io/version': 'v2.9.4' },
      },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind, plural, listKind: `${kind}List`, singular: kind.toLowerCase() },
        versions: [{ name: version, served: true, storage: true, ...(status ? { subresources: { status: {} } } : {}) }],
      },
    }));
}
