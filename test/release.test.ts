import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stampedFiles, stampRelease, stampVersion } from '../scripts/release.ts';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

test('everything that names the release names the version of package.json', async () => {
  const files = await stampedFiles(root);
  for (const file of ['Dockerfile', 'README.md', 'templates/update.yml', 'examples/app/.gitlab-ci.yml'])
    expect(files).toContain(file);
  for (const file of files) {
    const text = await readFile(join(root, file), 'utf8');
    expect(text === stampVersion(text, version), `${file} names another release`).toBe(true);
  }
});

test.each(['update', 'publish', 'sync', 'deliver'])('%s: the default image is the released one', async (name) => {
  const text = await readFile(join(root, 'templates', `${name}.yml`), 'utf8');
  expect(text).toContain(`      default: registry.gitlab.com/sluice/sluice:${version}\n`);
});

test('a stamp changes references to our components and image, and nothing else', () => {
  const text = [
    '- component: $CI_SERVER_FQDN/sluice/sluice/update@0.1.0',
    'default: registry.gitlab.com/sluice/sluice:0.1.0-rc.1',
    'image: registry.example.com/shop/podinfo:0.1.0',
    'ARG VERSION=0.1.0',
  ].join('\n');
  expect(stampVersion(text, '1.2.3').split('\n')).toEqual([
    '- component: $CI_SERVER_FQDN/sluice/sluice/update@1.2.3',
    'default: registry.gitlab.com/sluice/sluice:1.2.3',
    'image: registry.example.com/shop/podinfo:0.1.0',
    'ARG VERSION=1.2.3',
  ]);
});

test('a release: the changeset moves the version, becomes a line of CHANGELOG.md, and all is stamped', async () => {
  for (const name of ['package.json', 'CHANGELOG.md', '.changeset', 'templates', 'examples', 'README.md', 'Dockerfile'])
    await cp(join(root, name), join(folder, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, '.changeset', 'one.md'), '---\n"sluice": minor\n---\n\nA thing that users notice.\n');
  await run('git', ['init', '-q', '-b', 'main'], { cwd: folder });
  await run(join(root, 'node_modules', '.bin', 'changeset'), ['version'], { cwd: folder });
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  const next = (JSON.parse(await read('package.json')) as { version: string }).version;
  const [major, minor] = version.split('.').map(Number);
  expect(next).toBe(`${major}.${minor! + 1}.0`);
  expect(await read('CHANGELOG.md')).toMatch(
    new RegExp(
      `^# sluice\\n\\n## ${next}\\n\\n### Minor Changes\\n\\n- .*A thing that users notice\\.\\n[^]*## ${version}\\n`,
    ),
  );
  expect(await stampRelease(folder)).toEqual(expect.arrayContaining(['Dockerfile', 'templates/publish.yml']));
  expect(await read('templates/deliver.yml')).toContain(`sluice/sluice:${next}`);
  expect(await read('examples/delivery/.gitlab-ci.yml')).toContain(`/deliver@${next}`);
  expect(await stampRelease(folder)).toEqual([]);
});

test('CHANGELOG.md speaks of the version of package.json', async () => {
  expect(await readFile(join(root, 'CHANGELOG.md'), 'utf8')).toContain(`\n## ${version}\n`);
});
