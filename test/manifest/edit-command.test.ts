import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { editCommand } from '../../runner/commands/edit.ts';
import { Fault } from '../../src/fault.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { localFiles } from '../../src/systems/files-local.ts';
import { runCommand } from '../doubles/run-command.ts';

const clock = systemClock();
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-edit-'));
  await write('a/kustomization.yaml', 'images:\r\n- name: x/app # c\r\n  newTag: v1');
  await write('a/deep/pod.yml', 'kind: Pod\nspec: {containers: [{image: x/app:v1}]}\n');
  await write('a/notes.txt', 'image: x/app:v1\n');
  await write('b.yaml', 'v: one\nl: [a, b]\n');
});
afterEach(() => rm(folder, { recursive: true }));

async function write(path: string, text: string | Uint8Array): Promise<void> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), text);
}
const read = (path: string): Promise<string> => readFile(join(folder, path), 'utf8');
const edit = (...args: string[]): ReturnType<typeof runCommand> =>
  runCommand(editCommand, args, { env: {}, folder, clock });
const refused = (...args: string[]): Promise<unknown> =>
  edit(...args).then(
    () => 'done',
    (error: unknown) => (error instanceof Fault ? [error.code, error.exit] : error),
  );

test('a folder is all YAML files below; the changed ones are printed', async () => {
  const result = await edit('a', '--image', 'x/app:v2');
  expect(result).toMatchObject({
    text: 'a/deep/pod.yml\na/kustomization.yaml\n',
    exit: 0,
    record: { outcome: 'changed', files: ['a/deep/pod.yml', 'a/kustomization.yaml'] },
  });
  expect(await read('a/kustomization.yaml')).toBe('images:\r\n- name: x/app # c\r\n  newTag: v2');
  expect(await read('a/deep/pod.yml')).toBe('kind: Pod\nspec: {containers: [{image: x/app:v2}]}\n');
  expect(await read('a/notes.txt')).toBe('image: x/app:v1\n');
  const again = await edit('a', '--image', 'x/app:v2');
  expect(again).toMatchObject({ text: '', exit: 0, record: { outcome: 'unchanged', files: [] } });
});

test('--dry-run prints the diff and writes nothing', async () => {
  const result = await edit('b.yaml', '--set', 'v=two', '--set', '/l/0=c', '--dry-run');
  expect(result.text).toBe('--- a/b.yaml\n+++ b/b.yaml\n@@ -1,2 +1,2 @@\n-v: one\n-l: [a, b]\n+v: two\n+l: [c, b]\n');
  expect(result.record).toMatchObject({ outcome: 'changed', diff: result.text });
  expect(await read('b.yaml')).toBe('v: one\nl: [a, b]\n');
});

test('a path in a folder, by a list index', async () => {
  expect((await edit('.', '--set', 'l.1=c')).text).toBe('b.yaml\n');
  expect(await read('b.yaml')).toBe('v: one\nl: [a, c]\n');
});

test('the mode of a file is kept, and no temporary file is left', async () => {
  await chmod(join(folder, 'b.yaml'), 0o640);
  await edit('b.yaml', '--set', 'v=two');
  expect((await stat(join(folder, 'b.yaml'))).mode & 0o777).toBe(0o640);
  expect((await readdir(folder)).toSorted()).toEqual(['a', 'b.yaml']);
});

describe('nothing is written if any file fails', () => {
  test.each([
    ['a broken file', 'a: [', ['manifest_unparsable', 2]],
    ['a duplicate key', 'v: x/app\nv: 2\n', ['manifest_unparsable', 2]],
    ['not UTF-8', new Uint8Array([0x76, 0x3a, 0x20, 0xff]), ['manifest_unparsable', 2]],
    ['an encrypted file', 'v: x/app:1\nsops: {mac: x, version: 3}\n', ['encrypted', 3]],
    ['a block scalar', 'v: |\n  x/app:v1\n', ['edit_refused', 3]],
  ])('%s', async (_, text, fault) => {
    await write('bad.yaml', text);
    expect(await refused('b.yaml', 'bad.yaml', '--set', 'v=two')).toEqual(fault);
    expect(await read('b.yaml')).toBe('v: one\nl: [a, b]\n');
  });

  test.each(['written', 'put in its place'] as const)('a file that cannot be %s: all are as before', async (when) => {
    const files = localFiles(folder, tmpdir());
    const full = () => Promise.reject(new Fault('file_unreadable', 'disk full'));
    const failing: typeof files = {
      ...files,
      stage: async (path, content) => {
        if (path !== 'b.yaml') return files.stage(path, content);
        return when === 'written' ? full() : { ...(await files.stage(path, content)), commit: full };
      },
    };
    await write('b.yaml', 'image: x/app:v1\n');
    const before = await readdir(folder, { recursive: true });
    const run = runCommand(editCommand, ['a', 'b.yaml', '--image', 'x/app:v2'], {
      env: {},
      folder,
      clock,
      systems: { files: failing },
    });
    await expect(run).rejects.toMatchObject({ code: 'file_unreadable', exit: 2 });
    expect(await read('a/kustomization.yaml')).toContain('newTag: v1');
    expect(await read('a/deep/pod.yml')).toContain('x/app:v1');
    expect(await readdir(folder, { recursive: true })).toEqual(before);
  });

  test('canceled, or out of time, between two files', async () => {
    for (let index = 0; index < 60; index += 1) await write(`many/${index}.yaml`, 'image: x/app:v1\n');
    const args = ['many', '--image', 'x/app:v2'];
    const stop = AbortSignal.abort(new Fault('terminated', 'canceled (SIGTERM)'));
    let passed = clock.now();
    const slow = { ...clock, now: () => (passed += 100) };
    const canceled = runCommand(editCommand, args, { env: {}, folder, clock: slow, signal: stop });
    await expect(canceled).rejects.toMatchObject({ code: 'terminated', exit: 143 });
    const late = runCommand(editCommand, [...args, '--timeout', '2s'], { env: {}, folder, clock: slow });
    await expect(late).rejects.toMatchObject({ code: 'timed_out', exit: 5 });
    expect(await read('many/0.yaml')).toBe('image: x/app:v1\n');
  });
});

