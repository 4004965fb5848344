import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ExplicitTarget } from '../../src/config/config.ts';
import { parseAssignment } from '../../src/app/value.ts';
import { effort } from './random-document.ts';
import { edited, editedAll, faultOf, planned, sha } from './edited.ts';

const text = `a:
  b: one # b
  "c.d/e": two
  list:
    - name: web
      port: 80
    - name: api
      port: 81
  "": empty
`;

describe('paths', () => {
  test.each([
    ['/a/b', 'one', 'x'],
    ['a.b', 'one', 'x'],
    ['.a.b', 'one', 'x'],
    ['$.a.b', 'one', 'x'],
    ['/a/c.d~1e', 'two', 'x'],
    ['a["c.d/e"]', 'two', 'x'],
    ["a['c.d/e']", 'two', 'x'],
    ['a.c\\.d/e', 'two', 'x'],
    ['a.list[1].port', '81', '82'],
    ['a.list.1.port', '81', '82'],
    ['/a/list/1/port', '81', '82'],
    ['a.list[name=api].port', '81', '82'],
    ['a.list[name="api"].port', '81', '82'],
    ['/a/', 'empty', 'x'],
  ])('%s', (path, before, after) => {
    expect(edited(text, { set: [[path, after]] })).toBe(text.replace(before, after));
  });

  test.each(['/a/x', 'a.list[2].port', 'a.list[name=no].port', '/a/list/01/port', 'a.b.c', '/a/list/-'])(
    '%s leads nowhere',
    (path) => {
      expect(faultOf(() => edited(text, { set: [[path, 'x']] }))).toMatchObject({ code: 'target_missing', exit: 2 });
    },
  );

  test.each(['a[', 'a..b', 'a.', 'a[x]', 'a[0]b'])('%s is no path', (path) => {
    expect(faultOf(() => edited(text, { set: [[path, 'x']] })).code).toBe('usage');
  });

  test.each([
    ['l:\r\n- a\r\n-   # b\r\n- \r\n', '/l/1', 'v', 'l:\r\n- a\r\n- v   # b\r\n- \r\n'],
    ['l:\r\n- a\r\n-\r\n- \r\n', '/l/2', 'a: b', 'l:\r\n- a\r\n-\r\n- "a: b"\r\n'],
    ['- - - \n  -\n-', '/0/0/0', 'v', '- - - v\n  -\n-'],
    ['- - - \n  -\n-', '/1', 'v', '- - - \n  -\n- v'],
    ['l:\n  - k: # c\n  - k: \n', 'l[1].k', 'v', 'l:\n  - k: # c\n  - k: v\n'],
  ])('nothing stands there: %j %s', (empty, path, value, after) => {
    const set = [path, value] as const;
    expect(edited(empty, { set: [set, set] })).toBe(after);
  });

  test.each(['- &a\n', '- !t\n', '-\n  k:\n', '- - a\n'])('no empty item: %j', (list) => {
    expect(faultOf(() => edited(list, { set: [['/0', 'v']] })).code).toBe('edit_refused');
  });

  test('a map, and an ambiguous list item, are refused', () => {
    expect(faultOf(() => edited(text, { set: [['/a/list', 'x']] }))).toMatchObject({
      code: 'edit_refused',
      message: expect.stringContaining('file.yaml:5:5'),
    });
    const twice = 'l: [{name: a, v: 1}, {name: a, v: 2}]\n';
    expect(faultOf(() => edited(twice, { set: [['l[name=a].v', '3']] })).code).toBe('edit_refused');
  });

  test('documents by index and by Kind/name', () => {
    const one = (name: string): string => `kind: ConfigMap\nmetadata: {name: ${name}}\ndata: {x: "1"}\n`;
    const file = `${one('a')}---\n${one('b')}`;
    expect(edited(file, { set: [['data.x', '2']], document: '1' })).toBe(
      `${one('a')}---\n${one('b').replace('"1"', '"2"')}`,
    );
    expect(edited(file, { set: [['data.x', '2']], document: 'ConfigMap/a' })).toBe(
      `${one('a').replace('"1"', '"2"')}---\n${one('b')}`,
    );
    expect(faultOf(() => edited(file, { set: [['data.x', '2']] }))).toMatchObject({
      code: 'edit_refused',
      message: expect.stringContaining('ConfigMap/b'),
    });
    expect(faultOf(() => edited(file, { set: [['data.x', '2']], document: '7' })).code).toBe('target_missing');
  });

  test('in edit, a path must stand in one of the files', () => {
    const after = editedAll({ 'a.yaml': 'x: a\n', 'b.yaml': 'y: b\n' }, { set: [['x', 'c']] });
    expect(after).toEqual({ 'a.yaml': 'x: c\n', 'b.yaml': 'y: b\n' });
    expect(planned({ 'a.yaml': 'x: a\n', 'b.yaml': 'y: b\n' }, { set: [['x', 'c']] }).notTaken).toMatchObject([
      { file: 'b.yaml', reason: 'missing' },
    ]);
    expect(
      faultOf(() => editedAll({ 'a.yaml': 'x: a\n', 'b.yaml': 'y: b\n' }, { set: [['x', 'c']], mode: 'update' })).code,
    ).toBe('target_missing');
  });

  test('two changes of one value', () => {
    expect(
      faultOf(() =>
        edited('x: a\n', {
          set: [
            ['x', 'b'],
            ['/x', 'c'],
          ],
        }),
      ).code,
    ).toBe('edit_refused');
    expect(
      edited('x: a\n', {
        set: [
          ['x', 'b'],
          ['/x', 'b'],
        ],
      }),
    ).toBe('x: b\n');
  });
});

