import { Composer, isAlias, isMap, isScalar, isSeq, Parser } from 'yaml';
import type { Alias, CST, Document, Node, Pair, Scalar, YAMLMap, YAMLParseError } from 'yaml';
import { Fault } from '../fault.ts';
import type { Place } from '../fault.ts';
import { lenientTokens } from './lenient.ts';
import { placesOf } from './text.ts';

/** Deeper nesting is refused; the deepest real manifests (schemas of CRDs) have some 60 levels. */
const deepest = 500;

/** One YAML document of a file. */
export interface ManifestDocument {
  /** From 0, empty documents counted. */
  readonly index: number;
  readonly root: Node | null;
  /** Of the Kubernetes object, '' where it is none. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Anchored nodes by alias: YAML lets an anchor be set again, so each alias has its own answer. */
  readonly anchors: ReadonlyMap<Alias, Node>;
}

/** A parsed YAML or JSON file. Offsets count UTF-16 code units of `text`. */
export interface ManifestFile {
  readonly path: string;
  readonly text: string;
  readonly documents: readonly ManifestDocument[];
  readonly place: (offset: number) => Required<Place>;
}

/**
 * Parses YAML or JSON text. Faults `manifest_unparsable` (syntax, duplicate key, unknown alias; with line and column)
 * and `too_large` (500 levels of nesting). Aliases are never expanded.
 */
