import { describe, expect, test } from 'vitest';
import { applyEdits, spliceText } from '../../src/manifest/edit.ts';
import { holdsName } from '../../src/manifest/text.ts';
import { edited, planned } from './edited.ts';

const set = (text: string, value: string, path = 'v'): string => edited(text, { set: [[path, value]] });

describe('everything but the value stays', () => {
  test.each([
    ['CRLF', 'a: 1\r\nv: one # c\r\n\r\nb: 2\r\n'],
    ['no last line end', 'a: 1\nv: one'],
    ['BOM', '\uFEFFv: one\n'],
    ['BOM and directive', '\uFEFF%YAML 1.2\n---\nv: one\n...\n'],
    ['tag directive', '%TAG ! tag:example.com,2000:\n---\nv: one\n'],
    ['document marks', '---\n# c\nv: one\n...\n'],
    ['comment columns', 'a: 1      # x\nv: one     # y\nb: 2  # z\n'],
    ['odd indentation', 'm:\n     x: 1\n     l:\n     - a\n     -   b\nv:    one   \nq: "a"\n'],
    ['blank lines and tabs', '\n\n\t\nv: one\t# tab\n\n\n'],
    ['flow padding', '{ a:1,   v:   one  ,b : [ 1,2 ] }\n'],
    ['anchors elsewhere', 'a: &x {q: 1}\nb: *x\nc:\n  <<: *x\nv: one\n'],
    ['block scalars elsewhere', 'a: |+\n  v: one\n\n\nv: one\nb: >-\n    x\n   # not a comment\n'],
    ['long lines', `a: ${'word '.repeat(60)}\nv: one\n`],
    ['key order and quoting', '"z": \'1\'\n? a\n: "b"\nv: one\n'],
    ['astral characters before it', 'a: "😀😀"\nb: é # 🚀\nv: one # 😀\n'],
    ['a lone surrogate escape', 'a: "\\ud83d"\nv: one\n'],
    ['value on the next line', 'v:\n  one\nb: 1\n'],
    ['value after anchor-free comment lines', 'v:\n  # c\n  one # d\nb: 1\n'],
    ['mixed line ends', 'a: 1\r\nb: 2\nv: one\r\nc: 3\n'],
  ])('%s', (_, text) => {
    const at = text.lastIndexOf('one');
    expect(set(text, 'two')).toBe(`${text.slice(0, at)}two${text.slice(at + 3)}`);
    expect(set(text, 'one')).toBe(text);
  });

  test('several documents, one of them twice', () => {
    const text = 'v: one\n---\nv: one\n---\n# empty\n---\nv: one\n';
    expect(edited(text, { set: [['v', 'two']], document: '1' })).toBe(
      'v: one\n---\nv: two\n---\n# empty\n---\nv: one\n',
    );
  });

  test('a folded value becomes one line', () => {
    expect(set('v: one\n  and\n  more # c\nb: 1\n', 'two')).toBe('v: two # c\nb: 1\n');
    expect(set('v: "one\n  and"\n', 'two')).toBe('v: "two"\n');
  });
});

