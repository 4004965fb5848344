import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, test } from 'vitest';
import { connectChildren } from '../children.ts';
import { identify } from '../identity.ts';
import { freePorts } from '../ports.ts';
import { endLeftovers } from '../run-record.ts';
import { connectScene } from '../scene.ts';
import { portCount, startStack } from '../stack.ts';

interface Served {
  readonly folder: string;
  readonly pids: Readonly<Record<string, number>>;
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-lab-endings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A process of its own that keeps a stack; resolves when the stack stands. */
async function serve() {
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'serve.ts')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const line = await new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve));
  return { child, ended, served: JSON.parse(line) as Served };
}

const running = (pids: Served['pids']) => Object.values(pids).filter((pid) => identify(pid) !== null);

describe('whatever way a stack ends, nothing is left', () => {
  test('SIGTERM to its owner ends the programs and removes the folder', async () => {
    const { child, ended, served } = await serve();
    expect(running(served.pids)).toHaveLength(5);
    child.kill('SIGTERM');
    expect(await ended).toBe(143);
    await expect.poll(() => running(served.pids), { timeout: 5000 }).toEqual([]);
    expect(existsSync(served.folder)).toBe(false);
  });

  test('after SIGKILL the next start ends what was left behind', async () => {
    const { child, ended, served } = await serve();
    child.kill('SIGKILL');
    await ended;
    expect(running(served.pids)).toHaveLength(5);
    endLeftovers();
    await expect.poll(() => running(served.pids), { timeout: 5000 }).toEqual([]);
    expect(existsSync(served.folder)).toBe(false);
  });

  test('a process that only has the id of a recorded one is left alone', async () => {
    const bystander = spawn('sleep', ['60'], { stdio: 'ignore' });
    const child = identify(bystander.pid ?? 0);
    const write = (children: unknown) =>
      writeFileSync(
        join(folder, 'killed.json'),
        JSON.stringify({ owner: { pid: 1, started: 'before', path: '/gone' }, folder: null, children }),
      );
    write([
      { ...child, started: 'before' },
      { ...child, path: '/another' },
    ]);
    expect(endLeftovers(folder)).toEqual([]);
    expect(identify(bystander.pid ?? 0)).toEqual(child);
    write([child]);
    expect(endLeftovers(folder)).toEqual([child?.path]);
    await new Promise((resolve) => bystander.once('exit', resolve));
  });
});

describe('trouble is told by name', () => {
  test('a port that is taken: which program, and that nothing else runs', async () => {
    const [taken = 0, ...others] = await freePorts(portCount);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(taken, '127.0.0.1', resolve));
    const start = startStack({ tier: 'core', ports: [taken, ...others] });
    await expect(start).rejects.toThrow(/^etcd ended[^]*address already in use[^]*start again/);
    server.close();
  });

  test('a controller that dies during a story fails it at once; a stack beside it goes on', async () => {
    const [dying, standing] = await Promise.all([startStack({ tier: 'core' }), startStack({ tier: 'core' })]);
    try {
      const story = connectScene(dying).waitFor('Kustomization', 'never', () => false);
      process.kill(dying.pids['source-controller'] ?? 0, 'SIGKILL');
      await expect(story).rejects.toThrow(/^source-controller ended \(SIGKILL\), its log ends with:\n\{/);
      expect((await standing.kube.raw('GET', '/readyz')).status).toBe(200);
      expect(running(standing.pids)).toHaveLength(5);
    } finally {
      await Promise.all([dying.stop(), standing.stop()]);
    }
    expect(running({ ...dying.pids, ...standing.pids })).toEqual([]);
  });

  test('a program that is not built, or damaged', async () => {
    const children = connectChildren({ folder, onStart: () => {} });
    expect(() => children.start('etcd', join(folder, 'absent', 'etcd'), [])).toThrow(
      /etcd is not built .* run "npm run lab"/,
    );
    const damaged = join(folder, 'damaged');
    writeFileSync(damaged, Buffer.alloc(64, 0x7f), { mode: 0o755 });
    children.start('damaged', damaged, []);
    expect((await children.failed).message).toContain('damaged ended');
    await children.stop([]);
  });
});
