import { requestedKinds, resourceKind, type KnownKind } from '../../notify/kinds.ts';
import { watchedKinds } from '../../watch/kinds.ts';
import type { KubernetesObject } from '../../systems/cluster.ts';
import type { ClusterInspection } from '../../systems/inspection.ts';

const NOTIFICATION = 'notification.toolkit.fluxcd.io';

/** Kinds that doctor reads, with the versions under which clusters know them. */
export const inspectedKinds = {
  ...requestedKinds,
  Deployment: watchedKinds.Deployment,
  Pod: watchedKinds.Pod,
  Secret: { kind: 'Secret', group: '', plural: 'secrets', versions: ['v1'] },
  Provider: { kind: 'Provider', group: NOTIFICATION, plural: 'providers', versions: ['v1beta3', 'v1beta2'] },
  Alert: { kind: 'Alert', group: NOTIFICATION, plural: 'alerts', versions: ['v1beta3', 'v1beta2'] },
} as const satisfies Record<string, KnownKind>;

export type InspectedKind = keyof typeof inspectedKinds;

/**
 * All objects of a kind, of all namespaces where they may be read, else of those named; null where none may. A kind that
 * the cluster does not know has none. Faults as `Cluster`.
 */
export async function objectsOf(
  cluster: ClusterInspection,
  name: InspectedKind,
  namespaces: readonly string[],
): Promise<readonly KubernetesObject[] | null> {
  const known = inspectedKinds[name];
  for (const version of known.versions) {
    const kind = resourceKind(known, version);
    const all = await cluster.list(kind, null);
    if (all === 'missing') continue;
    if (all !== 'forbidden') return all.items;
    const some = await objectsIn(cluster, name, namespaces, version);
    return some;
  }
  return [];
}

/** As `objectsOf`, of the namespaces named alone. */
export async function objectsIn(
  cluster: ClusterInspection,
  name: InspectedKind,
  namespaces: readonly string[],
  version: string = inspectedKinds[name].versions[0],
): Promise<readonly KubernetesObject[] | null> {
  const kind = resourceKind(inspectedKinds[name], version);
  const lists = await Promise.all([...new Set(namespaces)].map((namespace) => cluster.list(kind, namespace)));
  const readable = lists.filter((list) => list !== 'forbidden');
  if (readable.length === 0) return null;
  return readable.flatMap((list) => (list === 'missing' ? [] : list.items));
}
