import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMap, parse, parseAllDocuments } from 'yaml';
import { Fault } from '../../src/fault.ts';
import { applyEdits } from '../../src/manifest/edit.ts';
import { planned } from './edited.ts';
import { effort, printed } from './random-document.ts';
import type { PrintedValue } from './random-document.ts';

const word = fc.string({
  unit: fc.constantFrom('a', 'b', 'x', 'y', '0', '1', '9', '.', '-', '_', '/', ':'),
  minLength: 1,
  maxLength: 8,
});
const nasty = fc.constantFrom(
  '1.20',
  '1e3',
  '0755',
  'yes',
  '~',
  'null',
  'a: b',
  'x #1',
  '@x',
  '*x',
  '&x',
  '',
  ' x',
  '- a',
  "it's",
  '"q"',
  '{a}',
  'a,b',
  'é😀',
  'a\nb',
  '\\',
  '12:30',
  '<<',
  '2024-01-01',
);
const wish = fc.oneof(word, nasty, fc.string({ unit: 'grapheme', maxLength: 12 }));

const wishes = fc.array(fc.record({ at: fc.nat(), value: wish }), { minLength: 1, maxLength: 4 });

function apply(text: string, set: readonly (readonly [string, string])[], document?: string): string {
  const content = new TextEncoder().encode(text);
  const change = planned({ 'f.yaml': content }, { set, ...(document !== undefined && { document }) });
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(applyEdits(content, change.files[0]?.edits ?? []));
}

/** The value as a reader has it, strings and others told apart. */
function read(text: string, value: PrintedValue, version: '1.1' | '1.2' = '1.2'): unknown {
  return parseAllDocuments(text, { version })[value.document]!.getIn(value.path.slice(1).split('/'));
}

/** By the letter of YAML 1.1 a point alone is a number; no reader but the library's takes it for one. */
function isPoint(text: string): boolean {
  return /^[-+]?\.[_]*$/.test(text);
}

test('only the values’ bytes differ, they read back, edits are idempotent, and their order does not matter', () => {
  fc.assert(
    fc.property(printed, fc.nat(), wishes, ({ text, values, documents }, pick, wanted) => {
      const document = values[pick % values.length]!.document;
      const here = values.filter((each) => each.document === document);
      const set = new Map(wanted.map(({ at, value: each }) => [here[at % here.length]!.path, each] as const));
      const selector = String(document);
      const change = planned({ 'f.yaml': text }, { set: [...set], document: selector });
      const changing = here.filter(({ path, text: old }) => set.has(path) && set.get(path) !== old);
      expect((change.files[0]?.edits ?? []).map(({ start, end }) => [start, end])).toEqual(
        changing.map(({ start, end }) => [start, end]),
      );
      const after = apply(text, [...set], selector);
      expect(parseAllDocuments(after).length).toBe(documents);
      for (const each of values) {
        const wanting = changing.includes(each) ? set.get(each.path)! : undefined;
        for (const version of ['1.1', '1.2'] as const) {
          const [old, now] = [read(text, each, version), read(after, each, version)];
          if (wanting === undefined) expect(now).toEqual(old);
          else if (typeof now === 'string') expect(now).toBe(wanting);
          else if (version === '1.1' && isPoint(wanting)) expect(now).toBeNaN();
          else {
            expect(typeof now).toBe(typeof old);
            expect(['1.1', '1.2'].map((other) => parse(wanting, { version: other as typeof version }))).toContainEqual(
              now,
            );
          }
        }
      }
      expect(apply(after, [...set], selector)).toBe(after);
      expect(apply(text, [...set].toReversed(), selector)).toBe(after);
      // oxlint-disable-next-line no-control-regex
      if ([...set.values()].every((each) => !/[\u0000-\u001F\u007F-\u009F\u2028\u2029\uFEFF\uD800-\uDFFF]/u.test(each)))
        expect([...set].reduce((so, one) => apply(so, [one], selector), text)).toBe(after);
    }),
    { numRuns: 400 * effort },
  );
});

test('setting every value to what it is changes nothing', () => {
  fc.assert(
    fc.property(printed, ({ text, values }) => {
      for (const document of new Set(values.map((each) => each.document))) {
        const set = values.filter((each) => each.document === document).map((each) => [each.path, each.text] as const);
        expect(planned({ 'f.yaml': text }, { set, document: String(document) }).files).toEqual([]);
      }
    }),
    { numRuns: 200 * effort },
  );
});

test('no edit of any text corrupts it: it is done exactly, or refused', () => {
  const fragment = fc.constantFrom(
    'a: ',
    'v: ',
    '- ',
    '\n',
    '  ',
    '{',
    '}',
    '[',
    ']',
    ', ',
    '"',
    "'",
    '#',
    '&x ',
    '*x',
    '|',
    '>',
    '!t ',
    '---\n',
    'one',
    '? ',
    ': ',
    '<<: ',
    '\r\n',
    '\t',
    'é',
  );
  const texts = fc.array(fragment, { maxLength: 14 }).map((parts) => `v: one\n${parts.join('')}`);
  let done = 0;
  fc.assert(
    fc.property(texts, wish, (text, wanted) => {
      const after = applyOrRefuse(text, wanted);
      if (after === null) return;
      done += 1;
      const now = parseAllDocuments(after);
      expect(now.length).toBe(parseAllDocuments(text).length);
      expect(now.map((each) => (isMap(each.contents) ? String(each.contents.get('v')) : ''))).toContain(wanted);
      expect(applyOrRefuse(after, wanted)).toBe(after);
    }),
    { numRuns: 600 * effort },
  );
  expect(done).toBeGreaterThan(20);
});

function applyOrRefuse(text: string, wanted: string): string | null {
  try {
    return apply(text, [['v', wanted]]);
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}

test('an image is set wherever it stands, and only there', () => {
  const name = fc.constantFrom('nginx', 'x/app', 'ghcr.io/x/app', 'reg:5000/x/app');
  const tag = fc.constantFrom('1', '1.20', 'v2', '1e3', 'latest', 'yes', 'sha-0a1b');
  fc.assert(
    fc.property(
      fc.array(fc.record({ name, tag, quote: fc.constantFrom('', '"', "'") }), { minLength: 1, maxLength: 6 }),
      name,
      tag,
      (list, image, to) => {
        const text = `kind: Pod\nspec:\n  containers:\n${list.map((each) => `  - image: ${each.quote}${each.name}:${each.tag}${each.quote} # c\n`).join('')}`;
        fc.pre(list.some((each) => each.name === image));
        const change = planned({ 'f.yaml': text }, { image: `${image}:${to}` });
        const after = new TextDecoder().decode(
          applyEdits(new TextEncoder().encode(text), change.files[0]?.edits ?? []),
        );
        const wanted = list.map((each) => ({ image: `${each.name}:${each.name === image ? to : each.tag}` }));
        expect((parse(after) as { spec: { containers: unknown } }).spec.containers).toEqual(wanted);
        expect(after.split('\n').map((each) => each.replace(/image: \S+/, ''))).toEqual(
          text.split('\n').map((each) => each.replace(/image: \S+/, '')),
        );
      },
    ),
  );
});