describe('JSON', () => {
  const json = '{\n\t"image" : "x/app:1",\n  "n": 1, "b": true, "z": null,\n  "l": ["\\u00e9\\/", 1.5]\n}';
  const set = (path: string, value: string): string => edited(json, { set: [[path, value]] }, 'file.json');

  test('only the value’s bytes, types kept', () => {
    expect(set('image', 'a"b\\c\n')).toBe(json.replace('x/app:1', 'a\\"b\\\\c\\n'));
    expect(set('n', '2')).toBe(json.replace('"n": 1', '"n": 2'));
    expect(set('n', '1.50')).toBe(json.replace('"n": 1', '"n": 1.50'));
    expect(set('n', 'x')).toBe(json.replace('"n": 1', '"n": "x"'));
    expect(set('b', 'false')).toBe(json.replace('true', 'false'));
    expect(set('b', 'yes')).toBe(json.replace('true', '"yes"'));
    expect(set('z', 'x')).toBe(json.replace('null', '"x"'));
    expect(set('/l/0', 'é/')).toBe(json);
    expect(set('/l/1', '2.5')).toBe(json.replace('1.5', '2.5'));
  });

  test('images in JSON', () => {
    expect(edited(json, { image: 'x/app:2' }, 'values.json')).toBe(json.replace('x/app:1', 'x/app:2'));
  });

  test('a duplicate key is refused', () => {
    expect(faultOf(() => edited('{"a": 1, "a": 2}', { set: [['a', '3']] }, 'x.json'))).toMatchObject({
      code: 'manifest_unparsable',
      exit: 2,
    });
  });
});

