import { spawn } from 'node:child_process';
import type { Ran } from './flux/world.ts';

const passed = [
  'PATH',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/**
 * Runs a tool with argv; its environment is PATH, proxies and CA settings of `env`, HOME in the cluster's folder, and
 * `added`. Rejects with the signal's reason, and when the tool cannot be started.
 */
export function runTool(
  command: string,
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly home: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly added: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
  },
): Promise<Ran> {
  const base = Object.fromEntries(
    passed.flatMap((name) => (options.env[name] === undefined ? [] : [[name, options.env[name]]])),
  );
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...base, HOME: options.home, TMPDIR: options.home, LC_ALL: 'C', ...options.added },
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: options.signal,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (stdout += part));
    child.stderr.setEncoding('utf8').on('data', (part: string) => (stderr += part));
    child.on('error', (error) => reject(options.signal.aborted ? (options.signal.reason as Error) : error));
    child.on('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}
