import { isMap, isScalar, isSeq } from 'yaml';
import type { ImageChange } from '../../app/change.ts';
import { readImage } from '../../app/image.ts';
import { keyText, parseInner, textOf } from '../document.ts';
import type { ManifestDocument, ManifestFile, Node } from '../document.ts';
import { stepInto } from '../path.ts';
import type { Step } from '../path.ts';
import { styleOf } from '../scalar.ts';
import { labelOf, referenceText } from '../slot.ts';
import type { ImageSlot } from '../slot.ts';
import { findHelmValues } from './helm-values.ts';

const line = /^[ \t]*(?:- +)*["']?(?:image|repository|newName|value)["']?[ \t]*:[ \t]+["']?([^\s"'#]+)/gm;

/**
 * Images in the text of block scalars: inline patches, manifests in ConfigMaps. They are never edited, since the text
 * is not the file's own YAML; where nothing else holds the image, they are what is refused, with their place.
 */
export function findInBlocks(file: ManifestFile, document: ManifestDocument): readonly ImageSlot[] {
  if (document.kind === 'CustomResourceDefinition') return [];
  const found: ImageSlot[] = [];
  const see = (node: unknown, steps: readonly Step[]): void => {
    if (isMap(node)) {
      for (const { key, value } of node.items)
        if (isScalar(key)) see(value, [...steps, { type: 'key', key: keyText(key) }]);
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) see(item, [...steps, stepInto(node.items, index)]);
    } else if (isScalar(node) && styleOf(node) === null) {
      for (const slot of slotsIn(file, document, node, steps)) found.push(slot);
    }
  };
  if (/[|>]/.test(file.text)) see(document.root, []);
  return found;
}

function slotsIn(
  file: ManifestFile,
  document: ManifestDocument,
  node: Node,
  steps: readonly Step[],
): readonly ImageSlot[] {
  const [start, end] = node.range ?? [0, 0];
  const patch = steps.some((step) => step.type === 'key' && step.key.startsWith('patches'));
  let known: readonly ImageSlot[] | null = null;
  const parts = (): readonly ImageSlot[] => {
    const inner = known === null ? parseInner(textOf(node)) : null;
    return (known ??= inner?.documents.flatMap((each) => findHelmValues(inner, each)) ?? []);
  };
  /** An image in parts holds the wanted version already, wherever its name stands. */
  const isSo = (name: string, change: ImageChange): boolean => {
    const writes = parts().flatMap((slot) => (slot.names.includes(name) ? [slot.write(change)] : []));
    return (
      writes.length > 0 &&
      writes.flat().every((write) => typeof write !== 'string' && write.type === 'set' && write.before === write.after)
    );
  };
  return [...file.text.slice(start, end).matchAll(line)].flatMap((match) => {
    const image = readImage(match[1]!);
    if (!image) return [];
    return [
      {
        kind: 'workload',
        document,
        host: null,
        names: [image.name],
        offset: start + match.index + match[0].length - match[1]!.length,
        path: labelOf(document, steps),
        ...(patch && { overrides: true }),
        write: (change) =>
          referenceText(change, image) === match[1] || isSo(image.name, change)
            ? []
            : `${image.name} stands in a block scalar (| or >), whose text is not edited`,
      },
    ];
  });
}
