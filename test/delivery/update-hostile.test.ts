import { spawn } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { faultOf, overlay, type Run, type UpdateWorld, updateWorld } from './update-world.ts';

/** Input that would break a careless program; each leaves the remote as it was. */

const main = join(import.meta.dirname, '..', '..', 'runner', 'main.ts');

let w: UpdateWorld;
beforeEach(async () => {
  w = await updateWorld();
});
afterEach(() => w[Symbol.asyncDispose]());

/** Commits a manifest that staging reaches. */
async function reached(text: string): Promise<string> {
  return w.git.commit('shop/delivery.git', {
    'apps/web/staging/kustomization.yaml': 'resources: [../base, more.yaml]\n',
    'apps/web/staging/more.yaml': text,
  });
}
const more: Run = { image: '', args: ['--set', 'staging/more.yaml:/spec/image=web:2'] };

/** Nine levels of ten: a thousand million values, were they expanded. */
const bomb = [
  'l0: &l0 [x, x, x, x, x, x, x, x, x, x]',
  ...Array.from(
    { length: 9 },
    (_, level) => `l${level + 1}: &l${level + 1} [${Array(10).fill(`*l${level}`).join(', ')}]`,
  ),
  'spec:',
  '  image: web:1',
  '',
].join('\n');

describe('manifests', () => {
  test.each<[string, () => string, string, number]>([
    [
      '50 MB of YAML',
      () => `spec:\n  image: web:1\ntext:\n${`  - ${'x'.repeat(95)}\n`.repeat(520_000)}`,
      'too_large',
      2,
    ],
    [
      '5000 levels of nesting',
      () => `spec:\n  image: web:1\nd: ${'['.repeat(5000)}${']'.repeat(5000)}\n`,
      'too_large',
      2,
    ],
    ['text that cannot be parsed', () => 'spec:\n  image: "web:1\n', 'manifest_unparsable', 2],
    ['a duplicate key', () => 'spec:\n  image: web:1\n  image: web:0\n', 'manifest_unparsable', 2],
    ['a value in an alias that others use', () => 'base: &i web:1\nspec:\n  image: *i\nother: *i\n', 'edit_refused', 3],
    [
      'an encrypted file',
      () => 'spec:\n  image: web:1\nsops:\n  mac: ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]\n  version: 3.9.0\n',
      'encrypted',
      3,
    ],
  ])(
    '%s',
    async (_, text, code, exit) => {
      const tip = await reached(text());
      expect(await faultOf(w.update(more))).toMatchObject({ code, exit });
      expect(await w.tip()).toBe(tip);
    },
    120_000,
  );

  test('an alias bomb is edited like any other file', async () => {
    await reached(bomb);
    expect(await w.update(more)).toMatchObject({ exit: 0, record: { outcome: 'pushed' } });
    const text = await w.git.show('shop/delivery.git', 'main', 'apps/web/staging/more.yaml');
    expect(text).toBe(bomb.replace('web:1', 'web:2').trimEnd());
  });
});

describe('the repository', () => {
  test('an empty one', async () => {
    await w.git.bare('shop/empty.git');
    const fault = await faultOf(w.update({ args: ['--delivery', 'shop/empty'] }));
    expect(fault).toMatchObject({ code: 'branch_missing', exit: 2 });
    expect(await w.git.git('shop/empty.git', ['for-each-ref'])).toBe('');
  });

  test('one whose hook refuses: its words are told', async () => {
    const hook = join(w.git.path, 'shop/delivery.git/hooks/pre-receive');
    await mkdir(join(hook, '..'), { recursive: true });
    await writeFile(hook, '#!/bin/sh\necho "GitLab: Commit must be signed with a GPG key" >&2\nexit 1\n', {
      mode: 0o755,
    });
    const fault = await faultOf(w.update());
    expect(fault).toMatchObject({ code: 'push_refused', exit: 3 });
    expect((fault as Error).message).toContain('Commit must be signed with a GPG key');
    expect(await w.tip()).toBe(w.first);
  });

  test('a server that cannot speak TLS', async () => {
    const url = w.server.url.replace('http:', 'https:');
    const fault = await faultOf(w.update({ args: ['--delivery', `${url}/shop/delivery.git`] }));
    expect(fault).toMatchObject({ code: 'git_unavailable', exit: 6 });
    expect((fault as Error).message).toMatch(/TLS|SSL/i);
    expect(await w.tip()).toBe(w.first);
  });
});

/** The CLI as a process of its own, started by a shell that may set limits first. */
async function cli(limits: string) {
  const temporary = join(w.folder, 'tmp');
  await mkdir(temporary);
  const flags = ['--delivery', 'shop/delivery', '--app', 'web', '--environment', 'staging', '--image', 'web=:1.1.0'];
  const line = `${limits} exec "$0" "$@"`;
  const child = spawn('sh', ['-c', line, process.execPath, main, 'update', ...flags, '--no-verify-image'], {
    cwd: w.folder,
    env: { PATH: process.env['PATH'], TMPDIR: temporary, CI_SERVER_URL: w.server.url, SLUICE_GIT_TOKEN: 'write-token' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (data) => (text += String(data)));
  const ended = new Promise<{ readonly code: number | null; readonly text: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, text }));
  });
  return { ended, kill: () => child.kill('SIGKILL'), left: () => readdir(temporary) };
}

describe('the machine', () => {
  test('no room for a file: one clear error, nothing left', async () => {
    await w.git.commit('shop/delivery.git', {
      'apps/web/staging/kustomization.yaml': `${overlay('1.0.0')}${Array.from({ length: 4000 }, (_, index) => `# ${Math.sin(index)}\n`).join('')}`,
    });
    const tip = await w.tip();
    const run = await cli('ulimit -f 8;');
    const { code, text } = await run.ended;
    expect(text).toMatch(/file_unreadable/);
    expect(text).toMatch(/Free space/);
    expect(code).toBe(2);
    expect(await run.left()).toEqual([]);
    expect(await w.tip()).toBe(tip);
  }, 120_000);

  test('killed in the middle of the push: no half commit, no lock; the next run lands', async () => {
    const run = await cli('');
    w.server.intercept = (request) => {
      if (request.startsWith('POST') && request.includes('receive-pack')) run.kill();
      return undefined;
    };
    await run.ended;
    w.server.intercept = () => undefined;
    await w.server.idle();
    const files = await readdir(join(w.git.path, 'shop/delivery.git'), { recursive: true });
    expect(files.filter((file) => file.endsWith('.lock'))).toEqual([]);
    await w.git.git('shop/delivery.git', ['fsck', '--strict']);
    expect(await w.update()).toMatchObject({ exit: 0 });
    expect(await w.staging()).toContain('newTag: 1.1.0');
  }, 120_000);
});
