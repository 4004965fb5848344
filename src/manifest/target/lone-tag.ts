import { isMap } from 'yaml';
import { heldBy, resolve, textOf } from '../document.ts';
import type { ManifestDocument, YAMLMap } from '../document.ts';
import { formatPath } from '../path.ts';
import { isVariable, labelOf, mapsBelow, offsetOf } from '../slot.ts';
import type { ImageSlot, MapVisit, Write } from '../slot.ts';
import { partKeys, partsSlot, tagged, writeKey } from './image-parts.ts';
import type { PartKeys } from './image-parts.ts';

/** An image in parts in the values of a HelmRelease: a patch of it, or a further values file, often sets the tag alone. */
export interface ReleaseImage {
  /** `metadata.name` of the HelmRelease. */
  readonly release: string;
  /** '' where it is not said, and in values files. */
  readonly namespace: string;
  /** Of the map, from the root of the values. */
  readonly path: string;
  readonly names: readonly string[];
  readonly keys: PartKeys;
  /** It has a digest, which readers obey before the tag. */
  readonly pinned: boolean;
}

/** The images in parts of a HelmRelease, or of a values file of HelmReleases with these names. */
export function findReleaseImages(document: ManifestDocument, releases: readonly string[]): readonly ReleaseImage[] {
  return valuesMaps(document).flatMap((visit) =>
    partKeys(document, visit).flatMap((keys) => {
      const slot = partsSlot(document, visit, keys);
      if (!slot) return [];
      const digest = keys.digest === null ? '' : text(document, visit.map, keys.digest);
      const { names } = slot;
      const path = valuesPath(document, visit);
      return objectsOf(document, releases).map((object) => ({ ...object, path, names, keys, pinned: digest !== '' }));
    }),
  );
}

/**
 * Tags and digests without a repository beside them in a HelmRelease, or in a values file of those named `releases`,
 * where the same map of the same HelmRelease's values has one in another file: `imagesOf` tells them by its name. Left
 * alone where files disagree about the repository.
 */
export function findLoneTags(
  document: ManifestDocument,
  releases: readonly string[],
  imagesOf: (release: string) => readonly ReleaseImage[],
): readonly ImageSlot[] {
  const known = objectsOf(document, releases).flatMap(({ release, namespace }) =>
    imagesOf(release).filter((each) => each.namespace === namespace || each.namespace === '' || namespace === ''),
  );
  if (known.length === 0) return [];
  return valuesMaps(document).flatMap((visit) => {
    const path = valuesPath(document, visit);
    const here = Map.groupBy(
      known.filter((each) => each.path === path),
      ({ keys }) => keys.repository,
    );
    return [...here.values()].flatMap((group) => {
      const [image, ...others] = group;
      if (!image || others.some(({ names }) => names[0] !== image.names[0])) return [];
      const slot = loneSlot(document, visit, image);
      return slot ? [slot] : [];
    });
  });
}

function loneSlot(document: ManifestDocument, { map, steps }: MapVisit, image: ReleaseImage): ImageSlot | null {
  const { repository, registry } = image.keys;
  if (heldBy(document, map, repository) || (registry !== null && heldBy(document, map, registry))) return null;
  const keys: PartKeys = { ...image.keys, tag: image.keys.tag ?? 'tag' };
  const beside = [keys.tag, keys.digest].find((key) => key !== null && heldBy(document, map, key) !== null);
  if (!beside) return null;
  const held = (key: string | null): string => {
    const own = key === null ? '' : text(document, map, key);
    return own === '' && key === keys.digest && image.pinned ? 'inherited' : own;
  };
  return {
    kind: 'helm-values',
    document,
    host: map,
    names: image.names,
    offset: offsetOf(map),
    path: labelOf(document, steps),
    keepsTag: true,
    write: (change) => {
      const variable = [held(keys.tag), held(keys.digest)].find(isVariable);
      if (variable !== undefined) return `the map holds a variable: ${variable}`;
      const write = ([key, after]: readonly [string, string]): Write =>
        writeKey(document, map, steps, beside, key, after);
      const writes = tagged(change, keys, held).map(write);
      if (change.newName === undefined) return writes;
      if (registry !== null) return 'its registry and repository stand in another file; set the new name by path';
      return [write([repository, change.newName]), ...writes];
    },
  };
}

/** Tags of Helm values without a repository beside them, for hints: `path` is for people. */
export function tagsWithoutName(
  document: ManifestDocument,
): readonly { readonly path: string; readonly offset: number }[] {
  return valuesMaps(document).flatMap(({ map, steps, key }) => {
    const tag = /image$/i.test(key) ? heldBy(document, map, 'tag') : null;
    if (!tag?.node || ['repository', 'repo', 'name', 'image'].some((each) => heldBy(document, map, each))) return [];
    return [{ path: labelOf(document, [...steps, { type: 'key', key: 'tag' }]), offset: offsetOf(tag.node) }];
  });
}

/** The maps in the values of a HelmRelease, or in a values file. */
function valuesMaps(document: ManifestDocument): readonly MapVisit[] {
  if (document.kind === '' && document.apiVersion === '') return mapsBelow(document.root);
  if (document.kind !== 'HelmRelease' || !isMap(document.root)) return [];
  const spec = resolve(document, heldBy(document, document.root, 'spec')?.node);
  const values = isMap(spec) ? resolve(document, heldBy(document, spec, 'values')?.node) : null;
  return mapsBelow(values, [
    { type: 'key', key: 'spec' },
    { type: 'key', key: 'values' },
  ]);
}

function valuesPath(document: ManifestDocument, { steps }: MapVisit): string {
  return formatPath(document.kind === 'HelmRelease' ? steps.slice(2) : steps);
}

/** The HelmReleases that the document's values belong to. */
function objectsOf(
  document: ManifestDocument,
  releases: readonly string[],
): readonly Pick<ReleaseImage, 'release' | 'namespace'>[] {
  if (document.kind !== 'HelmRelease') return releases.map((release) => ({ release, namespace: '' }));
  const metadata = isMap(document.root) ? resolve(document, heldBy(document, document.root, 'metadata')?.node) : null;
  return [{ release: document.name, namespace: isMap(metadata) ? text(document, metadata, 'namespace') : '' }];
}

function text(document: ManifestDocument, map: YAMLMap, key: string): string {
  return textOf(resolve(document, heldBy(document, map, key)?.node)).trim();
}
