import { requestedKinds, type KnownKind } from '../notify/kinds.ts';
import type { ObjectRef } from '../notify/request.ts';

const SOURCE = 'source.toolkit.fluxcd.io';

/** Every kind that is ever read, by its name. */
export const watchedKinds = {
  ...requestedKinds,
  HelmChart: { kind: 'HelmChart', group: SOURCE, plural: 'helmcharts', versions: ['v1', 'v1beta2'] },
  Deployment: { kind: 'Deployment', group: 'apps', plural: 'deployments', versions: ['v1'] },
  StatefulSet: { kind: 'StatefulSet', group: 'apps', plural: 'statefulsets', versions: ['v1'] },
  DaemonSet: { kind: 'DaemonSet', group: 'apps', plural: 'daemonsets', versions: ['v1'] },
  ReplicaSet: { kind: 'ReplicaSet', group: 'apps', plural: 'replicasets', versions: ['v1'] },
  Job: { kind: 'Job', group: 'batch', plural: 'jobs', versions: ['v1'] },
  Pod: { kind: 'Pod', group: '', plural: 'pods', versions: ['v1'] },
  Event: { kind: 'Event', group: '', plural: 'events', versions: ['v1'] },
} as const satisfies Record<string, KnownKind>;

/** Names of the kinds in the table. */
export type KindName = keyof typeof watchedKinds;

const workloads: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'Pod']);

/** Kinds whose health is judged where Flux itself did not wait. */
export function isWorkload(kind: string, group: string): kind is KindName {
  return workloads.has(kind) && watchedKinds[kind as KindName].group === group;
}

/** Identity of an object in maps. */
export function keyOf(ref: ObjectRef): string {
  return `${ref.kind}/${ref.namespace}/${ref.name}`;
}

/** The object for people: "Kustomization flux-system/podinfo". */
export function formatObject(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace}/${ref.name}`;
}

/** An entry of a Flux inventory that matters: a descendant of Flux's own or a workload. */
export interface InventoryEntry extends ObjectRef {
  readonly group: string;
}

/**
 * Parses an inventory id `<namespace>_<name>_<group>_<kind>` (fluxcd/cli-utils object.ObjMetadata; the namespace is
 * empty for objects without one, colons of RBAC names are written as two underscores).
 */
export function parseInventoryId(id: string): InventoryEntry | undefined {
  const parts = id.split('_');
  if (parts.length < 4) return undefined;
  return {
    namespace: parts[0] ?? '',
    name: parts.slice(1, -2).join('_').replaceAll('__', ':'),
    group: parts.at(-2) ?? '',
    kind: parts.at(-1) ?? '',
  };
}