describe('key=value files', () => {
  const env = '# VERSION=0\nVERSION=1.0.0\r\nexport QUOTED="a b"\n EMPTY=\nURL=https://x/?a=b\nIMAGE=x/app:1';
  const set = (path: string, value: string): string => edited(env, { set: [[path, value]] }, 'app.env');

  test('only the value’s bytes', () => {
    expect(set('VERSION', '1.20')).toBe(env.replace('\nVERSION=1.0.0', '\nVERSION=1.20'));
    expect(set('/QUOTED', 'c d')).toBe(env.replace('a b', 'c d'));
    expect(set('EMPTY', 'x')).toBe(env.replace('EMPTY=', 'EMPTY=x'));
    expect(edited('A="$x"\n', { set: [['A', '$x']] }, 'x.env')).toBe('A="$x"\n');
    expect(set('URL', 'y=z')).toBe(env.replace('https://x/?a=b', 'y=z'));
    expect(edited(env, { image: 'x/app:2' }, 'app.env')).toBe(env.replace('x/app:1', 'x/app:2'));
  });

  test.each([
    ['A=one   # why', 'A=two   # why'],
    ['export A="one"\t# why', 'export A="two"\t# why'],
    ["A='one' # it's", "A='two' # it's"],
    ['A= # why', 'A=two # why'],
    ['A=# why', 'A=two'],
    ['A=one#why', 'A=two'],
    ['A="one" b', 'A=two'],
    ['A = one', 'A = two'],
    ['\uFEFFA=one', '\uFEFFA=two'],
    ['#A=0\n;A=1\n\nA=one\r\n\r\n', '#A=0\n;A=1\n\nA=two\r\n\r\n'],
  ])('comments, quotes and white space: %j', (before, after) => {
    expect(edited(before, { set: [['A', 'two']] }, 'x.env')).toBe(after);
  });

  test('refusals', () => {
    expect(faultOf(() => set('VERSION', 'a #b')).code).toBe('edit_refused');
    expect(faultOf(() => set('VERSION', 'a\nb')).code).toBe('edit_refused');
    expect(faultOf(() => set('QUOTED', 'a"b')).code).toBe('edit_refused');
    expect(faultOf(() => set('NOPE', 'x')).code).toBe('target_missing');
    expect(faultOf(() => edited('A=1\nA=2\n', { set: [['A', '3']] }, 'x.env'))).toMatchObject({
      code: 'manifest_unparsable',
      exit: 2,
      message: expect.stringContaining('x.env:2:3: '),
    });
    expect(
      faultOf(() => edited('A=ENC[AES256_GCM,data:x]\nsops_mac=ENC[x]\n', { set: [['A', '3']] }, 'x.env')),
    ).toMatchObject({ code: 'encrypted', exit: 3 });
  });
});

describe('one-line version files', () => {
  test('the line’s text, and nothing around it', () => {
    expect(edited(' v1.0.0 \r\n', { set: [['', 'v2']] }, 'VERSION')).toBe(' v2 \r\n');
    expect(edited('\uFEFFv1.0.0', { set: [['/', 'v2']] }, 'version.txt')).toBe('\uFEFFv2');
    expect(edited('v1.0.0  # stable\n\n', { set: [['', 'v2']] }, 'VERSION')).toBe('v2  # stable\n\n');
    expect(edited('x/app:1\n', { image: 'x/app:2' }, 'IMAGE')).toBe('x/app:2\n');
    expect(faultOf(() => edited('v1\n', { set: [['', 'a\nb']] }, 'VERSION')).code).toBe('edit_refused');
  });
});