export function parseText(path: string, text: string): ManifestFile {
  const place = placesOf(path, text);
  const strict = compose([...new Parser().parse(text)], text, place);
  const lenient = strict.error && /[[{"']/.test(text) ? compose(lenientTokens(text), text, place) : strict;
  if (strict.error && lenient.error) {
    throw new Fault('manifest_unparsable', strict.error.message.replace(/\s+/g, ' '), {
      place: place(strict.error.pos[0]),
    });
  }
  const { documents } = lenient;
  for (const document of documents) refuseDuplicateKeys(document.contents, place);
  return { path, text, place, documents: documents.map((document, index) => describe(document, index, place)) };
}

interface Composed {
  readonly documents: readonly Document.Parsed[];
  readonly error: YAMLParseError | undefined;
}

function compose(tokens: readonly CST.Token[], text: string, place: (offset: number) => Required<Place>): Composed {
  const deep = tooDeep(tokens);
  if (deep !== null) {
    throw new Fault('too_large', `nesting of more than ${deepest} levels`, {
      place: place(deep),
      hint: 'Leave the file out.',
    });
  }
  const composer = new Composer({ keepSourceTokens: true, logLevel: 'silent', prettyErrors: false, uniqueKeys: false });
  const documents = [...composer.compose(tokens, true, text.length)] as Document.Parsed[];
  return { documents, error: documents.flatMap(({ errors }) => errors)[0] };
}

/** As `parseText`, for a text that stands in a value; null where it is no YAML that could be read. */
export function parseInner(text: string): ManifestFile | null {
  try {
    return parseText('', text);
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}

/** Offset of the first token nested too deep, or null; without recursion, since the depth is the very question. */
function tooDeep(tokens: readonly unknown[]): number | null {
  const stack: { readonly token: unknown; readonly depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const token = entry.token as
      | { offset?: number; items?: readonly Record<string, unknown>[]; value?: unknown }
      | undefined;
    if (!token || typeof token !== 'object') continue;
    if (entry.depth > deepest) return token.offset ?? 0;
    for (const item of token.items ?? []) {
      stack.push({ token: item['key'], depth: entry.depth + 1 }, { token: item['value'], depth: entry.depth + 1 });
    }
    if (!token.items && typeof token.value === 'object') stack.push({ token: token.value, depth: entry.depth });
  }
  return null;
}

/** The library's own check compares every key with every other one, which takes minutes on large maps. */
function refuseDuplicateKeys(root: Node | null, place: (offset: number) => Required<Place>): void {
  eachNode(root, (node) => {
    if (!isMap(node)) return;
    const seen = new Set<unknown>();
    for (const { key } of node.items) {
      if (!isScalar(key)) continue;
      if (seen.has(key.value)) {
        throw new Fault('manifest_unparsable', `the key ${JSON.stringify(keyText(key))} stands twice in one map`, {
          place: place(key.range?.[0] ?? 0),
          hint: 'Remove one of the two keys: readers disagree about which one counts.',
        });
      }
      seen.add(key.value);
    }
  });
}

function describe(
  document: Document.Parsed,
  index: number,
  place: (offset: number) => Required<Place>,
): ManifestDocument {
  const root = document.contents as Node | null;
  const anchors = new Map<Alias, Node>();
  const named = new Map<string, Node>();
  eachNode(root, (node) => {
    if (isAlias(node)) {
      const target = named.get(node.source);
      if (!target) {
        throw new Fault('manifest_unparsable', `the alias *${node.source} has no anchor before it`, {
          place: place(node.range?.[0] ?? 0),
        });
      }
      anchors.set(node, target);
    } else if (node.anchor) named.set(node.anchor, node);
  });
  const metadata = isMap(root) ? ownPair(root, 'metadata')?.value : null;
  return {
    index,
    root,
    anchors,
    apiVersion: isMap(root) ? textOf(ownPair(root, 'apiVersion')?.value) : '',
    kind: isMap(root) ? textOf(ownPair(root, 'kind')?.value) : '',
    name: isMap(metadata) ? textOf(ownPair(metadata, 'name')?.value) : '',
  };
}

/** Every node once, in the order of the text (keys before values); aliases are not followed. */
export function eachNode(root: Node | null, see: (node: Node) => void): void {
  const stack: unknown[] = [root];
  while (stack.length > 0) {
    const node = stack.pop();
    if (isScalar(node) || isAlias(node)) see(node);
    else if (isMap(node)) {
      see(node);
      for (const pair of node.items.toReversed()) stack.push(pair.value, pair.key);
    } else if (isSeq(node)) {
      see(node);
      for (const item of node.items.toReversed()) {
        if (isMap(item) || isSeq(item) || isScalar(item) || isAlias(item)) stack.push(item);
        else if (item) stack.push((item as Pair).value, (item as Pair).key);
      }
    }
  }
}

/** The pair of this very map (merge keys are not followed) whose key reads as `key`. */
export function ownPair(map: YAMLMap, key: string): Pair<Node, Node | null> | undefined {
  return map.items.find((pair) => isScalar(pair.key) && keyText(pair.key) === key) as
    | Pair<Node, Node | null>
    | undefined;
}

/** The key as written (`1.20`, not the number), without quotes. */
export function keyText(key: Scalar): string {
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

/** Text of a scalar as written, without quotes; '' for anything else. */
export function textOf(node: unknown): string {
  if (!isScalar(node)) return '';
  return typeof node.value === 'string' ? node.value : (node.source ?? '');
}

/** The node behind an alias, else the node itself. */
export function resolve(document: ManifestDocument, node: Node | null | undefined): Node | null {
  if (!node) return null;
  return isAlias(node) ? (document.anchors.get(node) ?? null) : node;
}

/** Where a value stands: the map that holds it, its pair, and the node (an alias is not followed). */
export interface Held {
  readonly map: YAMLMap;
  readonly pair: Pair<Node, Node | null>;
  readonly node: Node | null;
  /** The map that was asked, where a merge key (`<<`) led to another one. */
  readonly merged: boolean;
}

/** The value of `key` as a reader with merge keys sees it: own pairs first, then each `<<` in order. */
export function heldBy(document: ManifestDocument, map: YAMLMap, key: string): Held | null {
  // Each map is asked once: merges of merges would multiply.
  const asked = new Set<YAMLMap>();
  const stack = [map];
  for (let at = stack.pop(); at; at = stack.pop()) {
    if (asked.has(at)) continue;
    asked.add(at);
    const own = ownPair(at, key);
    if (own) return { map: at, pair: own, node: own.value, merged: at !== map };
    stack.push(...mergedInto(document, at).toReversed());
  }
  return null;
}

/** The maps that `map` merges by `<<: *a` or `<<: [*a, *b]`, strongest first. */
export function mergedInto(document: ManifestDocument, map: YAMLMap): readonly YAMLMap[] {
  const pair = map.items.find((item) => isScalar(item.key) && item.key.type === 'PLAIN' && item.key.source === '<<');
  const value = resolve(document, pair?.value as Node | null);
  if (isMap(value)) return [value];
  if (!isSeq(value)) return [];
  return value.items.map((item) => resolve(document, item as Node)).filter((item) => isMap(item));
}

export type { Alias, Node, Pair, YAMLMap };
