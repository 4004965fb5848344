import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runProcesses } from '../../src/systems/process-run.ts';

const processes = runProcesses({ PATH: process.env['PATH'], SECRET: 'hidden', SSL_CERT_FILE: '/ca.pem' });
/** A shell whose child holds the pipes open for a minute. */
const LINGERING = ['-c', 'sleep 60 & echo $!; wait'];

/** A process that has ended stays in Linux's table (state Z) where process 1 asks nobody for its exit code: not alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc/self') || !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('an abort ends the child with all that it started', async () => {
  const abort = new AbortController();
  const child = processes.start('sh', LINGERING, { signal: abort.signal });
  const [line] = (await child.stdout[Symbol.asyncIterator]().next()).value.toString().split('\n');
  expect(isAlive(Number(line))).toBe(true);
  abort.abort(new Error('stop'));
  await expect(child.done).rejects.toThrow('stop');
  while (isAlive(Number(line))) await new Promise((resolve) => setTimeout(resolve, 10));
});

test('a time-out does so too, and says how long it waited', async () => {
  await expect(processes.run('sh', LINGERING, { timeoutMs: 100 })).rejects.toThrow('no answer within 100 ms');
});

test('the environment is the allowlist and what is asked for', async () => {
  const { text } = await processes.run('env', [], { env: { ASKED: 'x' } });
  expect(text).toContain('ASKED=x\n');
  expect(text).toContain('GIT_SSL_CAINFO=/ca.pem\n');
  expect(text).not.toContain('hidden');
});

test('a failure names the command and its words, never its arguments', async () => {
  const failure: unknown = await processes
    .run('sh', ['-c', 'echo why >&2; exit 3', 'secret-argument'])
    .catch((error: unknown) => error);
  expect(String(failure)).toContain('sh ended with exit code 3: why');
  expect(String(failure)).not.toContain('secret-argument');
  await expect(processes.run('no-such-program', [])).rejects.toMatchObject({ code: 'tool_missing' });
});

test('a child that does not read its input is told by its exit code alone', async () => {
  const input = 'x'.repeat(4_000_000);
  await expect(processes.run('sh', ['-c', 'exit 0'], { input })).resolves.toMatchObject({ exitCode: 0 });
  await expect(processes.run('sh', ['-c', 'exit 3'], { input, accept: [3] })).resolves.toMatchObject({ exitCode: 3 });
  expect((await processes.run('wc', ['-c'], { input })).text.trim()).toBe('4000000');
});

test('what cannot be started is a failure without its arguments', async () => {
  const run = processes.run('sh', ['-c', 'secret-argument\0']).catch((error: unknown) => error);
  expect(String(await run)).toContain('cannot be started');
  expect(String(await run)).not.toContain('secret-argument');
  const long = processes.run('sh', ['-c', 'secret-argument', 'x'.repeat(2 ** 22)]).catch((error: unknown) => error);
  expect(String(await long)).toContain('cannot be started (E2BIG)');
});
