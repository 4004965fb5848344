import { isMap, isScalar, isSeq } from 'yaml';
import { heldBy, keyText, ownPair, resolve, textOf } from '../document.ts';
import type { Held, ManifestDocument, ManifestFile, Node } from '../document.ts';
import { stepInto } from '../path.ts';
import type { Step } from '../path.ts';
import { mapsBelow, referenceSlot } from '../slot.ts';
import type { ImageSlot, MapVisit } from '../slot.ts';
import { partKeys, partsSlot } from './image-parts.ts';
import { isKustomization } from './kustomize-images.ts';

/**
 * Images in Helm values, of a HelmRelease (`spec.values`) and of values files (documents that are no Kubernetes object):
 * maps of repository, tag, digest and registry; full references; lists of both.
 */
export function findHelmValues(file: ManifestFile, document: ManifestDocument): readonly ImageSlot[] {
  if (document.kind === 'HelmRelease' && isMap(document.root)) {
    const spec = resolve(document, heldBy(document, document.root, 'spec')?.node);
    const values = isMap(spec) ? resolve(document, heldBy(document, spec, 'values')?.node) : null;
    return slotsBelow(document, values, [
      { type: 'key', key: 'spec' },
      { type: 'key', key: 'values' },
    ]);
  }
  if (isKustomization(file, document) || isObject(document) || isPatch(document)) return [];
  return slotsBelow(document, document.root, []);
}

/** A Kubernetes object or a patch of one; a values file may have a key `kind` too. */
function isObject({ root, kind, apiVersion }: ManifestDocument): boolean {
  if (kind === '' || !isMap(root)) return false;
  return apiVersion !== '' || ownPair(root, 'metadata') !== undefined || ownPair(root, 'spec') !== undefined;
}

/** A list of JSON patches (RFC 6902). */
export function isPatch({ root }: ManifestDocument): boolean {
  return (
    isSeq(root) &&
    root.items.length > 0 &&
    root.items.every((item) => isMap(item) && ownPair(item, 'op') && ownPair(item, 'path'))
  );
}

function slotsBelow(document: ManifestDocument, root: Node | null, from: readonly Step[]): readonly ImageSlot[] {
  return mapsBelow(root, from).flatMap((visit) => {
    const parts = partKeys(document, visit).flatMap((keys) => {
      const slot = partsSlot(document, visit, keys);
      return slot ? [{ slot, key: keys.repository }] : [];
    });
    const taken = new Set(parts.map(({ key }) => key));
    return [...parts.map(({ slot }) => slot), ...references(document, visit, taken)];
  });
}

/** Full references: `image: name:tag`, `images: [name:tag]`, and under any key a path with tag or digest. */
function references(document: ManifestDocument, visit: MapVisit, taken: ReadonlySet<string>): readonly ImageSlot[] {
  return visit.map.items.flatMap((pair) => {
    if (!isScalar(pair.key)) return [];
    const key = keyText(pair.key);
    const steps: readonly Step[] = [...visit.steps, { type: 'key', key }];
    const value = resolve(document, pair.value as Node | null);
    if (isSeq(value)) {
      return value.items.flatMap((item, index) => {
        const inner = [...steps, stepInto(value.items, index)];
        return reference(document, null, null, item as Node, inner, /images?$/i.test(key));
      });
    }
    if (taken.has(key)) return [];
    const named = /image$/i.test(key) || (key === 'name' && /image$/i.test(visit.key));
    return reference(document, visit.map, pair as Held['pair'], pair.value as Node | null, steps, named);
  });
}

function reference(
  document: ManifestDocument,
  host: MapVisit['map'] | null,
  pair: Held['pair'] | null,
  node: Node | null,
  steps: readonly Step[],
  named: boolean,
): readonly ImageSlot[] {
  const value = resolve(document, node);
  if (!isScalar(value) || !(named || /^[^\s:@]+(?::\d+)?\/[^\s:@]+[:@]\S+$/.test(textOf(value)))) return [];
  const slot = referenceSlot('helm-values', document, host, pair, node, steps);
  return slot ? [slot] : [];
}
