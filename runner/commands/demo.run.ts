import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault, type ExitCode } from '../../src/fault.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';

/** Starts the checkout's own `npm run demo`. Fault `not_supported` where this is no checkout (the runner image). */
export async function run(context: Context): Promise<CommandResult> {
  const { values, files } = context;
  const start = startScript();
  const flags = ['keep', 'real', 'verbose'].filter((name) => values.boolean(name)).map((name) => `--${name}`);
  const named = ['delivery', 'app', 'image', 'format'].flatMap((name) => {
    const value = values.string(name);
    return value === undefined ? [] : [`--${name}`, value];
  });
  const args = [start, 'demo', ...flags, ...named];
  if (values.boolean('dry-run'))
    return { record: { outcome: 'planned', start, args: args.slice(1) }, text: args.join(' '), exit: 0 };
  const { code, text } = await runScript(args, files.folder, context.signal);
  context.signal.throwIfAborted();
  const record: unknown = values.string('format') === 'json' && text !== '' ? JSON.parse(text) : {};
  return {
    record: { outcome: code === 0 ? 'done' : 'failed', ...(record as object) },
    text,
    exit: (code === 0 ? 0 : code) as ExitCode,
  };
}

function startScript(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const script = join(folder, 'scripts', 'start.mjs');
    if (existsSync(script) && existsSync(join(folder, 'sandbox'))) return script;
  }
  throw new Fault('not_supported', 'the demo runs in a checkout of sluice', {
    hint: 'Clone the repository and run `npm run demo` there.',
  });
}

function runScript(args: readonly string[], cwd: string, signal: AbortSignal): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
    let text = '';
    child.stdout.on('data', (data) => (text += String(data)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, text }));
  });
}
