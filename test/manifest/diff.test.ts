import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Edit } from '../../src/manifest/change.ts';
import { unifiedDiff } from '../../src/manifest/diff.ts';
import { composeEdits, spliceText } from '../../src/manifest/edit.ts';

/** Diffs, held against what git and patch make of them. */

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-diff-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const lineEnd = fc.constantFrom('\n', '\n', '\n', '\r\n', '\r', '');
const line = fc.oneof(
  fc.constantFrom('a', 'b', '  - a', '--- a/x', '+++ b/x', '@@ -1 +1 @@', '\\ No newline at end of file', 'é😀', ''),
  fc.string({ maxLength: 5 }),
);
const text = fc
  .tuple(fc.constantFrom('', '\uFEFF'), fc.array(fc.tuple(line, lineEnd), { maxLength: 30 }))
  .map(([bom, lines]) => bom + lines.map((parts) => parts.join('')).join(''));

/** Edits that do not overlap, made of cuts anywhere in the text. */
const wished = fc.array(fc.record({ at: fc.nat(), length: fc.nat(12), text: fc.oneof(fc.constant(''), line, text) }), {
  maxLength: 6,
});

function editsFor(content: string, wishes: readonly { at: number; length: number; text: string }[]): readonly Edit[] {
  const edits: Edit[] = [];
  let least = 0;
  for (const wish of wishes.toSorted((one, other) => one.at - other.at)) {
    const start = boundary(content, least + (wish.at % (content.length + 1 - least)));
    const end = boundary(content, Math.min(content.length, start + wish.length));
    if (start < least) continue;
    edits.push({ start, end, text: wish.text });
    least = end;
  }
  return edits;
}

/** Not between the halves of a character: such an edit could not be written as UTF-8. */
function boundary(content: string, offset: number): number {
  return /[\uDC00-\uDFFF]/.test(content[offset] ?? '') ? offset + 1 : offset;
}

const name = fc
  .array(fc.constantFrom('a', 'b', ' ', '"', '\\', '\t', 'é', '😀', '-', '.', "'", '$', '(', '\u0007'), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => `f${parts.join('')}.yaml`);

interface Case {
  readonly path: string;
  readonly before: string;
  readonly edits: readonly Edit[];
}
const file: fc.Arbitrary<Case> = fc
  .tuple(name, fc.constantFrom('', 'x/', 'x y/é/'), text, wished)
  .map(([base, below, before, wishes]) => ({ path: below + base, before, edits: editsFor(before, wishes) }));

const tools = [
  ['git', ['apply', '-p1', '--whitespace=nowarn']],
  ['patch', ['-p1', '--quiet', '--no-backup-if-mismatch']],
] as const;

function expectApplied(files: readonly Case[], base: 'top' | 'here', tool: (typeof tools)[number]): void {
  const work = mkdtempSync(join(folder, 'case-'));
  for (const { path, before } of files) {
    mkdirSync(dirname(join(work, path)), { recursive: true });
    writeFileSync(join(work, path), before);
  }
  const diff = files.map(({ path, before, edits }) => unifiedDiff(path, before, edits, base)).join('');
  if (diff !== '') execFileSync(tool[0], tool[1], { cwd: work, input: diff, stdio: ['pipe', 'pipe', 'pipe'] });
  for (const { path, before, edits } of files) {
    expect(readFileSync(join(work, path)).equals(Buffer.from(spliceText(before, edits)))).toBe(true);
  }
  rmSync(work, { recursive: true });
}

test.each(['top', 'here'] as const)('git apply and patch make the new bytes of any diff (%s)', (base) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(file, { minLength: 1, maxLength: 8, selector: ({ path }) => path }),
      fc.constantFrom(...tools),
      (files, tool) => expectApplied(files, base, tool),
    ),
    { numRuns: 25 },
  );
});

test('one edit after the other, or the two in one', () => {
  fc.assert(
    fc.property(text, wished, wished, (before, one, other) => {
      const first = editsFor(before, one);
      const middle = spliceText(before, first);
      const second = editsFor(middle, other);
      const both = composeEdits(before, first, second);
      expect(spliceText(before, both)).toBe(spliceText(middle, second));
      expect(composeEdits(before, both, [])).toEqual(both);
    }),
    { numRuns: 500 },
  );
});

test('ten thousands of changed lines take linear time: the diff has each of them once', () => {
  const lines = Array.from({ length: 60_000 }, (_, index) => `- v: ${index} # kept\n`);
  const before = lines.join('');
  let at = 0;
  const edits = lines.map((each, index): Edit => {
    const start = at + 5;
    at += each.length;
    return { start, end: at - 8, text: `${index}0` };
  });
  const shown = unifiedDiff('x.yaml', before, edits).split('\n');
  expect(shown.filter((each) => /^-- v: \d+ # kept$/.test(each))).toHaveLength(60_000);
  expect(shown.filter((each) => /^\+- v: \d+0 # kept$/.test(each))).toHaveLength(60_000);
  expect(shown[3]).toBe('@@ -1,60000 +1,60000 @@');
});

test('paths as git writes them, few lines around a change, and no hunk where nothing differs', () => {
  const before = Array.from({ length: 20 }, (_, index) => `${index}\n`).join('');
  expect(unifiedDiff('./a b.yaml', before, [{ start: 20, end: 21, text: 'x\ny' }], 'here')).toBe(
    '--- a/a b.yaml\t\n+++ b/a b.yaml\t\n@@ -8,7 +8,8 @@\n 7\n 8\n 9\n-10\n+x\n+y0\n 11\n 12\n 13\n',
  );
  expect(unifiedDiff('/é".yaml', 'a\n', [{ start: 0, end: 0, text: 'b\n' }])).toBe(
    'diff --git "a/\\303\\251\\".yaml" "b/\\303\\251\\".yaml"\n--- "a/\\303\\251\\".yaml"\n+++ "b/\\303\\251\\".yaml"\n@@ -1 +1,2 @@\n+b\n a\n',
  );
  expect(unifiedDiff('x', 'a', [{ start: 0, end: 1, text: 'a' }])).toBe('');
});
