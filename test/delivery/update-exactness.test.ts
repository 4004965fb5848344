import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { faultOf, overlay, type UpdateWorld, updateWorld } from './update-world.ts';

/** What stands in the commit, seen with git alone. */

const FILE = 'apps/web/staging/kustomization.yaml';
let w: UpdateWorld;
beforeEach(async () => {
  w = await updateWorld();
});
afterEach(() => w[Symbol.asyncDispose]());
const git = (...args: readonly string[]) => w.git.git('shop/delivery.git', args);

test.each<[string, string]>([
  ['CRLF', overlay('1.0.0').replaceAll('\n', '\r\n')],
  ['a byte order mark', `\uFEFF${overlay('1.0.0')}`],
  ['no final newline', overlay('1.0.0').trimEnd()],
  [
    'blanks at line ends and tabs in comments',
    overlay('1.0.0').replace('# kept', '#\tkept \t').replace('images:', 'images: '),
  ],
])('%s stays, the mode too, and the same change again is no commit', async (_, text) => {
  const before = await w.git.commit('shop/delivery.git', { [FILE]: text }, { mode: '100755' });
  expect(await w.update()).toMatchObject({ exit: 0, record: { outcome: 'pushed' } });
  const sizes = await git('cat-file', '-s', `main:${FILE}`);
  expect(Number(sizes)).toBe(Buffer.byteLength(text));
  const raw = await w.git.processes.run('git', ['show', `main:${FILE}`], {
    cwd: join(w.git.path, 'shop/delivery.git'),
  });
  expect(Buffer.from(raw.stdout).equals(Buffer.from(text.replace('1.0.0', '1.1.0')))).toBe(true);
  const [line, ...others] = (await git('diff', '--raw', before, 'main')).split('\n');
  expect(others).toEqual([]);
  expect(line).toMatch(/^:100755 100755 .* M\tapps\/web\/staging\/kustomization\.yaml$/);
  const tip = await w.tip();
  expect(await w.update()).toMatchObject({ exit: 0, record: { outcome: 'unchanged', delivery: { sha: tip } } });
  expect(await w.tip()).toBe(tip);
});

test.each<[string, string]>([
  ['LF', overlay('1.0.0')],
  ['CRLF without final newline', overlay('1.0.0').replaceAll('\n', '\r\n').trimEnd()],
])('git applies what --dry-run prints (%s): the same tree as the push makes', async (_, text) => {
  const before = await w.git.commit('shop/delivery.git', { [FILE]: text });
  const { text: diff } = await w.update({
    args: ['--dry-run', '--environment', 'staging', '--environment', 'production'],
  });
  expect(await w.tip()).toBe(before);
  await writeFile(join(w.folder, 'change.diff'), diff);
  await git('read-tree', before);
  await git('apply', '--cached', join(w.folder, 'change.diff'));
  const applied = await git('write-tree');
  await w.update({ args: ['--environment', 'staging', '--environment', 'production'] });
  expect(await git('rev-parse', 'main^{tree}')).toBe(applied);
});

test('git reads the trailers, and hostile names stay in their place', async () => {
  await w.update({ env: { CI_COMMIT_REF_NAME: 'x\n\nSluice-App: evil\r\nSluice-Source-Pipeline: 999 [skip ci]' } });
  const message = await git('log', '-1', '--format=%B');
  const answer = await w.git.git('.', ['interpret-trailers', '--parse'], message);
  const keys = answer.split('\n').map((line) => line.slice(0, line.indexOf(':')));
  expect(keys).toEqual([
    'Sluice-App',
    'Sluice-Environment',
    'Sluice-Image',
    'Sluice-Source-Project',
    'Sluice-Source-Commit',
    'Sluice-Source-Ref',
    'Sluice-Source-Pipeline',
  ]);
  expect(answer).toContain('Sluice-App: web\n');
  expect(answer).toContain('Sluice-Source-Pipeline: 10');
  expect(message).not.toContain('[skip ci]');
});

test.each([
  ['CI_PROJECT_PATH', 'shop/web\nSluice-App: api'],
  ['CI_COMMIT_SHA', `${'a'.repeat(40)}\n`],
  ['CI_PIPELINE_ID', '1\n2'],
])('a claim that cannot be true is refused: %s', async (name, value) => {
  expect(await faultOf(w.update({ env: { [name]: value } }))).toMatchObject({ code: 'usage', exit: 2 });
  expect(await w.tip()).toBe(w.first);
});

test('the record fits its schema, in every outcome', async () => {
  const schema = JSON.parse(
    await readFile(join(import.meta.dirname, '..', '..', 'schema', 'update.schema.json'), 'utf8'),
  ) as object;
  const validate = new Ajv({ strict: false }).compile(schema);
  const runs = [{ args: ['--dry-run'] }, {}, {}, { pipeline: 9, image: 'web=:0.9.0' }];
  const outcomes: string[] = [];
  for (const run of runs) {
    const { record } = await w.update(run);
    outcomes.push(record.outcome);
    expect(validate({ command: 'update', durations: { total: 1 }, ...record }), JSON.stringify(validate.errors)).toBe(
      true,
    );
  }
  expect(outcomes).toEqual(['planned', 'pushed', 'unchanged', 'superseded']);
});

test('an environment’s own values file in a chart that all share: the tag there changes, what all read stays', async () => {
  const release = (file: string): string =>
    'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web}\nspec:\n  chart:\n    spec:\n' +
    `      chart: ./charts/web\n      sourceRef: {kind: GitRepository, name: flux-system}\n      valuesFiles: [./charts/web/values.yaml, ./charts/web/${file}]\n`;
  const before = await w.git.commit('shop/delivery.git', {
    'apps/web/staging/kustomization.yaml': 'resources: [release.yaml]\n',
    'apps/web/staging/release.yaml': release('values-staging.yaml'),
    'apps/web/production/kustomization.yaml': 'resources: [release.yaml]\n',
    'apps/web/production/release.yaml': release('values-production.yaml'),
    'charts/web/values.yaml': 'image: {repository: x/web, tag: 1.0.0}\n',
    'charts/web/values-staging.yaml': 'image:\n  tag: 1.0.0 # ours\n',
    'charts/web/values-production.yaml': 'image:\n  tag: 1.0.0\n',
    'charts/web/templates/x.yaml': 'image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"\n',
  });
  expect(await w.update({ image: 'x/web:1.1.0', args: ['--environment', 'staging'] })).toMatchObject({ exit: 0 });
  expect(await git('diff', '--name-only', before, 'main')).toBe('charts/web/values-staging.yaml');
  expect(await git('show', 'main:charts/web/values-staging.yaml')).toBe('image:\n  tag: 1.1.0 # ours');
});
