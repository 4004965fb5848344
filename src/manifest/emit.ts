import { isAlias, isScalar, isSeq } from 'yaml';
import { Fault } from '../fault.ts';
import type { Edit } from './change.ts';
import { eachNode, resolve } from './document.ts';
import type { ManifestFile, Node, Pair } from './document.ts';
import { formatScalar, isFlow, quoted, styleOf } from './scalar.ts';
import type { OldScalar, Quote } from './scalar.ts';
import type { Write } from './slot.ts';
import { lineBreakOf } from './text.ts';

type AnyPair = Pair<Node, Node | null>;

/** The edits of one write. Fault `edit_refused` where the value's form does not allow it. */
export function editsOf(file: ManifestFile, write: Write): readonly Edit[] {
  if (write.type === 'set') return [setValue(file, write)];
  return [write.type === 'add' ? addKey(file, write) : removeKey(file, write)];
}

function refuse(file: ManifestFile, offset: number, path: string, problem: string, hint?: string): never {
  throw new Fault('edit_refused', `${path}: ${problem}`, { place: file.place(offset), hint });
}

function setValue(file: ManifestFile, write: Write & { type: 'set' }): Edit {
  const node = resolve(write.document, write.node);
  if (!node) return fillEmpty(file, write, write.pair);
  const start = node.range?.[0] ?? 0;
  if (!isScalar(node)) return refuse(file, start, write.path, 'a map or list stands here, not a value');
  if (node.tag) {
    return refuse(
      file,
      start,
      write.path,
      `the value has the tag ${node.tag}`,
      'Remove the tag, or change the value by hand.',
    );
  }
  const style = styleOf(node);
  if (style === null)
    return refuse(file, start, write.path, 'the value is a block scalar (| or >)', 'Write it on one line first.');
  const source = node.srcToken && 'source' in node.srcToken ? node.srcToken.source : undefined;
  if (style === 'plain' && (source ?? '') === '') return fillEmpty(file, write, write.pair);
  const end = node.range?.[1] ?? start;
  const old: OldScalar = { style, text: write.before, flow: inFlow(file, start), free: write.free === true };
  return { start, end, text: scalarText(file, write.after, old) };
}

function scalarText(file: ManifestFile, value: string, old: OldScalar): string {
  if (!isJson(file.path)) return formatScalar(value, old, preferredQuote(file));
  if (old.style === 'plain' && /^(?:true|false)$/.test(old.text) && /^(?:true|false)$/.test(value)) return value;
  const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;
  if (old.style === 'plain' && /^-?\d/.test(old.text) && number.test(value))
    if (old.free === true || String(Number(value)) === value) return value;
  return quoted(value, 'double');
}

/** The quotes that the scalars of a file have most often; double where it has none or as many. */
function preferredQuote(file: ManifestFile): Quote {
  const known = quotes.get(file);
  if (known) return known;
  let lead = 0;
  for (const { root } of file.documents) {
    eachNode(root, (node) => {
      const style = isScalar(node) ? styleOf(node) : null;
      if (style === 'single') lead += 1;
      else if (style === 'double') lead -= 1;
    });
  }
  const quote = lead > 0 ? 'single' : 'double';
  quotes.set(file, quote);
  return quote;
}

const quotes = new WeakMap<ManifestFile, Quote>();

/** Is the file JSON, by its name? */
export function isJson(path: string): boolean {
  return /\.json$/i.test(path);
}

/** Does the offset lie inside a flow collection? */
function inFlow(file: ManifestFile, offset: number): boolean {
  const ranges = flowRanges(file);
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]![1] <= offset) low = middle + 1;
    else high = middle;
  }
  return low < ranges.length && ranges[low]![0] < offset;
}

/** Ranges of the outmost flow collections, in order: they do not overlap. */
const flows = new WeakMap<ManifestFile, readonly (readonly [number, number])[]>();

function flowRanges(file: ManifestFile): readonly (readonly [number, number])[] {
  const known = flows.get(file);
  if (known) return known;
  const ranges: (readonly [number, number])[] = [];
  const stack: unknown[] = file.documents.map((document) => document.root);
  while (stack.length > 0) {
    const node = stack.pop() as {
      range?: [number, number, number];
      flow?: boolean;
      items?: unknown[];
      key?: unknown;
      value?: unknown;
      srcToken?: unknown;
    } | null;
    if (!node || typeof node !== 'object') continue;
    if (node.items) {
      if (node.flow && node.range) ranges.push([node.range[0], node.range[1]]);
      else for (const item of node.items) stack.push(item);
    } else if ('key' in node) stack.push(node.key, node.value);
  }
  ranges.sort(([one], [other]) => one - other);
  flows.set(file, ranges);
  return ranges;
}

/** A mark after which a value may stand (`:` of a key, `-` of a list's item), and what stands beside it. */
interface Mark {
  readonly type: string;
  readonly offset: number;
}

/** A value for a key or an item that has none: `key:` becomes `key: value`, `-` becomes `- value`. */
function fillEmpty(file: ManifestFile, write: Write & { type: 'set' }, pair: AnyPair | null): Edit {
  const beside = pair ? besideKey(pair) : besideItem(write);
  const mark = beside.find(({ type }) => type === 'map-value-ind' || type === 'seq-item-ind');
  if (!mark || beside.some(({ type }) => type === 'anchor' || type === 'tag')) {
    return refuse(
      file,
      pair?.key.range?.[0] ?? write.node?.range?.[0] ?? 0,
      write.path,
      'there is no value here that could be replaced',
    );
  }
  const start = mark.offset + 1;
  const flow = inFlow(file, start);
  const text = scalarText(file, write.after, { style: 'plain', text: '', flow });
  // One blank at the end of the line is the one before the value.
  if (!flow && /^ (?:\r?\n|$)/.test(file.text.slice(start, start + 3)))
    return { start: start + 1, end: start + 1, text };
  const next = file.text[start];
  return { start, end: start, text: ` ${text}${flow && next !== undefined && !/[\s,\]}]/.test(next) ? ' ' : ''}` };
}

