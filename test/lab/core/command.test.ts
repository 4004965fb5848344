import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { binaryPath, isBuilt } from '../../../scripts/binaries.mjs';
import { wrongVersion } from '../../../scripts/binary-version.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-lab-command-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs scripts/lab.ts as `npm run lab` does. */
async function lab(args: readonly string[], env: Readonly<Record<string, string>>) {
  const script = join(import.meta.dirname, '..', '..', '..', 'scripts', 'lab.ts');
  const child = spawn(process.execPath, [script, ...args], { env: { HOME: folder, ...env } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += String(data)));
  child.stderr.on('data', (data) => (stderr += String(data)));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

/** A folder with a `go` that says it is of this version. */
function fakeGo(version: string): string {
  const bin = join(folder, version);
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'go'), `#!/bin/sh\necho ${version}\n`);
  chmodSync(join(bin, 'go'), 0o755);
  return bin;
}

describe('npm run lab', () => {
  test('no Go: says what for and where to get it', async () => {
    const { code, stderr } = await lab([], { PATH: folder });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: Go is missing\. .*https:\/\/go\.dev\/dl\//);
  });

  test('Go too old', async () => {
    const { code, stderr } = await lab([], { PATH: `${fakeGo('go1.25.9')}:/usr/bin:/bin` });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: Go go1\.25\.9 is too old/);
  });

  test('no time: lists what was not run, and fails without the core tier', async () => {
    const { code, stdout } = await lab(['--budget', '0'], { PATH: process.env['PATH'] ?? '' });
    expect(code).toBe(1);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('0 passed, 1 failed');
  });

  test.each([
    ['--tier', 'none'],
    ['--budget', 'soon'],
    ['--what', 'x'],
  ])('%s %s is refused', async (...args) => {
    const { code, stderr } = await lab(args, { PATH: process.env['PATH'] ?? '' });
    expect(code).toBe(2);
    expect(stderr).toContain('error: ');
  });

  test('a binary of another version, or none at all, is told from the one that is wanted', () => {
    expect(wrongVersion('etcd')).toBeNull();
    expect(wrongVersion('etcd', binaryPath('oras'))).toMatch(
      /^it holds go\.etcd\.io\/etcd\/server\/v3 not at all instead of v3\./,
    );
    expect(wrongVersion('etcd', join(folder, 'absent'))).toBe('it is no Go program, or damaged');
  });

  test('a cache half written does not count as built', () => {
    const env = { XDG_CACHE_HOME: folder };
    const path = binaryPath('oras', env);
    mkdirSync(dirname(path), { recursive: true });
    expect(isBuilt('oras', env)).toBe(false);
    copyFileSync(process.execPath, path);
    writeFileSync(join(dirname(path), 'size'), '1000');
    truncateSync(path, 1000);
    expect(isBuilt('oras', env)).toBe(true);
    truncateSync(path, 999);
    expect(isBuilt('oras', env)).toBe(false);
  });
});
