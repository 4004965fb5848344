import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { localFiles } from '../../src/systems/files-local.ts';

const module = join(import.meta.dirname, '..', '..', 'src', 'systems', 'files-local.ts');

test('where no temporary folder can be made, TMPDIR is named', async () => {
  const making = localFiles('.', '/nonexistent').temporary('x-');
  await expect(making).rejects.toMatchObject({ code: 'file_unreadable', hint: expect.stringContaining('TMPDIR') });
});

test('a process that ends in the middle leaves no temporary folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  try {
    const script = `
      import { writeFileSync } from 'node:fs';
      import { localFiles } from ${JSON.stringify(module)};
      const place = await localFiles('.', ${JSON.stringify(folder)}).temporary('credentials-');
      writeFileSync(place.path + '/config.json', '{}');
      console.log(place.path);
      process.exit(3);
    `;
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const ended = (await run.catch((error: unknown) => error)) as { readonly code: number; readonly stdout: string };
    expect([ended.code, ended.stdout]).toEqual([3, expect.stringContaining('credentials-')]);
    expect(await readdir(folder)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

test('a folder is listed without what links lead to: out of it, above it, or round in circles', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  try {
    for (const path of ['in/a/.git', 'in/b', 'out']) await mkdir(join(folder, path), { recursive: true });
    for (const path of ['in/a/1.yaml', 'in/a/.git/2.yaml', 'in/3.yaml', 'out/4.yaml']) {
      await writeFile(join(folder, path), '');
    }
    const links = {
      'in/out': '../out',
      'in/up': '..',
      'in/b/round': '.',
      'in/5.yaml': '../out/4.yaml',
      'in/6': 'none',
    };
    for (const [path, target] of Object.entries(links)) await symlink(target, join(folder, path));
    await symlink('in', join(folder, 'named'));
    const files = localFiles(folder, folder);
    expect(await files.list('in')).toEqual(['in/3.yaml', 'in/a/1.yaml']);
    expect(await files.list('./named/')).toEqual(['named/3.yaml', 'named/a/1.yaml']);
    expect([await files.list('in/3.yaml'), await files.list('none'), await files.list('in/3.yaml/x')]).toEqual([
      null,
      null,
      null,
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

test('a path below a file is a fault, and leaves nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  try {
    await writeFile(join(folder, 'file'), '');
    const files = localFiles(folder, folder);
    await expect(files.write('file/result.json', '{}')).rejects.toMatchObject({ code: 'file_unreadable' });
    expect(await readdir(folder)).toEqual(['file']);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

test('what a killed run has staged goes with the next file written there; what another run stages now stays', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  try {
    const left = '.sluice-00000000-0000-4000-8000-000000000000';
    const now = '.sluice-11111111-1111-4111-8111-111111111111';
    for (const name of [left, now, '.sluice-notes']) await writeFile(join(folder, name), 'x');
    const hourAgo = Date.now() / 1000 - 3600;
    for (const name of [left, '.sluice-notes']) await utimes(join(folder, name), hourAgo, hourAgo);
    await localFiles(folder, folder).write('a.yaml', 'a: 1\n');
    expect((await readdir(folder)).sort()).toEqual([now, '.sluice-notes', 'a.yaml']);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

test('a pipe is neither a file nor a folder: who waited for its content would wait for ever', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  try {
    await promisify(execFile)('mkfifo', [join(folder, 'pipe.yaml')]);
    await expect(localFiles(folder, folder).list('pipe.yaml')).rejects.toMatchObject({ code: 'file_unreadable' });
    expect(await localFiles(folder, folder).list('none')).toBeNull();
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});
