import { isMap, isScalar, isSeq } from 'yaml';
import { formatImage, readImage } from '../app/image.ts';
import type { ImageReference } from '../app/image.ts';
import type { TargetKind } from './change.ts';
import type { ImageChange } from '../app/change.ts';
import { keyText, textOf, resolve } from './document.ts';
import type { Alias, ManifestDocument, ManifestFile, Node, Pair, YAMLMap } from './document.ts';
import { formatPath, stepInto } from './path.ts';
import type { Step } from './path.ts';

/** A change of one value, not yet an edit. */
export type Write = {
  readonly document: ManifestDocument;
  /** Where, for people. */
  readonly path: string;
  readonly before: string;
  readonly after: string;
} & (
  | {
      readonly type: 'set';
      /** Scalar, alias of one, or null for a key without value (then `pair` is given). */
      readonly node: Node | null;
      readonly pair: Pair<Node, Node | null> | null;
      readonly aliases?: readonly Alias[];
      readonly merges?: readonly YAMLMap[];
      /** Given for this place by path, not a part of an image. */
      readonly free?: true;
    }
  | { readonly type: 'add'; readonly map: YAMLMap; readonly beside: Pair<Node, Node | null>; readonly key: string }
  | { readonly type: 'remove'; readonly map: YAMLMap; readonly pair: Pair<Node, Node | null> }
);

/** A place that holds an image, found by one of the kinds. */
export interface ImageSlot {
  readonly kind: TargetKind;
  readonly document: ManifestDocument;
  /** The map that says which image it is; null for a bare scalar. */
  readonly host: YAMLMap | null;
  /** Names that a change may call it by, the one in force first. */
  readonly names: readonly string[];
  /** Its offset in the text. */
  readonly offset: number;
  readonly path: string;
  /** A tag is written beside a digest even with `pin: digest`, because readers join the two or ignore the tag. */
  readonly keepsTag?: true;
  /** A patch: what it holds goes before workloads and Helm values, wherever they stand. */
  readonly overrides?: true;
  /** What a change makes of it; a text says why it must be left alone. */
  write(change: ImageChange): readonly Write[] | string;
}

/** A map somewhere in a document. */
export interface MapVisit {
  readonly map: YAMLMap;
  readonly steps: readonly Step[];
  /** Key under which it, or the list that holds it, stands; '' at the root. */
  readonly key: string;
}

/** Every map of a document below `root`, once, in order; aliases are not followed. */
export function mapsBelow(root: Node | null, from: readonly Step[] = []): readonly MapVisit[] {
  const found: MapVisit[] = [];
  const stack: { node: unknown; steps: readonly Step[]; key: string }[] = [{ node: root, steps: from, key: '' }];
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { node, steps, key } = entry;
    if (isMap(node)) {
      found.push({ map: node, steps, key });
      for (const pair of node.items.toReversed()) {
        if (!isScalar(pair.key)) continue;
        const text = keyText(pair.key);
        stack.push({ node: pair.value, steps: [...steps, { type: 'key', key: text }], key: text });
      }
    } else if (isSeq(node)) {
      for (let index = node.items.length - 1; index >= 0; index -= 1) {
        stack.push({ node: node.items[index], steps: [...steps, stepInto(node.items, index)], key });
      }
    }
  }
  return found;
}

/** `Kind/name path`, for people. */
export function labelOf(document: ManifestDocument, steps: readonly Step[]): string {
  const object = document.kind !== '' && document.name !== '' ? `${document.kind}/${document.name} ` : '';
  return `${object}${formatPath(steps)}`;
}

/** Offset at which a node begins. */
export function offsetOf(node: Node | null | undefined): number {
  return node?.range?.[0] ?? 0;
}

/** A place with variables or template text: not ours to replace by a literal. */
export function isVariable(text: string): boolean {
  return /\$\{|\$\(|\{\{/.test(text);
}

/** Slot of a full reference in one scalar (`image: name:tag@digest`), or null where it is none. */
export function referenceSlot(
  kind: TargetKind,
  document: ManifestDocument,
  host: YAMLMap | null,
  pair: Pair<Node, Node | null> | null,
  node: Node | null,
  steps: readonly Step[],
): ImageSlot | null {
  const text = textOf(resolve(document, node)).trim();
  const image = readImage(text) ?? variableImage(text);
  if (!image) return null;
  const path = labelOf(document, steps);
  return {
    kind,
    document,
    host,
    names: [image.name],
    offset: offsetOf(node),
    path,
    write: (change) => {
      if (isVariable(text)) return `the value holds a variable: ${text}`;
      const after = referenceText(change, image);
      return [{ type: 'set', document, node, pair, path, before: text, after }];
    },
  };
}

/** `name:${tag}`: the image is known, the rest is a variable. */
function variableImage(text: string): ImageReference | null {
  const match = /^([^\s${}@]+?)[:@][^/]*(?:\$\{|\$\(|\{\{)/.exec(text);
  const image = match ? readImage(match[1]!) : null;
  return image ? { name: image.name, tag: null, digest: null } : null;
}

/** The reference that a change makes of an image. Tag and digest are replaced together, or kept together. */
export function referenceText(change: ImageChange, image: ImageReference): string {
  const kept = change.tag === undefined && change.digest === undefined;
  return formatImage({
    name: change.newName ?? image.name,
    tag: kept ? image.tag : (change.tag ?? null),
    digest: kept ? image.digest : (change.digest ?? null),
  });
}

/** The finder of one kind. */
export type Finder = (file: ManifestFile, document: ManifestDocument) => readonly ImageSlot[];
