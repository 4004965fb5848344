import pMap from 'p-map';
import { commitOfRevision } from '../revision.ts';
import type { Registry, RegistryManifest } from '../systems/registry.ts';
import { annotationNames } from './describe.ts';
import type { Item } from './evaluate.ts';

/** What stands under a tag. */
export interface Standing {
  readonly digest: string;
  readonly contentDigest: string | null;
  /** The delivery commit that it was published from, where the annotation says so. */
  readonly commit: string | null;
  /** Name of the artifact, where the annotation says so. */
  readonly title: string | null;
  /** Time of that commit, RFC 3339 in UTC; '' where unknown. */
  readonly createdAt: string;
  /** Its first layer, which is all that Flux unpacks. */
  readonly layer: { readonly digest: string; readonly size: number } | null;
}

/** Reads what stands under a tag; null where there is nothing. One request; faults of `Registry`. */
export async function readStanding(
  registry: Registry,
  repository: string,
  tag: string,
  signal?: AbortSignal,
): Promise<Standing | null> {
  const manifest = await registry.manifest(repository, tag, signal);
  return manifest && standingOf(manifest);
}

/** Tags that are read at a time. */
const READS = 32;

/** What stands for many artifacts, as where no ledger tells it; a failure is the one artifact's own. */
export async function readStandings<T extends Item>(
  registry: Registry,
  items: readonly T[],
  signal?: AbortSignal,
): Promise<ReadonlyMap<T, Promise<Standing | null>>> {
  const standings = new Map<T, Promise<Standing | null>>();
  await pMap(
    items,
    async (item) => {
      const standing = readStanding(registry, item.artifact.repository, item.pair.tag, signal);
      standings.set(item, standing);
      await standing.catch(() => undefined);
    },
    { concurrency: READS },
  );
  return standings;
}

function standingOf(manifest: RegistryManifest): Standing {
  return {
    digest: manifest.digest,
    contentDigest: manifest.annotations[annotationNames.contentDigest] ?? null,
    commit: commitOfRevision(manifest.annotations[annotationNames.revision] ?? '') ?? null,
    title: manifest.annotations[annotationNames.title] ?? null,
    createdAt: manifest.annotations[annotationNames.created] ?? '',
    layer: manifest.layers[0] ?? null,
  };
}
