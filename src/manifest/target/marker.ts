import { isMap, isScalar, isSeq } from 'yaml';
import { keyText } from '../document.ts';
import type { Node, Pair } from '../document.ts';
import { isFlow, styleOf } from '../scalar.ts';

type AnyPair = Pair<Node, Node | null>;

/** A Flux marker: `# {"$imagepolicy": "<namespace>:<policy>[:tag|:name|:digest]"}`. */
export interface Marker {
  /** `<namespace>:<policy>` */
  readonly policy: string;
  readonly part: 'image' | 'tag' | 'name' | 'digest';
}

const pattern = /#[^\n]*?\{\s*"\$imagepolicy"\s*:\s*"([^":\s]+:[^":\s]+)(?::(tag|name|digest))?"\s*\}/y;

/**
 * The marker of a scalar (or alias), or null. Flux takes it from the comment behind the value, from one between key and
 * value, and from a comment line of its own above the key or list item; behind a list in brackets it marks every item
 * (github.com/kubernetes-sigs/kustomize `kyaml/setters2`). Behind a map in braces, which Flux passes over, it is taken
 * for the value that its part names, else the last one. `holders` are the collections around, the inmost last.
 */
export function markerOf(text: string, node: Node, pair: AnyPair | null, holders: readonly Node[]): Marker | null {
  const [start, end] = node.range ?? [0, 0];
  const first = pair?.key.range?.[0] ?? start;
  const header = isScalar(node) && styleOf(node) === null ? /^[|>][-+0-9]*/.exec(text.slice(start, start + 4)) : null;
  return (
    (header && markerAt(text, start + header[0].length)) ??
    behind(text, end, pair, holders) ??
    (pair ? between(text, pair.key.range?.[1] ?? start, start) : null) ??
    above(text, first, pair === null)
  );
}

/** The marker that begins at the next `#`, where nothing but white space stands before it. */
function markerAt(text: string, from: number): Marker | null {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  if (text[at] !== '#' || !/[ \t]/.test(text[at - 1] ?? '')) return null;
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  return match ? { policy: match[1]!, part: (match[2] as Marker['part'] | undefined) ?? 'image' } : null;
}

/** Behind the value, or behind the brackets around it; a comma may stand between. */
function behind(text: string, end: number, pair: AnyPair | null, holders: readonly Node[]): Marker | null {
  const own = markerAt(text, afterComma(text, end));
  if (own) return own;
  for (const [depth, holder] of holders.toReversed().entries()) {
    if (!isFlow((holder as { readonly srcToken?: unknown }).srcToken)) return null;
    const close = holder.range?.[1] ?? end;
    const last = /^[\s,\]}]*$/.test(text.slice(end, close));
    if (!last && text.slice(end, close).includes('\n')) return null;
    const found = markerAt(text, afterComma(text, close));
    if (!found) continue;
    if (depth > 0) return last ? found : null;
    return isSeq(holder) || (isMap(holder) && named(holder.items as AnyPair[], found.part) === pair) ? found : null;
  }
  return null;
}

function afterComma(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  return text[at] === ',' ? at + 1 : from;
}

const keys = { image: /image$/i, tag: /tag$|version$/i, name: /name$|repository$|repo$/i, digest: /digest$|sha$/i };

/** The one pair that the part names by its key, else the last pair. */
function named(pairs: readonly AnyPair[], part: Marker['part']): AnyPair | undefined {
  const fitting = pairs.filter(({ key }) => isScalar(key) && keys[part].test(keyText(key)));
  return fitting.length === 1 ? fitting[0] : pairs.at(-1);
}

/** In a comment between the colon and the value. */
function between(text: string, from: number, to: number): Marker | null {
  const hash = text.slice(from, to).search(/[ \t]#/);
  return hash === -1 ? null : markerAt(text, from + hash);
}

/** On a comment line of its own, the only one above the key; or above a list item that is a value. */
function above(text: string, first: number, item: boolean): Marker | null {
  const lineStart = text.lastIndexOf('\n', first - 1) + 1;
  if (lineStart === 0 || !(item ? /^[ \t]*-[ \t]+$/ : /^[ \t]*$/).test(text.slice(lineStart, first))) return null;
  const at = text.lastIndexOf('\n', lineStart - 2) + 1;
  const former = text.slice(text.lastIndexOf('\n', at - 2) + 1, at);
  const line = text.slice(at, lineStart);
  if (!/^[ \t]*#+\s*\{.*\}\s*$/.test(line) || (at > 0 && /^[ \t]*#/.test(former))) return null;
  return markerAt(` ${line}`, 0);
}
