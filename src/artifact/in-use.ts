import { Fault } from '../fault.ts';
import type { Cluster, KubernetesObject, ResourceKind } from '../systems/cluster.ts';
import type { FoundTag } from './retention.ts';

/** What the Flux objects of clusters hold on to. */
export interface Uses {
  /** Digest → who, in words. */
  readonly digests: ReadonlyMap<string, string>;
  /** `<last name of the repository>:<tag>` → who. */
  readonly tags: ReadonlyMap<string, string>;
}

/** A kind of Flux under the versions by which clusters know it, newest first. */
export type VersionedKind = readonly ResourceKind[];

/**
 * Reads what a cluster's Flux objects name: every digest in spec, status and history, and the tags that sources follow.
 * Hosts are not compared: a registry has other names inside a cluster. Where not all namespaces may be read, those
 * given. Fault `verdict_unknown` where nothing may be read; others as `Cluster`.
 */
export async function readUses(
  cluster: Cluster,
  kinds: readonly VersionedKind[],
  namespaces: readonly string[],
  signal?: AbortSignal,
): Promise<Uses> {
  const digests = new Map<string, string>();
  const tags = new Map<string, string>();
  let readable = false;
  for (const versions of kinds) {
    const objects = await listKind(cluster, versions, namespaces, signal);
    if (objects === null) continue;
    readable = true;
    for (const object of objects) {
      const { name, namespace = '' } = object.metadata;
      const who = `${versions[0]?.kind} ${namespace}/${name} in ${cluster.name}`;
      for (const [digest] of JSON.stringify([object.spec, object.status]).matchAll(/sha256:[0-9a-f]{64}/g)) {
        digests.set(digest, who);
      }
      const followed = followedTag(object);
      if (followed !== null) tags.set(followed, who);
    }
  }
  if (readable) return { digests, tags };
  throw new Fault('verdict_unknown', `cluster "${cluster.name}": no right to list Flux objects`);
}

/** Who uses a tag or its digest, in words; null: nobody. */
export function userOf({ digests, tags }: Uses, { repository, tag, digest }: FoundTag): string | null {
  return digests.get(digest) ?? tags.get(`${lastName(repository)}:${tag}`) ?? null;
}

/** Objects of a kind; null: may not be read. */
async function listKind(
  cluster: Cluster,
  versions: VersionedKind,
  namespaces: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly KubernetesObject[] | null> {
  for (const kind of versions) {
    const all = await cluster.list(kind, null, signal);
    if (all === 'missing') continue;
    if (all !== 'forbidden') return all.items;
    const lists = await Promise.all(namespaces.map((namespace) => cluster.list(kind, namespace, signal)));
    const read = lists.filter((list) => typeof list !== 'string');
    return read.length === 0 ? null : read.flatMap(({ items }) => items);
  }
  return [];
}

function followedTag(object: KubernetesObject): string | null {
  const { url, ref } = (object.spec ?? {}) as { readonly url?: unknown; readonly ref?: { readonly tag?: unknown } };
  if (typeof url !== 'string' || !url.startsWith('oci://')) return null;
  return `${lastName(url)}:${typeof ref?.tag === 'string' ? ref.tag : 'latest'}`;
}

function lastName(address: string): string {
  return address.replace(/\/+$/, '').split('/').at(-1) ?? '';
}
