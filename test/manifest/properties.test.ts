import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMap, parse, parseAllDocuments } from 'yaml';
import { Fault } from '../../src/fault.ts';
import { applyEdits } from '../../src/manifest/edit.ts';
import { planned } from './edited.ts';

/** A document as text, and where its values stand: written by a small printer of our own, so that nothing is assumed. */
interface Printed {
  readonly text: string;
  readonly values: readonly {
    readonly path: string;
    readonly text: string;
    readonly start: number;
    readonly end: number;
  }[];
}

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
const value = fc.oneof(word, nasty, fc.string({ unit: 'grapheme', maxLength: 12 }));

const style = fc.record({
  quote: fc.constantFrom('plain', 'single', 'double'),
  comment: fc.constantFrom('', '  # note', ' # a: b "c"', '\t# tab'),
  gap: fc.constantFrom(' ', '  ', '     '),
  flow: fc.boolean(),
  blank: fc.boolean(),
});
const entry = fc.record({
  value: fc.constantFrom('one', 'v1.2', 'reg:5000/a', '38', 'true', '1.5', 'two words', 'x/y@z'),
  style,
});
const document = fc.record({
  bom: fc.boolean(),
  marker: fc.boolean(),
  crlf: fc.boolean(),
  end: fc.boolean(),
  indent: fc.constantFrom(1, 2, 3, 4, 8),
  maps: fc.array(fc.array(entry, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
});

function print(shape: typeof document extends fc.Arbitrary<infer T> ? T : never): Printed {
  const values: { path: string; text: string; start: number; end: number }[] = [];
  const line = shape.crlf ? '\r\n' : '\n';
  let text = `${shape.bom ? '\uFEFF' : ''}${shape.marker ? `---${line}` : ''}`;
  const put = (path: string, each: { value: string; style: { quote: string } }): void => {
    const start = text.length;
    text +=
      each.style.quote === 'plain' ? each.value : each.style.quote === 'single' ? `'${each.value}'` : `"${each.value}"`;
    values.push({ path, text: each.value, start, end: text.length });
  };
  for (const [m, map] of shape.maps.entries()) {
    const flow = map[0]!.style.flow;
    text += flow ? `m${m}: {` : `m${m}:${line}`;
    for (const [v, each] of map.entries()) {
      if (flow) text += v > 0 ? `,${each.style.gap}` : each.style.gap;
      else text += `${each.style.blank ? line : ''}${' '.repeat(shape.indent)}`;
      text += `k${v}:${each.style.gap}`;
      put(`/m${m}/k${v}`, each);
      if (!flow) text += `${each.style.comment}${line}`;
    }
    if (flow) text += `}${map.at(-1)!.style.comment}${line}`;
  }
  if (!shape.end) text = text.slice(0, -line.length);
  return { text, values };
}

const wishes = fc.array(fc.record({ at: fc.nat(), value }), { minLength: 1, maxLength: 4 });

function apply(text: string, set: readonly (readonly [string, string])[]): string {
  const content = new TextEncoder().encode(text);
  const change = planned({ 'f.yaml': content }, { set });
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(applyEdits(content, change.files[0]?.edits ?? []));
}

const read = (text: string, path: string): unknown => {
  const keys = path.slice(1).split('/');
  return parseAllDocuments(text)[0]!.getIn(keys);
};

test('only the values’ bytes differ, they read back, edits are idempotent, and their order does not matter', () => {
  fc.assert(
    fc.property(document, wishes, (shape, wanted) => {
      const { text, values } = print(shape);
      const set = new Map(wanted.map(({ at, value: each }) => [values[at % values.length]!.path, each] as const));
      const change = planned({ 'f.yaml': text }, { set: [...set] });
      const changing = values.filter(({ path, text: old }) => set.has(path) && set.get(path) !== old);
      expect((change.files[0]?.edits ?? []).map(({ start, end }) => [start, end])).toEqual(
        changing.map(({ start, end }) => [start, end]),
      );
      const after = apply(text, [...set]);
      for (const { path } of values) {
        const old = read(text, path);
        expect(set.has(path) ? String(read(after, path)) : read(after, path)).toEqual(set.get(path) ?? old);
      }
      expect(apply(after, [...set])).toBe(after);
      expect(apply(text, [...set].toReversed())).toBe(after);
    }),
    { numRuns: 300 },
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
    fc.property(texts, value, (text, wanted) => {
      const after = applyOrRefuse(text, wanted);
      if (after === null) return;
      done += 1;
      const now = parseAllDocuments(after);
      expect(now.length).toBe(parseAllDocuments(text).length);
      expect(now.map((each) => (isMap(each.contents) ? String(each.contents.get('v')) : ''))).toContain(wanted);
      expect(applyOrRefuse(after, wanted)).toBe(after);
    }),
    { numRuns: 600 },
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
