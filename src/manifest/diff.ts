import type { Edit } from './change.ts';

/** One hunk of a unified diff, as the npm package `diff` has it too: lines carry their ` `, `-` or `+`, and no line end. */
export interface Hunk {
  /** First line, from 1, even where the hunk has no line on that side. */
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  readonly lines: readonly string[];
}

/** Lines of the old text, from 0, that give way to others; each line with its line break. */
interface LineChange {
  readonly line: number;
  readonly old: readonly string[];
  readonly now: readonly string[];
}

const context = 3;

/**
 * What the diff's paths are relative to: `top`, the top folder of a repository, wherever in it one stands; `here`, the
 * working folder. `git apply` tells the two apart by the line `diff --git`, and leaves out what is below neither.
 */
export type DiffBase = 'top' | 'here';

/**
 * The unified diff of one file's edits (offsets as in `Edit`, not overlapping), in time linear to the text; '' where
 * nothing differs. `git apply` and `patch -p1` make exactly the new text of it. `./` and `/` before the path are left
 * out.
 */
export function unifiedDiff(path: string, text: string, edits: readonly Edit[], base: DiffBase = 'top'): string {
  return formatDiff(path, hunksOf(text, edits), base);
}

/** Hunks under the headers that git writes; '' without hunks. */
export function formatDiff(path: string, hunks: readonly Hunk[], base: DiffBase = 'top'): string {
  if (hunks.length === 0) return '';
  const shown = path.replace(/^(?:\.?\/)+/, '');
  const [old, now] = [quoted(`a/${shown}`), quoted(`b/${shown}`)];
  // A tab ends a name that holds spaces: without it `patch` would take the rest for a date.
  const end = /^[^"]* /.test(old) ? '\t' : '';
  const parts = base === 'top' ? [`diff --git ${old} ${now}\n`] : [];
  parts.push(`--- ${old}${end}\n+++ ${now}${end}\n`);
  for (const hunk of hunks) {
    const [from, to] = [rangeText(hunk.oldStart, hunk.oldLines), rangeText(hunk.newStart, hunk.newLines)];
    parts.push(`@@ -${from} +${to} @@\n`);
    for (const line of hunk.lines) parts.push(line, '\n');
  }
  return parts.join('');
}

/** A side without lines names the line before it. */
function rangeText(start: number, lines: number): string {
  return lines === 1 ? String(start) : `${lines === 0 ? start - 1 : start},${lines}`;
}

const escapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '"': '\\"',
  '\\': '\\\\',
};

/** A path as git writes it: in quotes where it holds a quote, a backslash, a control character or one above ASCII. */
function quoted(path: string): string {
  // oxlint-disable-next-line no-control-regex
  if (!/[\0-\x1f"\\\x7f-\uffff]/.test(path)) return path;
  const bytes = new TextEncoder().encode(path);
  const shown = Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    if (byte >= 0x20 && byte < 0x7f) return escapes[character] ?? character;
    return escapes[character] ?? `\\${byte.toString(8).padStart(3, '0')}`;
  });
  return `"${shown.join('')}"`;
}

function hunksOf(text: string, edits: readonly Edit[]): readonly Hunk[] {
  const lines = splitLines(text);
  const hunks: Hunk[] = [];
  const changes = lineChanges(text, lines, edits);
  let shift = 0;
  for (let first = 0; first < changes.length;) {
    let last = first;
    while (last + 1 < changes.length && gap(changes[last]!, changes[last + 1]!) <= 2 * context) last += 1;
    const start = Math.max(0, changes[first]!.line - context);
    const end = Math.min(lines.length, endOf(changes[last]!) + context);
    const body: string[] = [];
    let at = start;
    let grown = 0;
    for (const change of changes.slice(first, last + 1)) {
      for (; at < change.line; at += 1) body.push(shownLine(' ', lines[at]!));
      for (const line of change.old) body.push(shownLine('-', line));
      for (const line of change.now) body.push(shownLine('+', line));
      at = endOf(change);
      grown += change.now.length - change.old.length;
    }
    for (; at < end; at += 1) body.push(shownLine(' ', lines[at]!));
    hunks.push({
      oldStart: start + 1,
      oldLines: end - start,
      newStart: start + shift + 1,
      newLines: end - start + grown,
      lines: body,
    });
    shift += grown;
    first = last + 1;
  }
  return hunks;
}

function shownLine(sign: string, line: string): string {
  return line.endsWith('\n') ? sign + line.slice(0, -1) : `${sign}${line}\n\\ No newline at end of file`;
}

function endOf(change: LineChange): number {
  return change.line + change.old.length;
}

function gap(one: LineChange, next: LineChange): number {
  return next.line - endOf(one);
}

/** Lines with their line breaks (`\n` alone counts, as for git). */
function splitLines(text: string): string[] {
  const lines: string[] = [];
  let start = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', start)) {
    lines.push(text.slice(start, at + 1));
    start = at + 1;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

/** What the edits do to whole lines, in order; neighbouring ones are one change. */
function lineChanges(text: string, lines: readonly string[], edits: readonly Edit[]): readonly LineChange[] {
  const sorted = edits.toSorted((one, other) => one.start - other.start || one.end - other.end);
  const changes: { line: number; old: string[]; now: string[] }[] = [];
  let line = 0;
  let lineStart = 0;
  for (let first = 0; first < sorted.length;) {
    while (line < lines.length && lineStart + lines[line]!.length <= sorted[first]!.start) {
      if (lineStart + lines[line]!.length === text.length && !text.endsWith('\n')) break;
      lineStart += lines[line]!.length;
      line += 1;
    }
    // Whole lines, up to the one in which the edit ends, and with every further edit that touches them.
    const from = line;
    let at = lineStart;
    let [end, next] = [lineStart, line];
    let now = '';
    let last = first;
    for (; last < sorted.length; last += 1) {
      const edit = sorted[last]!;
      if (last > first && edit.start >= end && !(end === text.length && edit.start === end)) break;
      now += text.slice(at, edit.start) + edit.text;
      at = edit.end;
      while (next < lines.length && end <= at) {
        end += lines[next]!.length;
        next += 1;
      }
    }
    now += text.slice(at, end);
    const change = trimmed({ line: from, old: lines.slice(from, next), now: splitLines(now) });
    const former = changes.at(-1);
    if (former && endOf(former) === change.line) {
      for (const each of change.old) former.old.push(each);
      for (const each of change.now) former.now.push(each);
    } else if (change.old.length + change.now.length > 0) changes.push(change);
    first = last;
    [line, lineStart] = [next, end];
  }
  return changes;
}

/** Without the lines that are the same at its beginning and its end. */
function trimmed({ line, old, now }: LineChange): { line: number; old: string[]; now: string[] } {
  const least = Math.min(old.length, now.length);
  let head = 0;
  while (head < least && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < least - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  return { line: line + head, old: old.slice(head, old.length - tail), now: now.slice(head, now.length - tail) };
}
