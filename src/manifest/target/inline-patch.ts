import { isMap, isScalar, isSeq } from 'yaml';
import { heldBy, keyText, parseInner, resolve, textOf } from '../document.ts';
import type { ManifestDocument, ManifestFile, Node, YAMLMap } from '../document.ts';
import { formatPath, parsePath, stepInto } from '../path.ts';
import type { Step } from '../path.ts';
import { labelOf, offsetOf } from '../slot.ts';
import type { ImageSlot } from '../slot.ts';
import { tagged } from './image-parts.ts';
import { findLoneTags } from './lone-tag.ts';
import type { ReleaseImage } from './lone-tag.ts';

type ImagesOf = (release: string) => readonly ReleaseImage[];

/** A patch in the text of a Kustomization. */
interface InlinePatch {
  readonly node: Node;
  readonly text: string;
  readonly steps: readonly Step[];
  /** What it names; null: the patch names its object itself. */
  readonly target: YAMLMap | null;
}

/**
 * Tags and digests without a repository in patches of HelmReleases that stand in the text of a Kustomization. As all
 * texts of patches they are never edited: where they would undo what is done to the HelmRelease's image, they are
 * refused, with their place. `imagesOf` tells the images of a HelmRelease.
 */
export function findInlinePatches(
  file: ManifestFile,
  document: ManifestDocument,
  imagesOf: ImagesOf,
): readonly ImageSlot[] {
  if (!isMap(document.root) || !file.text.includes('HelmRelease') || !file.text.includes('patch')) return [];
  const spec = resolve(document, heldBy(document, document.root, 'spec')?.node);
  const patches = [
    ...patchesOf(document, document.root, []),
    ...(isMap(spec) ? patchesOf(document, spec, [{ type: 'key', key: 'spec' }]) : []),
  ];
  return patches.flatMap((patch) =>
    slotsIn(document, patch, imagesOf).map((slot) => ({
      kind: 'helm-values',
      document,
      host: null,
      names: slot.names,
      offset: offsetOf(patch.node),
      path: labelOf(document, patch.steps),
      keepsTag: true,
      overrides: true,
      write: (change) => {
        const writes = slot.write(change);
        if (typeof writes === 'string') return writes;
        if (writes.every((write) => write.type === 'set' && write.before === write.after)) return [];
        return `${slot.path} of ${slot.names[0]} stands in an inline patch, whose text is not edited`;
      },
    })),
  );
}

function patchesOf(document: ManifestDocument, map: YAMLMap, above: readonly Step[]): readonly InlinePatch[] {
  return map.items.flatMap(({ key, value }) => {
    const name = isScalar(key) ? keyText(key) : '';
    const list = resolve(document, value as Node | null);
    if (!name.startsWith('patches') || !isSeq(list)) return [];
    return list.items.flatMap((item, index): readonly InlinePatch[] => {
      const entry = resolve(document, item as Node);
      const steps: readonly Step[] = [...above, { type: 'key', key: name }, stepInto(list.items, index)];
      if (isScalar(entry)) return [{ node: entry, text: textOf(entry), steps, target: null }];
      const held = isMap(entry) ? resolve(document, heldBy(document, entry, 'patch')?.node) : null;
      if (!isMap(entry) || !isScalar(held)) return [];
      const target = resolve(document, heldBy(document, entry, 'target')?.node);
      const own: readonly Step[] = [...steps, { type: 'key', key: 'patch' }];
      return [{ node: held, text: textOf(held), steps: own, target: isMap(target) ? target : null }];
    });
  });
}

type InnerSlot = Pick<ImageSlot, 'names' | 'path' | 'write'>;

function slotsIn(document: ManifestDocument, patch: InlinePatch, imagesOf: ImagesOf): readonly InnerSlot[] {
  const { target } = patch;
  const told = (key: string): string =>
    target === null ? '' : textOf(resolve(document, heldBy(document, target, key)?.node));
  const [name, namespace] = [told('name'), told('namespace')];
  // A target may select by patterns and labels: what it means then is not known.
  const plain = [name, namespace].every((each) => /^[a-z0-9-]*$/.test(each));
  if (!plain || told('labelSelector') !== '' || told('annotationSelector') !== '') return [];
  if (target !== null && told('kind') !== 'HelmRelease') return [];
  const near: ImagesOf = (release) =>
    imagesOf(release).filter((each) => namespace === '' || each.namespace === '' || each.namespace === namespace);
  return (parseInner(patch.text)?.documents ?? []).flatMap((inner) => {
    if (isSeq(inner.root)) return name === '' ? [] : operationSlots(inner, near(name));
    return inner.kind === 'HelmRelease' ? findLoneTags(name === '' ? inner : { ...inner, name }, [], near) : [];
  });
}

/** JSON 6902 operations that set the tag or digest of a known image. */
function operationSlots(inner: ManifestDocument, known: readonly ReleaseImage[]): readonly InnerSlot[] {
  if (!isSeq(inner.root)) return [];
  return inner.root.items.flatMap((operation): readonly InnerSlot[] => {
    const map = resolve(inner, operation as Node);
    if (!isMap(map)) return [];
    const told = (key: string): string => textOf(resolve(inner, heldBy(inner, map, key)?.node));
    const pointer = told('path');
    if (!/^(?:add|replace)$/.test(told('op')) || !/^\/spec\/values\/.*[^/]$/.test(pointer)) return [];
    const steps = parsePath(pointer.replaceAll(/~(?![01])/g, '~0')).slice(2);
    const last = steps.at(-1);
    const key = last?.type === 'key' ? last.key : '';
    const image = known.find((each) => each.path === formatPath(steps.slice(0, -1)));
    if (!image || ![image.keys.tag, image.keys.digest].includes(key)) return [];
    const before = told('value');
    const held = (asked: string | null): string =>
      asked === key ? before : asked === image.keys.digest && image.pinned ? 'inherited' : '';
    return [
      {
        names: image.names,
        path: pointer,
        write: (change) =>
          tagged(change, image.keys, held).flatMap(([at, after]) =>
            at === key
              ? [{ type: 'set', document: inner, node: null, pair: null, path: pointer, before, after } as const]
              : [],
          ),
      },
    ];
  });
}
