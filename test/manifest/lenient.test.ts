import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { edited, faultOf } from './edited.ts';

const pod = (args: string): string =>
  `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: web\n    args: ${args}\n    image: x/app:v1 # c\n`;

describe('lines inside brackets and quotes may stand further left than the strict grammar has it', () => {
  test.each([
    ['a list at the key’s column', '[\n    "--a",\n    "--b"\n    ]'],
    ['a list further left', '[\n "--a", # c\n"--b",\n]'],
    ['a map', '{\n  a: b,\n  c: {\n d: e }\n  }'],
    ['a list in a list', '[ [\na, b\n], c\n]'],
    ['text in double quotes', '"one\ntwo\n  three"'],
    ['text in single quotes', "'one\n\n  it''s'"],
    ['quotes in a list', '[ "one\ntwo", x ]'],
    ['CRLF', '[\r\n    "--a",\r\n    "b\r\nc"\r\n    ]\r'],
  ])('%s', (_, args) => {
    const text = pod(args);
    expect(parseAllDocuments(text).some(({ errors }) => errors.length > 0)).toBe(true);
    const now = text.replace('app:v1', 'app:v2');
    expect(edited(text, { image: 'x/app:v2' })).toBe(now);
    expect(edited(text, { set: [['spec.containers[name=web].image', 'x/app:v2']] })).toBe(now);
    expect(edited(now, { image: 'x/app:v2' })).toBe(now);
  });

  test('a value inside', () => {
    expect(edited('a: [\nb,\nc: {\nd: e\n}\n]\nf: 1\n', { set: [['a[1].c.d', 'x']] })).toBe(
      'a: [\nb,\nc: {\nd: x\n}\n]\nf: 1\n',
    );
    expect(edited('m:\n  a: "b\nc"\n  d: e\n', { set: [['m.a', 'x']] })).toBe('m:\n  a: "x"\n  d: e\n');
  });
});

test('what is broken all the same is told where the strict grammar sees it', () => {
  for (const [text, place] of [
    ['a: [\nb,\nv: one\n', '2:1'],
    ['a: {\nb: c\nv: one\n', '2:1'],
    ['m:\n  a: "b\nc\nv: one\n', '5:1'],
    ['a: [\n- b\n]\nv: one\n', '2:1'],
    ['a: [ b,\n---\nv: one\n', '2:1'],
  ] as const) {
    const fault = faultOf(() => edited(text, { set: [['v', 'two']] }));
    expect([text, fault.code, fault.message.split(' ')[0]]).toEqual([
      text,
      'manifest_unparsable',
      `file.yaml:${place}:`,
    ]);
  }
});
