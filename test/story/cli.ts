import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../../scripts/build.ts';

const root = join(import.meta.dirname, '..', '..');
const node = join(root, 'node_modules', '.bin', 'node');
const entry = join(root, 'dist', 'sluice.js');

/** One run of the packaged CLI that has ended. */
export interface Ended {
  /** Exit code; null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One run of the packaged CLI. */
export interface Running {
  readonly ended: Promise<Ended>;
  /** Resolves when stderr holds the text; rejects when the run ends without it. */
  said(text: string): Promise<void>;
  /** Signals the CLI alone, as GitLab's runner and a terminal's `kill` do. */
  kill(signal: NodeJS.Signals): void;
  /** Closes the reading end of its stdout, as `| head -0` does. */
  closeStdout(): void;
}

/** Where and with what the CLI runs; nothing of this process's environment is passed on. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Makes dist/ where it is missing: `npm test` has built it before. */
export async function ensureBuilt(): Promise<void> {
  if (!existsSync(entry)) await bundle();
}

/** Starts the packaged CLI. */
export function startCli(args: readonly string[], { env, cwd }: Surroundings): Running {
  const child = spawn(node, [entry, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  const listeners = new Set<() => void>();
  const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString();
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stdout.on('error', () => {});
  child.stderr.on('data', (chunk: Buffer) => {
    stderr.push(chunk);
    for (const listener of listeners) listener();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout: text(stdout), stderr: text(stderr) }));
  });
  return {
    ended,
    said: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!text(stderr).includes(wanted)) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
        void ended.then((end) => reject(new Error(`"${wanted}" was never said:\n${end.stderr}`)));
      }),
    kill: (signal) => void child.kill(signal),
    closeStdout: () => child.stdout.destroy(),
  };
}
