import { spawn } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { toolPath, type Publishing } from './publishing.ts';

const root = join(import.meta.dirname, '..', '..');
const node = join(root, 'node_modules', '.bin', 'node');

/** Runs the CLI in a clone of the delivery repository; files that it writes may have so many blocks of 512 bytes. */
export async function cli(world: Publishing, blocks: number | 'unlimited', ...more: readonly string[]) {
  const cwd = `${world.git.path}/clone`;
  await rm(cwd, { recursive: true, force: true, maxRetries: 5 });
  await world.git.git('.', ['clone', '--quiet', `${world.git.path}/delivery.git`, 'clone']);
  const temporary = `${world.git.path}/tmp`;
  await mkdir(temporary, { recursive: true });
  const registry = `${world.registry.host}/shop/delivery`;
  const format = more.includes('--format') ? [] : ['--format', 'json'];
  const args = ['publish', '--registry', registry, '--delivery', 'shop/delivery', ...format, ...more];
  const limited = ['-c', `ulimit -f ${blocks} && exec "$@"`, 'sh', node, join(root, 'runner', 'main.ts'), ...args];
  const env = { PATH: toolPath, HOME: world.git.path, TMPDIR: temporary, NODE_DISABLE_COMPILE_CACHE: '1' };
  const ran = await new Promise<{ code: number | null; stdout: string }>((resolve, reject) => {
    const child = spawn('sh', limited, { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] });
    let stdout = '';
    child.stdout.on('data', (data) => (stdout += String(data)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout }));
  });
  const left = (await readdir(temporary)).filter((name) => name.startsWith('sluice-'));
  const record = ran.stdout.startsWith('{') ? JSON.parse(ran.stdout) : null;
  return { code: ran.code, record, stdout: ran.stdout, left };
}
