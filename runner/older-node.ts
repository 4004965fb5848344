import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Starts the CLI again under the Node that the checkout has installed beside `entry`, with the same arguments and streams;
 * answers its exit code. undefined: there is none.
 */
export async function underInstalledNode(entry: string, args: readonly string[]): Promise<number | undefined> {
  const node = join(dirname(realpathSync(entry)), '..', 'node_modules', '.bin', 'node');
  if (!existsSync(node)) return undefined;
  const child = spawn(node, [entry, ...args], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
