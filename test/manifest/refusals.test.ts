import { describe, expect, test } from 'vitest';
import { openFile } from '../../src/manifest/open.ts';
import { edited, editedAll, faultOf, planned } from './edited.ts';

const set = (content: string | Uint8Array, path = 'v', file = 'file.yaml'): string =>
  edited(content, { set: [[path, 'two']] }, file);

describe('refused with the place, exit 3', () => {
  test.each([
    ['block scalar', 'a: 1\nv: |\n  one\n', '2:4'],
    ['folded scalar', 'v: >-\n  one\n', '1:4'],
    ['tag', 'v: !!str one\n', '1:10'],
    ['own tag', 'v: !secret one\n', '1:12'],
    ['map', 'v: {a: 1}\n', '1:4'],
    ['list', 'v:\n- a\n', '2:1'],
  ])('%s', (_, text, place) => {
    expect(faultOf(() => set(text))).toMatchObject({
      code: 'edit_refused',
      exit: 3,
      message: expect.stringContaining(`file.yaml:${place}: v: `),
    });
  });
});

describe('refused with the place, exit 2', () => {
  const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
  test.each([
    ['duplicate key', 'v: one\nw: 1\nv: two\n', '3:1'],
    ['duplicate key far from the value', 'v: one\nm:\n  - {a: 1, "a": 2}\n', '3:12'],
    ['unparsable', 'v: one\nw: [\n', '3:1'],
    ['tabs for indentation', 'v:\n\tw: 1\n', '2:1'],
    ['unknown alias', 'v: *nope\n', '1:4'],
    ['Latin-1', bytes(0x76, 0x3a, 0x20, 0x6f, 0x0a, 0x77, 0x3a, 0x20, 0xe9, 0x0a), '2:4'],
    ['UTF-16', bytes(0xff, 0xfe, 0x76, 0x00, 0x3a, 0x00), '1:1'],
    ['UTF-16 without BOM', bytes(0x76, 0x00, 0x3a, 0x00), '1:2'],
  ])('%s', (_, text, place) => {
    expect(faultOf(() => set(text))).toMatchObject({
      code: 'manifest_unparsable',
      exit: 2,
      message: expect.stringContaining(`file.yaml:${place}`),
    });
  });

  test.each([
    ['50 MB', Buffer.alloc(50 * 1024 * 1024, 'v: one\n')],
    ['5,000 lists', `v: ${'['.repeat(5000)}${']'.repeat(5000)}\n`],
    ['5,000 maps', `v: ${'{a: '.repeat(5000)}${'}'.repeat(5000)}\n`],
    ['5,000 block lists', `${'- '.repeat(5000)}x\n`],
    ['5,000 lists that do not end', '['.repeat(5000)],
    ['5,000 keys', Array.from({ length: 1200 }, (_, index) => `${' '.repeat(index)}a:`).join('\n')],
  ])('%s', (_, text) => {
    expect(faultOf(() => set(text))).toMatchObject({ code: 'too_large', exit: 2 });
  });
});

test('an alias bomb is edited like any other file', () => {
  const levels = Array.from(
    { length: 30 },
    (_, index) => `l${index + 1}: &l${index + 1} [${Array(9).fill(`*l${index}`).join(', ')}]`,
  );
  const text = `l0: &l0 [x, x]\n${levels.join('\n')}\nv: one\nimage: x/app:1\nself: &self [*self]\n`;
  expect(set(text)).toBe(text.replace('v: one', 'v: two'));
  expect(edited(text, { image: 'x/app:2' })).toBe(text.replace('app:1', 'app:2'));
});

test('a map of many keys is read in one go', () => {
  const text = Array.from({ length: 20_000 }, (_, index) => `k${index}: v`).join('\n');
  expect(openFile('x.yaml', new TextEncoder().encode(text)).type).toBe('manifest');
});

