import { isMap } from 'yaml';
import { heldBy, resolve, textOf } from '../document.ts';
import type { ManifestDocument, YAMLMap } from '../document.ts';
import { formatPath } from '../path.ts';
import { isVariable, labelOf, mapsBelow, offsetOf } from '../slot.ts';
import type { ImageSlot, MapVisit, Write } from '../slot.ts';
import { partKeys, partsSlot, tagged, writeKey } from './image-parts.ts';
import type { PartKeys } from './image-parts.ts';

/** An image in parts in the values of a HelmRelease: an overlay's patch of it often sets the tag alone. */
export interface ReleaseImage {
  /** `metadata.name` */
  readonly release: string;
  readonly namespace: string;
  /** Of the map, from the root of the document. */
  readonly path: string;
  readonly names: readonly string[];
  readonly keys: PartKeys;
  /** It has a digest, which readers obey before the tag. */
  readonly pinned: boolean;
}

/** The images in parts of a HelmRelease. */
export function findReleaseImages(document: ManifestDocument): readonly ReleaseImage[] {
  return releaseMaps(document).flatMap((visit) =>
    partKeys(document, visit).flatMap((keys) => {
      const slot = partsSlot(document, visit, keys);
      if (!slot) return [];
      const digest = keys.digest === null ? '' : text(document, visit.map, keys.digest);
      const { names } = slot;
      return [{ ...objectOf(document), path: formatPath(visit.steps), names, keys, pinned: digest !== '' }];
    }),
  );
}

/**
 * Tags and digests of a HelmRelease without a repository beside them, where the same map of the same HelmRelease has
 * one in another file: `imagesOf` tells them by name of the HelmRelease. Left alone where files disagree about the
 * repository.
 */
export function findLoneTags(
  document: ManifestDocument,
  imagesOf: (release: string) => readonly ReleaseImage[],
): readonly ImageSlot[] {
  const { release, namespace } = objectOf(document);
  const images = document.kind === 'HelmRelease' ? imagesOf(release) : [];
  const known = images.filter((each) => [each.namespace, ''].includes(namespace) || each.namespace === '');
  if (known.length === 0) return [];
  return releaseMaps(document).flatMap((visit) => {
    const path = formatPath(visit.steps);
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
  const visits = document.kind + document.apiVersion === '' ? mapsBelow(document.root) : releaseMaps(document);
  return visits.flatMap(({ map, steps, key }) => {
    const tag = /image$/i.test(key) ? heldBy(document, map, 'tag') : null;
    if (!tag?.node || ['repository', 'repo', 'name', 'image'].some((each) => heldBy(document, map, each))) return [];
    return [{ path: labelOf(document, [...steps, { type: 'key', key: 'tag' }]), offset: offsetOf(tag.node) }];
  });
}

function releaseMaps(document: ManifestDocument): readonly MapVisit[] {
  if (document.kind !== 'HelmRelease' || !isMap(document.root)) return [];
  const spec = resolve(document, heldBy(document, document.root, 'spec')?.node);
  const values = isMap(spec) ? resolve(document, heldBy(document, spec, 'values')?.node) : null;
  return mapsBelow(values, [
    { type: 'key', key: 'spec' },
    { type: 'key', key: 'values' },
  ]);
}

function objectOf(document: ManifestDocument): { readonly release: string; readonly namespace: string } {
  const metadata = isMap(document.root) ? resolve(document, heldBy(document, document.root, 'metadata')?.node) : null;
  return { release: document.name, namespace: isMap(metadata) ? text(document, metadata, 'namespace') : '' };
}

function text(document: ManifestDocument, map: YAMLMap, key: string): string {
  return textOf(resolve(document, heldBy(document, map, key)?.node)).trim();
}
