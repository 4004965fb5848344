import { parseDuration } from '../config/duration.ts';
import { Fault } from '../fault.ts';
import type { Cluster, KubernetesObject } from '../systems/cluster.ts';
import { requestedKinds, resourceKind } from './kinds.ts';
import type { ObjectRef } from './request.ts';
import { chooseSources, sourceKindOf, type SourceAddress } from './source-address.ts';

/**
 * The sources in a cluster that deliver to each address: one list per kind for all addresses. Where not all namespaces
 * may be read, those of the addresses. Fault `verdict_unknown` where none may be read; others as `Cluster`.
 */
export async function findSources<T extends SourceAddress>(
  cluster: Cluster,
  addresses: readonly T[],
  signal?: AbortSignal,
): Promise<ReadonlyMap<T, readonly ObjectRef[]>> {
  const found = new Map<T, readonly ObjectRef[]>();
  for (const kind of new Set(addresses.map(sourceKindOf))) {
    const mine = addresses.filter((address) => sourceKindOf(address) === kind);
    const objects = await listAll(cluster, kind, new Set(mine.map((address) => address.namespace)), signal);
    for (const address of mine) {
      const sources = chooseSources(objects, address);
      found.set(
        address,
        sources.map(({ metadata }) => ({ kind, namespace: metadata.namespace ?? '', name: metadata.name })),
      );
    }
  }
  return found;
}

/**
 * The longest `spec.interval` (milliseconds) of the sources that deliver to these addresses: where nobody asks, Flux
 * looks that late. null where there are none. Faults as `findSources`.
 */
export async function longestInterval(
  cluster: Cluster,
  addresses: readonly SourceAddress[],
  signal?: AbortSignal,
): Promise<number | null> {
  let longest: number | null = null;
  for (const kind of new Set(addresses.map(sourceKindOf))) {
    const mine = addresses.filter((address) => sourceKindOf(address) === kind);
    const objects = await listAll(cluster, kind, new Set(mine.map((address) => address.namespace)), signal);
    for (const { spec } of mine.flatMap((address) => chooseSources(objects, address))) {
      const { interval } = (spec ?? {}) as { readonly interval?: unknown };
      const ms = typeof interval === 'string' ? parseDuration(interval) : undefined;
      if (ms !== undefined) longest = Math.max(longest ?? 0, ms);
    }
  }
  return longest;
}

async function listAll(
  cluster: Cluster,
  kind: 'OCIRepository' | 'GitRepository',
  namespaces: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<readonly KubernetesObject[]> {
  const objects: KubernetesObject[] = [];
  let readable = false;
  for (const version of requestedKinds[kind].versions) {
    const resource = resourceKind(requestedKinds[kind], version);
    const all = await cluster.list(resource, null, signal);
    if (all === 'missing') continue;
    if (all !== 'forbidden') return all.items;
    for (const namespace of namespaces) {
      const here = await cluster.list(resource, namespace, signal);
      if (typeof here === 'string') continue;
      readable = true;
      objects.push(...here.items);
    }
    if (readable) return objects;
    throw new Fault(
      'verdict_unknown',
      `cluster "${cluster.name}": no right to list ${requestedKinds[kind].plural} (${requestedKinds[kind].group})`,
    );
  }
  return [];
}
