import { spawn } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type UpdateWorld, updateWorld } from './update-world.ts';

const TOKEN = 'write-token';
const main = join(import.meta.dirname, '..', '..', 'runner', 'main.ts');

let w: UpdateWorld;
beforeEach(async () => {
  w = await updateWorld();
});
afterEach(() => w[Symbol.asyncDispose]());

/** Runs the CLI as a process of its own, with its own temporary folder; `stop` sends SIGTERM. */
async function cli(image: string) {
  const temporary = join(w.folder, 'tmp');
  await mkdir(temporary);
  const args = ['update', '--delivery', 'shop/delivery', '--app', 'web', '--environment', 'staging', '--image', image];
  const child = spawn(process.execPath, [main, ...args, '--no-verify-image', '--verbose'], {
    cwd: w.folder,
    env: { PATH: process.env['PATH'], TMPDIR: temporary, CI_SERVER_URL: w.server.url, SLUICE_GIT_TOKEN: TOKEN },
  });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk));
  const ended = new Promise<{ readonly code: number | null; readonly text: string; readonly left: readonly string[] }>(
    (resolve) => {
      child.on('close', (code) => {
        void readdir(temporary).then((left) => resolve({ code, text: Buffer.concat(output).toString(), left }));
      });
    },
  );
  return { ended, stop: () => child.kill('SIGTERM') };
}

test('the process leaves no temporary files and no token in its output', async () => {
  const { ended } = await cli('web=:1.1.0');
  const { code, text, left } = await ended;
  expect({ code, left }).toEqual({ code: 0, left: [] });
  expect(text).toContain('pushed: web → staging');
  expect(text).not.toContain(TOKEN);
}, 120_000);

test('canceled in the middle of the push: exit 143, nothing pushed, nothing left', async () => {
  const running = await cli('web=:1.1.0');
  w.server.intercept = async (request) => {
    if (!request.includes('receive-pack')) return undefined;
    running.stop();
    return new Promise(() => {});
  };
  const { code, left, text } = await running.ended;
  expect({ code, left }).toEqual({ code: 143, left: [] });
  expect(text).toContain('canceled');
  expect(await w.tip()).toBe(w.first);
}, 120_000);
