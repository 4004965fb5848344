import { isMap, isScalar, isSeq } from 'yaml';
import { Fault } from '../fault.ts';
import { heldBy, resolve, textOf } from './document.ts';
import type { Alias, ManifestDocument, Node, Pair, YAMLMap } from './document.ts';

/** One step of a path. `key` on a list is an index where it is a number. */
export type Step =
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'match'; readonly key: string; readonly value: string };

/**
 * Reads a JSON Pointer (`/spec/values/image~1tag`, '' is the root) or a dotted path
 * (`spec.containers[name=api].image`, `metadata.annotations["a.b/c"]`, `items[0]`, `\.` for a dot in a key).
 * Fault `usage` with the position.
 */
export function parsePath(text: string): readonly Step[] {
  if (text === '') return [];
  const wrong = (at: number, problem: string): never => {
    throw new Fault('usage', `path ${JSON.stringify(text)}, character ${at + 1}: ${problem}`, {
      hint: 'Write a JSON Pointer (/a/b/0) or a dotted path (a.b[0], a["b.c"], a[name=api]).',
    });
  };
  if (text.startsWith('/')) {
    const escape = text.search(/~(?![01])/);
    if (escape !== -1) wrong(escape, 'in a JSON Pointer "~" is written "~0", and "/" in a key "~1"');
    return text
      .slice(1)
      .split('/')
      .map((token) => ({ type: 'key', key: token.replaceAll('~1', '/').replaceAll('~0', '~') }));
  }
  const steps: Step[] = [];
  let at = /^\$(?:[.[]|$)/.test(text) ? 1 : 0;
  if (text[at] === '.') at += 1;
  while (at < text.length) {
    if (text[at] === '[') {
      const bracket =
        /^\[(?:(\d+)|"((?:[^"\\]|\\.)*)"|'((?:[^'])*)'|([^=\]"'[]+)=(?:"((?:[^"\\]|\\.)*)"|([^\]]*)))\]/.exec(
          text.slice(at),
        );
      if (!bracket) return wrong(at, 'the bracket holds no index, "key" or key=value');
      const [whole, index, double, single, key, quotedValue, value] = bracket;
      if (index !== undefined) steps.push({ type: 'index', index: Number(index) });
      else if (key === undefined) steps.push({ type: 'key', key: double === undefined ? single! : unescape(double) });
      else steps.push({ type: 'match', key, value: quotedValue === undefined ? value! : unescape(quotedValue) });
      at += whole.length;
      if (at < text.length && text[at] !== '.' && text[at] !== '[') return wrong(at, 'a "." or "[" must follow');
      if (text[at] === '.') {
        at += 1;
        if (at === text.length) return wrong(at, 'the path ends with a dot');
      }
      continue;
    }
    const key = /^(?:[^.[\\]|\\.)+/.exec(text.slice(at))?.[0] ?? wrong(at, 'a key is empty');
    steps.push({ type: 'key', key: unescape(key) });
    at += key.length;
    if (text[at] === '.') {
      at += 1;
      if (at === text.length) return wrong(at, 'the path ends with a dot');
    }
  }
  return steps;
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, '$1');
}

/** The path in dotted form. */
export function formatPath(steps: readonly Step[]): string {
  let path = '';
  for (const step of steps) {
    if (step.type === 'index') path += `[${step.index}]`;
    else if (step.type === 'match')
      path += `[${step.key}=${/^[^\]"]*$/.test(step.value) ? step.value : JSON.stringify(step.value)}]`;
    else if (/^[A-Za-z_$][\w$/-]*$/.test(step.key)) path += `${path === '' ? '' : '.'}${step.key}`;
    else path += `[${JSON.stringify(step.key)}]`;
  }
  return path;
}

/** Where a path leads. */
export interface Spot {
  /** null: the key stands there without a value. An alias at the end is not followed. */
  readonly node: Node | null;
  /** Pair that holds it, and its map; null in a list or at the root. */
  readonly pair: Pair<Node, Node | null> | null;
  readonly map: YAMLMap | null;
  /** Aliases of collections that the path went through. */
  readonly aliases: readonly Alias[];
  /** Maps whose `<<` the path went through. */
  readonly merges: readonly YAMLMap[];
  /** The steps taken, list items by position or by what was asked. */
  readonly steps: readonly Step[];
}

/** Follows the steps from the root; null where they lead nowhere, or a message where a step is ambiguous. */
export function follow(document: ManifestDocument, steps: readonly Step[]): Spot | null | string {
  let spot: Spot = { node: document.root, pair: null, map: null, aliases: [], merges: [], steps: [] };
  for (const step of steps) {
    const at = resolve(document, spot.node);
    const aliases = at === spot.node ? spot.aliases : [...spot.aliases, spot.node as Alias];
    if (isMap(at) && step.type === 'key') {
      const held = heldBy(document, at, step.key);
      if (!held) return null;
      const merges = held.merged ? [...spot.merges, at] : spot.merges;
      spot = { node: held.node, pair: held.pair, map: held.map, aliases, merges, steps: [...spot.steps, step] };
    } else if (isSeq(at)) {
      const items = at.items as Node[];
      let index: number;
      if (step.type === 'match') {
        const matching = items.flatMap((item, position) => {
          const map = resolve(document, item);
          const held = isMap(map) ? heldBy(document, map, step.key) : null;
          return held && textOf(resolve(document, held.node)) === step.value ? [position] : [];
        });
        if (matching.length > 1) return `[${step.key}=${step.value}] names ${matching.length} items`;
        index = matching[0] ?? -1;
      } else if (step.type === 'index') index = step.index;
      else index = /^(?:0|[1-9]\d*)$/.test(step.key) ? Number(step.key) : -1;
      const item = items[index];
      if (!item) return null;
      const taken: Step = step.type === 'match' ? step : stepInto(items, index);
      spot = { node: item, pair: null, map: null, aliases, merges: spot.merges, steps: [...spot.steps, taken] };
    } else return null;
  }
  return spot;
}

/** Does `--document` (`N` from 0, or `Kind/name`) name this document? */
export function isDocument(document: ManifestDocument, selector: string): boolean {
  if (/^\d+$/.test(selector)) return document.index === Number(selector);
  const slash = selector.indexOf('/');
  return document.kind === selector.slice(0, slash) && document.name === selector.slice(slash + 1);
}

/** How often each name stands in a list; counted once for each list. */
const namesIn = new WeakMap<readonly unknown[], ReadonlyMap<string, number>>();

/** The step to an item of a list: by `name` where that tells the items apart. */
export function stepInto(list: readonly unknown[], index: number): Step {
  let counts = namesIn.get(list);
  if (!counts) {
    const counted = new Map<string, number>();
    for (const item of list) counted.set(nameOf(item), (counted.get(nameOf(item)) ?? 0) + 1);
    namesIn.set(list, counted);
    counts = counted;
  }
  const name = nameOf(list[index]);
  return name !== '' && counts.get(name) === 1 ? { type: 'match', key: 'name', value: name } : { type: 'index', index };
}

function nameOf(item: unknown): string {
  const pair = isMap(item) ? item.items.find((each) => isScalar(each.key) && each.key.value === 'name') : undefined;
  return textOf(pair?.value);
}
