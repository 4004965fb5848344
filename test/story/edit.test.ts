import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import schema from '../../schema/edit.schema.json' with { type: 'json' };
import { ensureBuilt, startCli, type Ended } from './cli.ts';

/** `sluice edit` as it is packaged. */

const sha = (digit: string): string => `sha256:${digit.repeat(64)}`;
const validate = new Ajv({ strict: false }).compile(schema);
let folder: string;

beforeAll(ensureBuilt);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-edit-story-'));
});
afterEach(() => rm(folder, { recursive: true }));

const write = async (path: string, content: string | Uint8Array): Promise<void> => {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), content);
};
const read = (path: string): Promise<string> => readFile(join(folder, path), 'utf8');
const edit = (...args: string[]): Promise<Ended> =>
  startCli(['edit', ...args], { cwd: folder, env: { PATH: '/usr/bin:/bin' } }).ended;

/** The JSON document of a run, held against the schema. */
async function record(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await edit(...args, '--format', 'json');
  const document = JSON.parse(stdout) as Record<string, unknown>;
  expect(validate(document), JSON.stringify(validate.errors)).toBe(true);
  return document;
}

const old = sha('0');
const now = sha('a');
/** One folder with every kind of target; `⟦…|…⟧` is what stands there before and after. */
const repository: Readonly<Record<string, string>> = {
  'kustomization.yaml': `images: # ours\r\n- {name: web, newName: ghcr.io/x/web, newTag: "⟦1.0.0|1.1.0⟧", digest: ⟦${old}|${now}⟧ }\r\n`,
  'component/kustomization.yaml': `kind: Component\nimages:\n    - name: ghcr.io/x/web\n      newTag: ⟦v1@${old}|1.1.0@${now}⟧  # pinned`,
  'release.yaml': `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec:\n  values:\n    image:\n        registry: ghcr.io\n        repository: x/web\n        tag: '⟦1.0.0|1.1.0⟧'\n        digest: "⟦${old}|${now}⟧"\n    sidecars: [{image: ghcr.io/x/web:⟦1.0.0|1.1.0@${now}⟧}]\n`,
  'values.yaml': `web:\n  image: "ghcr.io/x/web:⟦1.0.0@${old}|1.1.0@${now}⟧"   # keep\n`,
  'marked.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  web: ghcr.io/x/web:⟦1.0.0|1.1.0@${now}⟧ # {"$imagepolicy": "flux-system:web"}\n`,
  'source.yaml': `apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: s}\nspec:\n  url: oci://ghcr.io/x/web\n  ref: {tag: ⟦1.0.0|1.1.0⟧, digest: ⟦${old}|${now}⟧}\n`,
  'cronjob.yaml': `apiVersion: v1\nkind: List\nitems:\n- kind: CronJob\n  spec: {jobTemplate: {spec: {template: {spec: {initContainers: [{name: i, image: ghcr.io/x/web:⟦1.0.0|1.1.0@${now}⟧}]}}}}}\n`,
  'other.yaml':
    'kind: Pod\nspec:\n  containers:\n  - image: ghcr.io/x/web-admin:1.0.0\n  - image: ghcr.io/y/web:1.0.0\n',
};
const texts = (side: 0 | 1): Record<string, string> =>
  Object.fromEntries(
    Object.entries(repository).map(([path, text]) => [
      path,
      text.replace(/⟦([^|⟧]*)\|([^⟧]*)⟧/g, (...match: string[]) => match[side + 1]!),
    ]),
  );

test('every kind of target in one folder, byte for byte, and again', async () => {
  for (const [path, text] of Object.entries(texts(0))) await write(path, text);
  const image = `ghcr.io/x/web:1.1.0@${now}`;
  const planned = await record('.', '--image', image, '--dry-run');
  for (const [path, text] of Object.entries(texts(0))) expect(await read(path)).toBe(text);
  const changed = Object.keys(repository).filter((path) => path !== 'other.yaml');
  const done = await record('.', '--image', image);
  expect(done).toMatchObject({ command: 'edit', outcome: 'changed', files: changed.toSorted() });
  expect(planned).toMatchObject({ outcome: 'changed', files: done['files'], targets: done['targets'] });
  for (const [path, text] of Object.entries(texts(1))) expect([path, await read(path)]).toEqual([path, text]);
  expect(await record('.', '--image', image)).toMatchObject({ outcome: 'unchanged', files: [], targets: [] });
});

test('the diff is one that git applies', async () => {
  for (const [path, text] of Object.entries(texts(0))) await write(path, text);
  const { stdout, code } = await edit('.', '--image', `ghcr.io/x/web:1.1.0@${now}`, '--dry-run');
  expect(code).toBe(0);
  await write('change.diff', stdout);
  const { execFileSync } = await import('node:child_process');
  execFileSync('git', ['apply', '--unsafe-paths', 'change.diff'], { cwd: folder });
  for (const [path, text] of Object.entries(texts(1))) expect([path, await read(path)]).toEqual([path, text]);
});

