import { isMap, isSeq } from 'yaml';
import { heldBy, resolve, textOf } from '../document.ts';
import type { ManifestDocument, ManifestFile, Node } from '../document.ts';
import { stepInto } from '../path.ts';
import { mapsBelow, referenceSlot } from '../slot.ts';
import type { ImageSlot } from '../slot.ts';
import { isPatch } from './helm-values.ts';

const lists = ['containers', 'initContainers', 'ephemeralContainers'];

/**
 * `image` of containers, initContainers and ephemeralContainers, wherever an object has such a list: pods, templates of
 * pods in any kind (kustomize replaces images there too), `List` items, patches; and JSON patches of such a field.
 */
export function findWorkloads(_file: ManifestFile, document: ManifestDocument): readonly ImageSlot[] {
  if (isPatch(document)) return patchedImages(document);
  if (document.kind === '' || document.kind === 'CustomResourceDefinition' || document.kind === 'HelmRelease')
    return [];
  return mapsBelow(document.root).flatMap((visit) =>
    lists.flatMap((key) => {
      const list = resolve(document, heldBy(document, visit.map, key)?.node);
      if (!isSeq(list)) return [];
      return list.items.flatMap((item, index) => {
        const container = resolve(document, item as Node);
        const image = isMap(container) ? heldBy(document, container, 'image') : null;
        if (!isMap(container) || !image) return [];
        const steps = [
          ...visit.steps,
          { type: 'key', key } as const,
          stepInto(list.items, index),
          { type: 'key', key: 'image' } as const,
        ];
        const slot = referenceSlot('workload', document, container, image.pair, image.node, steps);
        return slot ? [slot] : [];
      });
    }),
  );
}

/** A file of JSON patches (RFC 6902): `{op: replace, path: /spec/…/image, value: name:tag}`. */
function patchedImages(document: ManifestDocument): readonly ImageSlot[] {
  return mapsBelow(document.root).flatMap(({ map, steps }) => {
    const text = (key: string): string => textOf(resolve(document, heldBy(document, map, key)?.node));
    const value = heldBy(document, map, 'value');
    if (!value || !/^(?:add|replace)$/.test(text('op')) || !text('path').endsWith('/image')) return [];
    const slot = referenceSlot('workload', document, map, value.pair, value.node, [
      ...steps,
      { type: 'key', key: 'value' },
    ]);
    return slot ? [slot] : [];
  });
}
