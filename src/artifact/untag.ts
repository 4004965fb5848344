import pMap from 'p-map';
import { Fault } from '../fault.ts';
import type { Registry } from '../systems/registry.ts';
import type { PruneOutcome } from './prune.ts';
import type { RetentionItem } from './retention.ts';
import { signedDigest } from './tags.ts';

/** What came of one tag. */
export interface Untagged {
  readonly item: RetentionItem;
  readonly outcome: PruneOutcome;
  readonly reason: string;
  readonly fault?: Fault;
}

/**
 * Removes planned tags, one by one, so that each tag rule of the project is met; then the manifests that no tag names any
 * more. A registry that removes by digest alone loses the manifests whose tags are all planned; tags that share theirs
 * with a kept one stay. A failure stops nothing but its own tag.
 */
export async function removeTags(
  registry: Registry,
  items: readonly RetentionItem[],
  options: {
    readonly dryRun: boolean;
    readonly parallel: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<readonly Untagged[]> {
  const { signal, parallel: concurrency } = options;
  const keyOf = ({ repository, digest }: RetentionItem) => `${repository}@${digest}`;
  const kept = new Map(items.filter(({ act }) => act === 'keep').map((item) => [keyOf(item), item]));
  const results = new Map<RetentionItem, Untagged>();
  // Signatures go first: what an interrupted run leaves is an artifact that the next one finds again.
  const isSignature = ({ tag }: Pick<RetentionItem, 'tag'>) => signedDigest(tag) !== null;
  for (const part of [items.filter(isSignature), items.filter((item) => !isSignature(item))]) {
    await pMap(part, async (item) => results.set(item, await removeOne(item)), { concurrency });
  }
  if (!options.dryRun) {
    const untagged = [...Map.groupBy(items, keyOf).values()].filter((group) =>
      group.every((item) => item.digest !== '' && results.get(item)?.outcome === 'removed'),
    );
    const repositories = Map.groupBy(untagged, ([first]) => first?.repository ?? '');
    await pMap(repositories, ([repository, groups]) => removeManifests(repository, groups), { concurrency });
  }
  return items.flatMap((item) => results.get(item) ?? []);

  /** Nothing is lost where this fails: the tags are gone, and the registry's garbage collection takes the manifests. */
  async function removeManifests(repository: string, groups: readonly (readonly RetentionItem[])[]): Promise<void> {
    try {
      const stay = items.filter((item) => item.repository === repository && results.get(item)?.outcome !== 'removed');
      const left = new Set(stay.map(({ tag }) => tag));
      const now = await registry.tags(repository, signal);
      // Somebody published meanwhile, maybe one of these manifests again.
      if (now.some((tag) => !left.has(tag) && !isSignature({ tag }))) return;
      for (const [first] of groups) if (first) await registry.remove(repository, first.digest, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
    }
  }

  async function removeOne(item: RetentionItem): Promise<Untagged> {
    const { repository, tag, digest, reason } = item;
    if (item.act === 'keep') return { item, outcome: 'kept', reason };
    if (options.dryRun) return { item, outcome: 'planned', reason };
    try {
      let removal = await registry.remove(repository, tag, signal);
      if (removal === 'unsupported') {
        const shared = kept.get(keyOf(item));
        if (shared) {
          return {
            item,
            outcome: 'kept',
            reason: `shares its manifest with ${shared.tag}, and the registry removes by digest alone`,
          };
        }
        removal = await registry.remove(
          repository,
          digest || ((await registry.resolve(repository, tag, signal)) ?? tag),
          signal,
        );
      }
      if (removal === 'protected')
        return { item, outcome: 'protected', reason: `a tag rule of the project keeps it (${reason})` };
      if (removal !== 'unsupported') return { item, outcome: 'removed', reason };
      throw new Fault('registry_refused', `${repository}: the registry removes nothing`, {
        hint: 'CNCF distribution needs `storage.delete.enabled: true`; GitLab’s registry removes tags since 16.4.',
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
      return { item, outcome: 'failed', reason: error.message, fault: error };
    }
  }
}
