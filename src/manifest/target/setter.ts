import { isMap, isScalar, isSeq } from 'yaml';
import type { ImageChange } from '../../app/change.ts';
import { readImage } from '../../app/image.ts';
import { heldBy, keyText, resolve, textOf } from '../document.ts';
import type { ManifestDocument, ManifestFile, Node, Pair, YAMLMap } from '../document.ts';
import { stepInto } from '../path.ts';
import type { Step } from '../path.ts';
import { styleOf } from '../scalar.ts';
import { isVariable, labelOf, offsetOf, referenceText } from '../slot.ts';
import type { ImageSlot, Write } from '../slot.ts';
import { markerOf } from './marker.ts';
import type { Marker } from './marker.ts';

/** A value with its marker. */
export interface Marked extends Marker {
  readonly document: ManifestDocument;
  readonly node: Node;
  readonly pair: Pair<Node, Node | null> | null;
  readonly host: YAMLMap | null;
  readonly path: string;
  readonly text: string;
  /** Names of the image that the value itself or its neighbours tell; none for a lone tag. */
  readonly names: readonly string[];
}

/** Every marked value of a document. */
export function findMarked(file: ManifestFile, document: ManifestDocument): readonly Marked[] {
  if (!file.text.includes('"$imagepolicy"')) return [];
  const found: Marked[] = [];
  const see = (node: Node | null, pair: Marked['pair'], steps: readonly Step[], holders: readonly Node[]): void => {
    if (isMap(node)) {
      for (const each of node.items as NonNullable<Marked['pair']>[]) {
        if (!isScalar(each.key)) continue;
        see(each.value, each, [...steps, { type: 'key', key: keyText(each.key) }], [...holders, node]);
      }
      return;
    }
    if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        see(item as Node, null, [...steps, stepInto(node.items, index)], [...holders, node]);
      }
      return;
    }
    const scalar = resolve(document, node);
    const mark = node && isScalar(scalar) ? markerOf(file.text, node, pair, holders) : null;
    if (!node || !mark) return;
    const text = textOf(scalar);
    const around = holders.at(-1);
    const host = isMap(around) ? around : null;
    const own = mark.part === 'name' ? [text] : mark.part === 'image' ? [readImage(text.trim())?.name ?? ''] : null;
    const names = (own ?? (host ? neighbours(document, host) : [])).filter((name) => name !== '');
    found.push({ document, ...mark, node, pair, host, path: labelOf(document, steps), text, names });
  };
  see(document.root, null, [], []);
  return found;
}

/** Names that the map around a tag or digest tells: kustomize entries, repository (and registry), full references. */
function neighbours(document: ManifestDocument, map: YAMLMap): readonly string[] {
  const text = (key: string): string => textOf(resolve(document, heldBy(document, map, key)?.node));
  const registry = text('registry');
  const repository = text('repository') || text('repo');
  const joined = repository !== '' && registry !== '' ? `${registry}/${repository}` : repository;
  const entry = ['newName', 'newTag', 'digest', 'tag'].some((key) => heldBy(document, map, key) !== null);
  return [text('newName'), joined, readImage(text('image'))?.name ?? '', entry ? text('name') : ''];
}

/** Marked values as image slots. `namesOf` tells the names of a policy, gathered from all files. */
export function findSetters(
  file: ManifestFile,
  document: ManifestDocument,
  namesOf: (policy: string) => ReadonlySet<string>,
): readonly ImageSlot[] {
  return findMarked(file, document).map((marked) => ({
    kind: 'setter',
    document,
    host: marked.host,
    names: marked.names.length > 0 ? marked.names : [...namesOf(marked.policy)],
    offset: offsetOf(marked.node),
    path: marked.path,
    ...(marked.part !== 'image' && { keepsTag: true }),
    write: (change) => {
      const scalar = resolve(document, marked.node);
      if (isScalar(scalar) && styleOf(scalar) === null) return 'the value is a block scalar (| or >)';
      if (isVariable(marked.text)) return `the value holds a variable: ${marked.text}`;
      const old = readImage(marked.text) ?? { name: change.name, tag: null, digest: null };
      const after = {
        image: referenceText(change, old),
        name: change.newName ?? marked.text,
        tag: tagText(change, marked.text),
        digest: change.digest ?? (change.tag === undefined ? marked.text : undefined),
      }[marked.part];
      if (after === undefined) {
        const other = marked.part === 'tag' ? 'tag' : 'digest';
        return `the marker wants a ${other}, and the change has none`;
      }
      return [writeMarked(marked, after)];
    },
  }));
}

/** A tag that held a digest too (`1.2@sha256:…`) keeps that form. */
function tagText(change: ImageChange, old: string): string | undefined {
  if (change.tag === undefined) return change.digest === undefined ? old : undefined;
  return old.includes('@') && change.digest !== undefined ? `${change.tag}@${change.digest}` : change.tag;
}

/** Sets a marked value. */
export function writeMarked(marked: Marked, after: string): Write {
  return {
    type: 'set',
    document: marked.document,
    node: marked.node,
    pair: marked.pair,
    path: marked.path,
    before: marked.text,
    after,
  };
}
