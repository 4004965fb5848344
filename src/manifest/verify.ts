import { isAlias, isMap, isPair, isScalar, isSeq } from 'yaml';
import { Fault } from '../fault.ts';
import type { Edit } from './change.ts';
import { parseText, resolve, textOf } from './document.ts';
import type { ManifestFile, Node, Pair, YAMLMap } from './document.ts';
import { spliceText } from './edit.ts';
import { isJson } from './emit.ts';
import type { Write } from './slot.ts';

/**
 * Parses the edited text and compares it with the old one, node by node: exactly the written values differ, and each
 * reads back as wanted. Fault `edit_refused` otherwise; nothing may be written then.
 */
export function verifyEdits(file: ManifestFile, edits: readonly Edit[], writes: readonly Write[]): void {
  const fail = (offset: number): never => {
    throw new Fault('edit_refused', 'the edited file would read differently in more than the wanted values', {
      place: file.place(offset),
      hint: 'Change the value by hand, and report the file’s form.',
    });
  };
  const text = spliceText(file.text, edits);
  let now: ManifestFile;
  try {
    now = parseText(file.path, text);
    if (isJson(file.path) && parsesAsJson(file.text) && !parsesAsJson(text)) return fail(edits[0]?.start ?? 0);
  } catch {
    return fail(edits[0]?.start ?? 0);
  }
  const expected = expectations(writes);
  const stack: [unknown, unknown][] = file.documents.map((document, index) => [
    document.root,
    now.documents[index]?.root ?? null,
  ]);
  if (file.documents.length !== now.documents.length) fail(0);
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const [old, next] = entry;
    const pairs = sameNode(old, next, expected);
    if (!pairs) return fail((old as Node | null)?.range?.[0] ?? 0);
    for (const pair of pairs) stack.push(pair);
  }
}

interface Expected {
  readonly values: ReadonlyMap<Node, string>;
  /** Pairs whose empty value is filled. */
  readonly filled: ReadonlyMap<Pair, string>;
  readonly removed: ReadonlySet<Pair>;
  readonly added: ReadonlyMap<Pair, readonly (Write & { type: 'add' })[]>;
}

function expectations(writes: readonly Write[]): Expected {
  const values = new Map<Node, string>();
  const filled = new Map<Pair, string>();
  const removed = new Set<Pair>();
  const added = new Map<Pair, (Write & { type: 'add' })[]>();
  for (const write of writes) {
    if (write.type === 'remove') removed.add(write.pair);
    else if (write.type === 'add') added.set(write.beside, [...(added.get(write.beside) ?? []), write]);
    else {
      const node = resolve(write.document, write.node);
      if (node) values.set(node, write.after);
      if (write.pair && (!node || textOf(node) === '')) filled.set(write.pair, write.after);
    }
  }
  return { values, filled, removed, added };
}

/** null: they differ; else the children that are still to be compared. */
function sameNode(old: unknown, next: unknown, expected: Expected): [unknown, unknown][] | null {
  if (!old || !next) return !old && !next ? [] : null;
  if (isAlias(old)) return isAlias(next) && old.source === next.source ? [] : null;
  const [before, after] = [old as Node & { anchor?: string }, next as Node & { anchor?: string }];
  if (!isPair(old) && before.anchor !== after.anchor) return null;
  if (isScalar(old)) {
    if (!isScalar(next)) return null;
    const wanted = expected.values.get(old);
    if (wanted !== undefined) return textOf(next) === wanted ? [] : null;
    return old.type === next.type && old.tag === next.tag && old.source === next.source ? [] : null;
  }
  if (isMap(old)) return isMap(next) && old.tag === next.tag ? sameMap(old, next, expected) : null;
  if (isSeq(old)) {
    if (!isSeq(next) || old.tag !== next.tag || old.items.length !== next.items.length) return null;
    return old.items.map((item, index) => [item, next.items[index]]);
  }
  return isPair(old) && isPair(next)
    ? [
        [old.key, next.key],
        [old.value, next.value],
      ]
    : null;
}

function sameMap(old: YAMLMap, next: YAMLMap, expected: Expected): [unknown, unknown][] | null {
  const children: [unknown, unknown][] = [];
  let at = 0;
  for (const pair of old.items) {
    if (!expected.removed.has(pair)) {
      const now = next.items[at];
      at += 1;
      if (!now) return null;
      children.push([pair.key, now.key]);
      const filled = expected.filled.get(pair);
      if (filled === undefined) children.push([pair.value, now.value]);
      else if (textOf(now.value) !== filled) return null;
    }
    for (const write of expected.added.get(pair) ?? []) {
      const now = next.items[at];
      at += 1;
      if (!now || textOf(now.key) !== write.key || textOf(now.value) !== write.after) return null;
    }
  }
  return at === next.items.length ? children : null;
}

function parsesAsJson(text: string): boolean {
  try {
    JSON.parse(text.replace(/^\uFEFF/, ''));
    return true;
  } catch {
    return false;
  }
}