function besideKey(pair: AnyPair): readonly Mark[] {
  return (pair as { srcToken?: { sep?: readonly Mark[] } }).srcToken?.sep ?? [];
}

/** The parser keeps no token of an empty item: its list has what stands there. */
function besideItem({ document, node }: Write & { type: 'set' }): readonly Mark[] {
  const item = resolve(document, node);
  let found: readonly Mark[] = [];
  eachNode(document.root, (list) => {
    const index = isSeq(list) ? list.items.indexOf(item) : -1;
    if (index === -1) return;
    const { items = [] } = list.srcToken as { items?: readonly { readonly start: readonly Mark[] }[] };
    found =
      items.map(({ start }) => start).filter((marks) => marks.some(({ type }) => type === 'seq-item-ind'))[index] ?? [];
  });
  return found;
}

/** `key: value` written in the style of the pair beside it. */
function pairText(file: ManifestFile, write: Write & { type: 'add' }, flow: boolean): string {
  const beside = isScalar(write.beside.key) ? styleOf(write.beside.key) : 'plain';
  const value = resolve(write.document, write.beside.value);
  const style = (isScalar(value) ? styleOf(value) : null) ?? 'plain';
  const key = beside === 'single' || beside === 'double' ? quoted(write.key, beside) : write.key;
  return `${key}${separator(file, write.beside)}${scalarText(file, write.after, { style, text: '', flow })}`;
}

/** Colon and space between key and value of a pair. */
function separator(file: ManifestFile, pair: AnyPair): string {
  const [start, end] = pair.value?.range ?? [0, 0];
  const between = start === end ? '' : file.text.slice(pair.key.range![1], start);
  return /^ *: *$/.test(between) && between.trim() === ':' ? between : ': ';
}

function addKey(file: ManifestFile, write: Write & { type: 'add' }): Edit {
  const { map, beside } = write;
  const end = beside.value?.range?.[1] ?? beside.key.range![1];
  const keyAt = beside.key.range![0];
  if (!map.items.includes(beside)) return refuse(file, keyAt, write.path, 'the map inherits its keys by a merge key');
  if (isFlow(map.srcToken)) {
    const index = map.items.indexOf(beside);
    const [one, other] = index > 0 ? [map.items[index - 1], beside] : [beside, map.items[1]];
    const from = one?.value ? (one.value as Node).range?.[1] : undefined;
    const gap = from !== undefined && other ? file.text.slice(from, (other.key as Node).range![0]) : ', ';
    return { start: end, end, text: `${/^\s*,\s*$/.test(gap) ? gap : ', '}${pairText(file, write, true)}` };
  }
  const value = resolve(write.document, beside.value);
  if (!isAlias(beside.value) && (!isScalar(value) || styleOf(value) === null)) {
    return refuse(file, keyAt, write.path, 'the key beside it holds no plain value');
  }
  const lineStart = file.text.lastIndexOf('\n', keyAt - 1) + 1;
  const indent = file.text
    .slice(lineStart, keyAt)
    .replace(/^\uFEFF/, '')
    .replace(/[^\s]/g, ' ');
  const next = file.text.indexOf('\n', end);
  let at = next === -1 ? file.text.length : next;
  if (file.text[at - 1] === '\r' && at > end) at -= 1;
  return { start: at, end: at, text: `${lineBreakOf(file.text)}${indent}${pairText(file, write, false)}` };
}

function removeKey(file: ManifestFile, write: Write & { type: 'remove' }): Edit {
  const { map, pair } = write;
  const { text } = file;
  const index = map.items.indexOf(pair);
  const keyAt = pair.key.range![0];
  const end = pair.value?.range?.[1] ?? pair.key.range![1];
  const following = map.items[index + 1] as AnyPair | undefined;
  const former = map.items[index - 1] as AnyPair | undefined;
  if (!isScalar(pair.value) || styleOf(pair.value) === null || pair.value.anchor) {
    return refuse(file, keyAt, write.path, 'the old value is no plain value that could be removed');
  }
  const edit = isFlow(map.srcToken)
    ? removeInFlow(former, keyAt, end, following)
    : removeLine(text, former, keyAt, end, following);
  if (!edit || /(?:^|\n)[ \t]*#/.test(text.slice(edit.start, edit.end))) {
    return refuse(file, keyAt, write.path, 'the old value cannot be removed without its neighbours');
  }
  return edit;
}

function removeInFlow(
  former: AnyPair | undefined,
  keyAt: number,
  end: number,
  following: AnyPair | undefined,
): Edit | null {
  if (former) return { start: former.value?.range?.[1] ?? former.key.range![1], end, text: '' };
  return following ? { start: keyAt, end: following.key.range![0], text: '' } : null;
}

function removeLine(
  text: string,
  former: AnyPair | undefined,
  keyAt: number,
  end: number,
  following: AnyPair | undefined,
): Edit | null {
  const lineStart = text.lastIndexOf('\n', keyAt - 1) + 1;
  if (!former) return following ? { start: keyAt, end: following.key.range![0], text: '' } : null;
  const next = text.indexOf('\n', end);
  if (text.slice(lineStart, keyAt).trim() !== '') return null;
  if (next !== -1) return { start: lineStart, end: next + 1, text: '' };
  const breakAt = text[lineStart - 2] === '\r' ? lineStart - 2 : lineStart - 1;
  return { start: breakAt, end: text.length, text: '' };
}