describe('SOPS', () => {
  const sops =
    'image: x/app:1\nsecret: ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]\nsops:\n    mac: ENC[AES256_GCM,data:x]\n    version: 3.9.0\n';

  test('is refused, plain values too', () => {
    expect(faultOf(() => edited(sops, { image: 'x/app:2' }))).toMatchObject({
      code: 'encrypted',
      exit: 3,
      message: expect.stringContaining('MAC'),
    });
    expect(faultOf(() => edited(sops, { set: [['image', 'x']] })).code).toBe('encrypted');
    expect(
      faultOf(() =>
        edited('{"a": "x", "sops": {"mac": "ENC[]", "lastmodified": "x"}}', { set: [['a', 'y']] }, 'x.json'),
      ).code,
    ).toBe('encrypted');
  });

  test('in a folder: others are changed, and it is noted; alone it is exit 3', () => {
    const files = { 'a.yaml': sops, 'b.yaml': 'image: x/app:1\n' };
    expect(editedAll(files, { image: 'x/app:2', named: [] })).toEqual({ ...files, 'b.yaml': 'image: x/app:2\n' });
    expect(planned(files, { image: 'x/app:2', named: [] }).notTaken).toMatchObject([
      { file: 'a.yaml', reason: 'encrypted' },
    ]);
    expect(faultOf(() => editedAll({ 'a.yaml': sops }, { image: 'x/app:2', named: [] }))).toMatchObject({
      code: 'encrypted',
      exit: 3,
    });
  });

  test('image values that are encrypted themselves', () => {
    const hidden = sops.replace('x/app:1', 'ENC[AES256_GCM,data:q]');
    expect(faultOf(() => edited(hidden, { image: 'x/app:2' })).code).toBe('encrypted');
  });

  test('its configuration file is no encrypted file', () => {
    expect(set('creation_rules:\n- path_regex: x\nv: one\n', 'v', '.sops.yaml')).toContain('v: two');
  });
});

describe('Helm templates', () => {
  const template =
    'kind: Pod\nspec:\n  {{- if .Values.x }}\n  containers:\n    - image: x/app:1 # {{ .x }}\n  {{- end }}\n';

  test('are skipped in a folder, with the reason', () => {
    const files = { 't.yaml': template, 'v.yaml': 'image: x/app:1\n' };
    expect(planned(files, { image: 'x/app:2', named: [] }).notTaken).toMatchObject([
      { file: 't.yaml', reason: 'template' },
    ]);
    expect(faultOf(() => planned({ 't.yaml': template }, { image: 'x/app:2', named: [] }))).toMatchObject({
      code: 'target_missing',
      hint: expect.stringContaining('template'),
    });
  });

  test('are patched as text when named, where the match is unique', () => {
    expect(edited(template, { image: 'x/app:2' })).toBe(template.replace('app:1', 'app:2'));
    expect(edited(`${template}# {{ x }} x/app-b:1 y/x/app:1\n`, { image: 'x/app:2' })).toBe(
      `${template.replace('app:1', 'app:2')}# {{ x }} x/app-b:1 y/x/app:1\n`,
    );
    expect(faultOf(() => edited(`${template}# x/app:1\n`, { image: 'x/app:2' }))).toMatchObject({
      code: 'edit_refused',
      exit: 3,
    });
    expect(faultOf(() => set(template)).code).toBe('edit_refused');
  });

  test('template text in quotes, comments and block scalars makes no template', () => {
    const text = 'a: "{{ x }}"\nb: |\n  {{ if }}\n# {{ c }}\nimage: x/app:1\nd: Instance {{ $labels.x }} down\n';
    expect(edited(text, { image: 'x/app:2' })).toBe(text.replace('app:1', 'app:2'));
  });

  test('a reference with template text is left alone', () => {
    expect(faultOf(() => edited('image: x/app:{{ .tag }}\n', { image: 'x/app:2' })).code).toBe('edit_refused');
  });
});

test('a broken file in a folder counts only where it holds the whole image', () => {
  const files = { 'broken.yaml': 'repository: [x/app\n', 'other.yaml': 'a: [\n', 'v.yaml': 'image: ghcr.io/x/app:1\n' };
  const asked = { image: 'ghcr.io/x/app:2', named: [] };
  const change = planned(files, asked);
  expect(change.files.map(({ path }) => path)).toEqual(['v.yaml']);
  expect(change.notTaken).toMatchObject([{ file: 'broken.yaml', reason: 'unparsable' }]);
  const whole = { ...files, 'broken.yaml': 'image: [ghcr.io/x/app:1\n' };
  expect(faultOf(() => planned(whole, asked))).toMatchObject({ code: 'manifest_unparsable', exit: 2 });
  expect(planned(whole, { ...asked, mode: 'update' }).notTaken).toMatchObject([
    { file: 'broken.yaml', reason: 'unparsable' },
  ]);
});