describe('usage', () => {
  test.each([
    [['b.yaml'], ['usage', 2]],
    [
      ['b.yaml', '--image', 'x/App:1'],
      ['image_reference', 2],
    ],
    [
      ['b.yaml', '--image', 'x/none:1'],
      ['target_missing', 2],
    ],
    [
      ['b.yaml', '--set', 'nope=1'],
      ['target_missing', 2],
    ],
    [
      ['a', '--set', 'nope=1'],
      ['target_missing', 2],
    ],
    [
      ['b.yaml', '--set', 'a..b=1'],
      ['usage', 2],
    ],
    [
      ['b.yaml', '--set', 'v'],
      ['usage', 2],
    ],
    [
      ['b.yaml', '--setter', 'x=1'],
      ['usage', 2],
    ],
    [
      ['none.yaml', '--set', 'v=1'],
      ['file_missing', 2],
    ],
    [
      ['empty', '--set', 'v=1'],
      ['file_missing', 2],
    ],
  ])('%j', async (args, fault) => {
    await mkdir(join(folder, 'empty'));
    expect(await refused(...args)).toEqual(fault);
  });
});

test('the environment’s variable, and a document', async () => {
  await write('c.yaml', 'v: 1\n---\nv: 2\n');
  const result = await runCommand(editCommand, ['c.yaml'], {
    env: { SLUICE_SET: 'v=3', SLUICE_DOCUMENT: '1' },
    folder,
    clock,
  });
  expect(result.exit).toBe(0);
  expect(await read('c.yaml')).toBe('v: 1\n---\nv: 3\n');
});

test('--set passes over files of a folder that no path leads into, and fails where there is nothing else', async () => {
  await write('s/template.yaml', 'v: {{ .Values.v }}\n');
  await write('s/broken.yaml', 'v: [\n');
  await write('s/secret.yaml', 'v: x\nsops: {mac: x, version: 3}\n');
  expect(await refused('s', '--set', 'v=two')).toEqual(['manifest_unparsable', 2]);
  await rm(join(folder, 's/broken.yaml'));
  expect(await refused('s', '--set', 'v=two')).toEqual(['encrypted', 3]);
  await write('s/good.yaml', 'v: one\n');
  const result = await edit('s', '--set', 'v=two');
  expect(result).toMatchObject({
    text: 's/good.yaml\n',
    record: { notTaken: [{ reason: 'encrypted' }, { reason: 'template' }] },
  });
  expect(await refused('s', 's/secret.yaml', '--set', 'v=three')).toEqual(['encrypted', 3]);
});

test('--document: files of a folder without that document are passed over', async () => {
  const pod = (name: string): string =>
    `kind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{image: x/app:v1}]}\n`;
  await write('p/one.yaml', `${pod('a')}---\n${pod('b')}`);
  await write('p/two.yaml', pod('a'));
  await edit('p', '--document', 'Pod/b', '--set', 'spec.containers[0].image=z');
  await edit('p', '--document', '1', '--image', 'x/app:v2').catch(() => undefined);
  expect(await read('p/one.yaml')).toBe(`${pod('a')}---\n${pod('b').replace('x/app:v1', 'z')}`);
  expect(await read('p/two.yaml')).toBe(pod('a'));
  await edit('p', '--document', 'Pod/a', '--image', 'x/app:v2');
  expect(await read('p/two.yaml')).toBe(pod('a').replace('v1', 'v2'));
  expect(await refused('p', '--document', 'Pod/c', '--set', 'spec.containers[0].image=z')).toEqual([
    'target_missing',
    2,
  ]);
  expect(await refused('p', '--document', '7', '--image', 'x/app:v3')).toEqual(['target_missing', 2]);
  expect(await refused('p', '--document', 'Pod', '--image', 'x/app:v3')).toEqual(['usage', 2]);
});

test('a link that is named stays a link, and its file is changed once', async () => {
  await symlink('b.yaml', join(folder, 'link.yaml'));
  await edit('link.yaml', './b.yaml', 'b.yaml', '--set', 'v=two');
  expect((await lstat(join(folder, 'link.yaml'))).isSymbolicLink()).toBe(true);
  expect(await read('b.yaml')).toBe('v: two\nl: [a, b]\n');
  expect((await edit('./b.yaml', 'b.yaml', '.', '--set', 'v=three')).text).toBe('b.yaml\n');
});

test('a file named Kustomization is found in a folder', async () => {
  await write('k/Kustomization', 'images:\n- name: x/app\n  newTag: v1\n');
  await write('Kustomization', 'images:\n- name: x/app\n  newTag: v1\n');
  expect((await edit('.', '--image', 'x/app:v2')).text).toBe(
    'Kustomization\na/deep/pod.yml\na/kustomization.yaml\nk/Kustomization\n',
  );
});

test('a link in a folder is not followed', async () => {
  await symlink(join(folder, 'b.yaml'), join(folder, 'a/link.yaml'));
  expect(await refused('a', '--set', 'v=two')).toEqual(['target_missing', 2]);
});
