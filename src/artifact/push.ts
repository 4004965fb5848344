import pMap from 'p-map';
import type { Files } from '../systems/files.ts';
import type { Registry } from '../systems/registry.ts';
import type { Signer } from '../systems/signer.ts';
import type { Ancestry } from './ancestry.ts';
import type { Description } from './describe.ts';
import { writeLayout, type Layout } from './layout.ts';
import type { Selection } from './select.ts';
import type { Snapshot } from './snapshot.ts';
import { readStanding } from './standing.ts';
import { immutableTag, readImmutableTag } from './tags.ts';

/** What came of a push. */
export type Pushed =
  | { readonly outcome: 'pushed'; readonly digest: string; readonly note: string | null }
  | { readonly outcome: 'superseded'; readonly digest: string; readonly commit: string };

/** Writes the layout of a selection to a folder. */
export function layoutOf(
  files: Files,
  folder: string,
  snapshot: Snapshot,
  selection: Selection,
  description: Omit<Description, 'contentDigest'>,
  refNames: readonly string[],
  signal?: AbortSignal,
): Promise<Layout> {
  return writeLayout(files, folder, snapshot.files(selection.entries, signal), description, refNames);
}

/**
 * Pushes an artifact: blobs and manifest under the commit's own tag first, the moving tag last, and only while nothing
 * newer stands. After the move the commits' tags are looked through: a newer one that arrived meanwhile gets the moving
 * tag back, whatever the order of arrival. Faults of `Registry` and `Files`.
 */
export async function pushArtifact(options: {
  readonly registry: Registry;
  readonly files: Files;
  readonly ancestry: Ancestry;
  readonly snapshot: Snapshot;
  readonly selection: Selection;
  readonly description: Omit<Description, 'contentDigest'>;
  readonly repository: string;
  readonly environment: string;
  readonly tag: string;
  /** A layout that holds the image under the commit's own tag; null: one is written. */
  readonly written: { readonly folder: string; readonly digest: string } | null;
  /** Signs the digest before the moving tag names it; null: no signature. */
  readonly signer: Signer | null;
  /** Further tags for the pushed digest, which move like the moving one. */
  readonly moreTags: readonly string[];
  readonly signal?: AbortSignal | undefined;
}): Promise<Pushed> {
  const { registry, repository, tag, snapshot, signal, ancestry, signer } = options;
  const own = immutableTag(options.environment, snapshot.commit.sha);
  await using temporary = await options.files.temporary('sluice-artifact-');
  const folder = options.written?.folder ?? temporary.path;
  const { digest } =
    options.written ??
    (await layoutOf(options.files, folder, snapshot, options.selection, options.description, [own], signal));
  const taken = await registry.resolve(repository, own, signal);
  const note =
    taken === null || taken === digest
      ? null
      : `tag ${own} already names ${taken} and stays (published differently before)`;
  if (note === null) await registry.push(folder, own, repository, [own], signal);
  if (note === null) await signer?.sign(repository, digest, signal);

  const before = await readStanding(registry, repository, tag, signal);
  if (before?.commit && (await ancestry.relation(before.commit)) === 'behind') {
    return { outcome: 'superseded', digest: before.digest, commit: before.commit };
  }
  if (note === null) await registry.tag(repository, digest, tag, signal);
  else {
    await registry.push(folder, own, repository, [tag], signal);
    await signer?.sign(repository, digest, signal);
  }
  for (const more of options.moreTags) await moveFurther(options, more, digest);

  const newer = await newerThanOurs(options);
  if (newer) {
    await registry.tag(repository, newer.digest, tag, signal);
    return { outcome: 'superseded', ...newer };
  }
  return { outcome: 'pushed', digest, note };
}

/** Further tags, too, never go backwards. */
async function moveFurther(
  options: Pick<Parameters<typeof pushArtifact>[0], 'registry' | 'repository' | 'ancestry' | 'signal'>,
  tag: string,
  digest: string,
): Promise<void> {
  const { registry, repository, ancestry, signal } = options;
  const before = await readStanding(registry, repository, tag, signal);
  if (before?.commit && (await ancestry.relation(before.commit)) === 'behind') return;
  if (before?.digest !== digest) await registry.tag(repository, digest, tag, signal);
}

/** An artifact of this environment whose commit contains ours, the newest of them, or null. */
async function newerThanOurs(
  options: Pick<
    Parameters<typeof pushArtifact>[0],
    'registry' | 'repository' | 'environment' | 'ancestry' | 'description' | 'signal'
  >,
): Promise<{ readonly digest: string; readonly commit: string } | null> {
  const { registry, repository, environment, signal, ancestry } = options;
  const ancestors = await ancestry.ancestors();
  const unknown = (await registry.tags(repository, signal)).filter((tag) => {
    const named = readImmutableTag(tag);
    return named?.environment === environment && !ancestors.has(named.commit);
  });
  const standings = await pMap(
    unknown,
    async (tag) => {
      const standing = await readStanding(registry, repository, tag, signal);
      // Another environment may be called like a commit's tag of ours, and other artifacts may share the repository.
      const ours = standing?.commit && tag === immutableTag(environment, standing.commit);
      return ours && standing.title === options.description.title ? standing : null;
    },
    { concurrency: 8 },
  );
  const newer: { readonly digest: string; readonly commit: string; readonly createdAt: string }[] = [];
  for (const standing of standings) {
    if (standing?.commit && (await ancestry.relation(standing.commit)) === 'behind') {
      newer.push({ digest: standing.digest, commit: standing.commit, createdAt: standing.createdAt });
    }
  }
  const [newest] = newer.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  return newest ? { digest: newest.digest, commit: newest.commit } : null;
}