describe('targets of sluice.yaml', () => {
  const target = (over: Partial<ExplicitTarget>): ExplicitTarget => ({
    image: 'x/app',
    file: 'f.yaml',
    path: '/web',
    document: null,
    keys: null,
    value: 'reference',
    ...over,
  });
  const change = (content: string, over: Partial<ExplicitTarget>, image: string, pin?: 'digest'): string =>
    editedAll(
      { [over.file ?? 'f.yaml']: content },
      { image, mode: 'update', targets: [target(over)], ...(pin && { pin }) },
    )[over.file ?? 'f.yaml']!;

  test('a full reference, a tag, a digest, a repository', () => {
    expect(change('web: x/app:1\n', {}, 'x/app:2')).toBe('web: x/app:2\n');
    expect(change('web: x/app:1\n', {}, `x/app:2@${sha('a')}`, 'digest')).toBe(`web: x/app@${sha('a')}\n`);
    expect(change('web: "1"\n', { value: 'tag' }, 'x/app:2')).toBe('web: "2"\n');
    expect(change(`web: ${sha('0')}\n`, { value: 'digest' }, `x/app:2@${sha('a')}`)).toBe(`web: ${sha('a')}\n`);
    expect(change('web: x/app\n', { value: 'repository' }, 'x/app=y/app:2')).toBe('web: y/app\n');
    expect(change('1.0\n', { file: 'VERSION', path: '', value: 'tag' }, 'x/app:2')).toBe('2\n');
    expect(change('V=1.0\n', { file: 'v.env', path: 'V', value: 'tag' }, 'x/app:2')).toBe('V=2\n');
  });

  test('keys below a map', () => {
    const keys = { registry: 'host', repository: 'repo', tag: 'version', digest: 'pin' };
    const map = 'web:\n  host: ghcr.io\n  repo: x/app\n  version: v1\n';
    expect(change(map, { image: 'ghcr.io/x/app', keys }, 'ghcr.io/x/app:v2')).toBe(map.replace('v1', 'v2'));
    expect(change(map, { image: 'ghcr.io/x/app', keys }, `ghcr.io/x/app:v2@${sha('a')}`)).toBe(
      `${map.replace('v1', 'v2')}  pin: ${sha('a')}\n`,
    );
    expect(change(map, { image: 'ghcr.io/x/app', keys }, 'ghcr.io/x/app=quay.io/y/app:v2')).toBe(
      'web:\n  host: quay.io\n  repo: y/app\n  version: v2\n',
    );
  });

  test('goes before what is discovered', () => {
    const plan = planned(
      { 'f.yaml': 'web: x/app:1\n', 'p.yaml': 'kind: Pod\nspec: {containers: [{image: x/app:1}]}\n' },
      { image: 'x/app:2', mode: 'update', targets: [target({})] },
    );
    expect(plan.targets.map(({ kind }) => kind)).toEqual(['path']);
    expect(plan.notTaken).toMatchObject([{ file: 'p.yaml', reason: 'precedence' }]);
  });

  test('a target that leads nowhere, or whose file is missing', () => {
    expect(faultOf(() => change('web: 1\n', { path: '/nope' }, 'x/app:2')).code).toBe('target_missing');
    expect(faultOf(() => planned({}, { image: 'x/app:2', targets: [target({})] })).code).toBe('file_missing');
    expect(faultOf(() => change('web: 1\n', { keys: { tag: 't' } }, 'x/app:2')).code).toBe('target_missing');
  });
});

test('any key is reached by JSON Pointer and by dotted path, and the value ends at the first = outside', () => {
  const key = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 6 }),
    fc.string({ unit: fc.constantFrom('a', '.', '/', '~', '"', "'", '[', ']', '\\', ' ', '0', '='), maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.uniqueArray(key, { minLength: 1, maxLength: 3 }), fc.nat(2), fc.string(), (keys, at, value) => {
      const chosen = keys[at % keys.length]!;
      const file = JSON.stringify({
        m: Object.fromEntries(keys.map((each) => [each, 'old'])),
        l: [{ name: chosen, v: 'old' }],
      });
      const quotedKey = JSON.stringify(chosen).replace(/\\(?![\\"])/g, '');
      fc.pre(quotedKey === `"${chosen.replace(/[\\"]/g, String.raw`\$&`)}"`);
      const pointer = `/m/${chosen.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      const wanted = { m: Object.fromEntries(keys.map((each) => [each, each === chosen ? value : 'old'])) };
      const paths = chosen.includes('=') ? [`m[${quotedKey}]`] : [`m[${quotedKey}]`, pointer];
      for (const path of paths) {
        const assignment = parseAssignment(`${path}=${value}`);
        expect(assignment).toEqual({ path, value });
        const after = edited(file, { set: [[assignment.path, assignment.value]] }, 'x.json');
        expect((JSON.parse(after) as { m: unknown }).m).toEqual(wanted.m);
      }
      const item = parseAssignment(`l[name=${quotedKey}].v=${value}`);
      expect(JSON.parse(edited(file, { set: [[item.path, item.value]] }, 'x.json'))).toMatchObject({
        l: [{ v: value }],
      });
    }),
    { numRuns: 300 * effort },
  );
});

test('$ is the root only before a dot or a bracket, and ~ in a JSON Pointer is escaped', () => {
  expect(edited('{"$a": "1", "a": "2"}', { set: [['$a', 'x']] }, 'f.json')).toBe('{"$a": "x", "a": "2"}');
  expect(edited('{"$a": "1", "a": "2"}', { set: [['$.a', 'x']] }, 'f.json')).toBe('{"$a": "1", "a": "x"}');
  expect(faultOf(() => edited('m~: 1\n', { set: [['/m~', '2']] }))).toMatchObject({
    code: 'usage',
    message: expect.stringContaining('character 3: '),
  });
});