describe('bad input: one clear fault, its exit code, and nothing is written', () => {
  const bomb = Array.from(
    { length: 12 },
    (_, level) =>
      `a${level}: &a${level} [${
        level === 0
          ? 'x, x'
          : Array(10)
              .fill(`*a${level - 1}`)
              .join(', ')
      }]`,
  );
  const cases: readonly (readonly [string, string | Uint8Array, string, number, RegExp])[] = [
    ['50 MB', Buffer.alloc(50 * 1024 * 1024, 'image: web:1\n'), 'too_large', 2, /at most 10 MiB/],
    [
      '5,000 levels',
      `image: web:1\na: ${'['.repeat(5000)}${']'.repeat(5000)}\n`,
      'too_large',
      2,
      /bad\.yaml:2:\d+: nesting/,
    ],
    [
      'a duplicate key',
      'image: web:1\nm:\n  a: 1\n  a: 2\n',
      'manifest_unparsable',
      2,
      /bad\.yaml:4:3: the key "a" stands twice/,
    ],
    [
      'no UTF-8',
      Buffer.from('image: web:1\nn: caf\xe9\n', 'latin1'),
      'manifest_unparsable',
      2,
      /bad\.yaml:2:7: .*UTF-8/,
    ],
    ['UTF-16', Buffer.from('\uFEFFimage: web:1\n', 'utf16le'), 'manifest_unparsable', 2, /UTF-16/],
    ['a NUL byte', 'image: web:1\n\0', 'manifest_unparsable', 2, /bad\.yaml:2:1: /],
    ['a tab for indentation', 'image: web:1\n\ta: b\n', 'manifest_unparsable', 2, /bad\.yaml:2:1: /],
    ['a list that does not end', 'image: web:1\na: [\n', 'manifest_unparsable', 2, /bad\.yaml:\d+:\d+: /],
    ['a block scalar', 'image: |\n  web:1\n', 'edit_refused', 3, /bad\.yaml:1:8: image: .*block scalar/],
    ['a tag', 'image: !x web:1\n', 'edit_refused', 3, /bad\.yaml:1:11: image: .*!x/],
    ['a shared anchor', 'image: &i web:1\nname: *i\n', 'edit_refused', 3, /bad\.yaml:1:\d+: image: .*2:7/],
    ['SOPS', 'image: web:1\nsops: {mac: x, version: 3}\n', 'encrypted', 3, /bad\.yaml: .*SOPS/],
    ['a template that holds it twice', 'image: web:1\n{{ if }}\nother: web:1\n', 'edit_refused', 3, /2 times/],
  ];
  test.each(cases)('%s', async (_, content, code, exit, message) => {
    await write('bad.yaml', content);
    await write('good.yaml', 'image: web:1\n');
    for (const args of [['bad.yaml'], ['good.yaml', 'bad.yaml']]) {
      const ended = await edit(...args, '--image', 'web:2', '--format', 'json');
      const document = JSON.parse(ended.stdout) as { readonly fault: { readonly message: string } };
      expect(validate(document), JSON.stringify(validate.errors)).toBe(true);
      expect([ended.code, document.fault]).toMatchObject([exit, { code }]);
      expect(document.fault.message).toMatch(message);
    }
    expect((await readFile(join(folder, 'bad.yaml'))).equals(Buffer.from(content))).toBe(true);
    expect(await read('good.yaml')).toBe('image: web:1\n');
    expect((await readdir(folder)).toSorted()).toEqual(['bad.yaml', 'good.yaml']);
  });

  test('an alias bomb is no burden', async () => {
    await write('bomb.yaml', `${bomb.join('\n')}\nimage: web:1\n`);
    expect((await edit('bomb.yaml', '--image', 'web:2')).code).toBe(0);
    expect(await read('bomb.yaml')).toBe(`${bomb.join('\n')}\nimage: web:2\n`);
  });

  test.each([
    [['none.yaml', '--image', 'web:2'], 'file_missing', /none\.yaml/],
    [['a.yaml', '--image', 'web:a b'], 'image_reference', /character 6/],
    [['a.yaml', '--image', 'web:a\nb'], 'image_reference', /character 6/],
    [['a.yaml', '--image', 'Web:1'], 'image_reference', /character 1.*lower case/],
    [['a.yaml', '--image', 'web'], 'image_reference', /tag or a digest/],
    [['a.yaml', '--image', `web@${old.slice(0, 20)}`], 'image_reference', /character 5/],
    [['a.yaml', '--set', 'x'], 'usage', /PATH=VALUE/],
    [['a.yaml', '--set', 'a..b=1'], 'usage', /character 3/],
    [['a.yaml', '--setter', 'web=1'], 'usage', /character 4: the name of the policy is missing/],
    [['a.yaml', '--set', '/a~b=1'], 'usage', /character 3: in a JSON Pointer/],
    [['a.yaml', '--image', 'web:2', '--document', 'Pod'], 'usage', /Kind\/name/],
    [['a.yaml', '--image', 'quay.io/shop/web:2'], 'target_missing', /no target holds the image quay\.io\/shop\/web/],
    [['a.yaml', '--set', 'nope=1'], 'target_missing', /"nope" leads nowhere/],
    [['a.yaml'], 'usage', /nothing to change/],
  ] as const)('%j', async (args, code, message) => {
    await write('a.yaml', 'image: shop/web:1\n');
    const { exit: _, ...document } = await record(...args);
    expect(document).toMatchObject({ fault: { code, message: expect.stringMatching(message) } });
    expect(await read('a.yaml')).toBe('image: shop/web:1\n');
  });
});

test('a link that is named stays one, and a link in a folder that leads out of it is not followed', async () => {
  await write('inside/a.yaml', 'image: web:1\n');
  await write('outside.yaml', 'image: web:1\n');
  await symlink('../outside.yaml', join(folder, 'inside/link.yaml'));
  expect((await edit('inside', '--image', 'web:2')).stdout).toBe('inside/a.yaml\n');
  expect(await read('outside.yaml')).toBe('image: web:1\n');
  expect((await edit('inside/link.yaml', '--image', 'web:2')).stdout).toBe('inside/link.yaml\n');
  expect(await read('outside.yaml')).toBe('image: web:2\n');
  expect(
    (await readdir(join(folder, 'inside'), { withFileTypes: true })).map((entry) => entry.isSymbolicLink()),
  ).toEqual([false, true]);
});
