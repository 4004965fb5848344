import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { localFiles } from '../../src/systems/files-local.ts';

const module = join(import.meta.dirname, '..', '..', 'src', 'systems', 'files-local.ts');

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