describe('quotes', () => {
  const ambiguous = [
    '1.20',
    '1e3',
    '0755',
    '0o17',
    '0x1F',
    '1_000',
    '12:30',
    '12:30:45',
    'yes',
    'No',
    'on',
    'OFF',
    'y',
    'true',
    'False',
    '~',
    'null',
    'NULL',
    '',
    'a: b',
    'a:',
    'x #1',
    '#x',
    '@x',
    '*x',
    '&x',
    '!x',
    '%x',
    '|',
    '>',
    '`x',
    '- x',
    '-',
    '?',
    ': x',
    ':x',
    '? x',
    '[x]',
    '{x}',
    ',x',
    '"x"',
    "'x'",
    ' x',
    'x ',
    '---',
    '--- x',
    '...',
    '.inf',
    '-.INF',
    '.nan',
    '2024-01-01',
    '2001-12-14t21:59:43.10-05:00',
    '<<',
    '=',
    '+1',
    '1.',
    '.5',
    '0b11',
    '190:20:30',
    'a\nb',
    '\ttab',
    'nul\u0001',
    '\uFEFFx',
    '\u2028',
  ];
  test.each(ambiguous)('%j is quoted where a plain string stood', (value) => {
    expect(set('q: "x"\nv: one # c\n', value)).toMatch(/^q: "x"\nv: ".*" # c\n$/);
    const single = set("q: 'x'\nv: one # c\n", value);
    // oxlint-disable-next-line no-control-regex
    expect(single).toMatch(
      // oxlint-disable-next-line no-control-regex
      /[\u0000-\u001f\u2028\uFEFF]/.test(value) ? /^q: 'x'\nv: ".*" # c\n$/ : /^q: 'x'\nv: '.*' # c\n$/,
    );
  });

  test.each([
    'v1.20',
    '1.2.3',
    'a:b',
    'x#1',
    'reg:5000/x/app:1',
    'yes-man',
    '1.20-rc',
    '0755a',
    'sha-1e3f',
    'ünï',
    "it's",
    'a, b',
    'x{y}',
    '-x',
    '1.2.3+build',
    'latest',
    'a b',
  ])('%j stays plain', (value) => {
    expect(set('v: one\n', value)).toBe(`v: ${value}\n`);
  });

  test('a flow collection needs more of them', () => {
    expect(set('{v: one}\n', 'a, b')).toBe('{v: "a, b"}\n');
    expect(set('{v: one}\n', 'x{y}')).toBe('{v: "x{y}"}\n');
    expect(set('{v: one}\n', 'reg:5000/x:1')).toBe('{v: reg:5000/x:1}\n');
  });

  test('quotes that stand stay', () => {
    expect(set("v: 'one'\n", "it's")).toBe("v: 'it''s'\n");
    expect(set('v: "one"\n', 'say "hi" \\ é')).toBe('v: "say \\"hi\\" \\\\ é"\n');
    expect(set("v: 'one'\n", 'two')).toBe("v: 'two'\n");
  });

  test.each([
    ['38', '39', '39'],
    ['1.19', '1.21', '1.21'],
    ['1.19', '1.20', '1.20'],
    ['38', '038', '038'],
    ['0.25', '0.50', '0.50'],
    ['38', '-1', '-1'],
    ['0644', '0755', '0755'],
    ['0o644', '0o755', '0o755'],
    ['420', '0755', '0755'],
    ['0x1F', '0x20', '0x20'],
    ['.5', '.6', '.6'],
    ['1_000', '2_000', '2_000'],
    ['one', '1.20', '"1.20"'],
    ['12e3', '13e3', '13e3'],
    ['38', 'abc', 'abc'],
    ['38', 'true', '"true"'],
    ['true', 'false', 'false'],
    ['true', 'yes', '"yes"'],
    ['yes', 'no', 'no'],
    ['1.5', '2', '2'],
    ['~', 'null', '"null"'],
    ['2024-01-01', '2024-02-01', '2024-02-01'],
    ['9007199254740993', '9007199254740995', '9007199254740995'],
  ])('plain %s → %s', (before, value, after) => {
    expect(set(`v: ${before}\n`, value)).toBe(`v: ${after}\n`);
  });
});

describe('a key without value', () => {
  test.each([
    ['v:\nb: 1\n', 'v: two\nb: 1\n'],
    ['v: # c\n', 'v: two # c\n'],
    ['v:', 'v: two'],
    ['{v: , b: 1}\n', '{v: two , b: 1}\n'],
    ['{v:, b: 1}\n', '{v: two, b: 1}\n'],
    ['v:   \r\nb: 1\r\n', 'v: two   \r\nb: 1\r\n'],
    ['v: \r\nb: 1\r\n', 'v: two\r\nb: 1\r\n'],
    ['v: ', 'v: two'],
  ])('%j', (before, after) => {
    expect(set(before, 'two')).toBe(after);
  });
});

describe('edits and diffs', () => {
  test('offsets count UTF-16 code units, the BOM included', () => {
    const text = '\uFEFFa: 😀 b\n';
    const content = new TextEncoder().encode(text);
    const after = applyEdits(content, [{ start: 7, end: 8, text: 'c' }]);
    expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(after)).toBe('\uFEFFa: 😀 c\n');
    expect(applyEdits(content, [])).toBe(content);
  });

  test('overlapping edits are a bug', () => {
    expect(() =>
      spliceText('abc', [
        { start: 0, end: 2, text: '' },
        { start: 1, end: 3, text: '' },
      ]),
    ).toThrow('overlap');
  });

  test('targets tell place, before and after', () => {
    expect(planned({ 'f.yaml': '\uFEFFa: 1\nm:\n  v: one\n' }, { set: [['/m/v', 'two']] }).targets).toEqual([
      { file: 'f.yaml', line: 3, column: 6, kind: 'path', path: 'm.v', image: null, before: 'one', after: 'two' },
    ]);
  });
});

test.each([
  ['image: web:1', true],
  ['image: web', true],
  ['repository: ghcr.io/shop/web', true],
  ['url: https://git.example.com/web.git', true],
  ['url: oci://ghcr.io/web/', true],
  ['{name: web}', true],
  ['name: web-frontend', false],
  ['image: web/api', false],
  ['image: my-web:1', false],
  ['image: cobweb_1', false],
  ['x: web-a\nimage: "web@sha256:0"', true],
])('a cheap look for the image web in %j: %s', (text, holds) => {
  expect(holdsName(new TextEncoder().encode(text), 'web')).toBe(holds);
});
