import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import type { Readable } from 'node:stream';
import { Fault } from '../fault.ts';
import { ProcessFailure, type Processes, type RunOptions, type RunResult } from './process.ts';

/** Variables that a child may inherit. Everything else, credentials above all, reaches it only when asked for. */
const INHERITED = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TZ',
  'SSH_AUTH_SOCK',
  'SystemRoot',
  'HTTPS_PROXY',
  'https_proxy',
  'HTTP_PROXY',
  'http_proxy',
  'ALL_PROXY',
  'all_proxy',
  'NO_PROXY',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
] as const;

const INSTALL: Readonly<Record<string, string>> = {
  git: 'Install git (Debian: apt-get install git).',
  cosign: 'Install cosign 3 from https://docs.sigstore.dev/cosign/system_config/installation/.',
  oras: 'Install ORAS 1.3.3 or newer from https://oras.land/docs/installation.',
  kustomize: 'Install kustomize 5.8.1 from https://kubectl.docs.kubernetes.io/installation/kustomize/.',
};

/** Longest delay that a timer can have. */
const LONGEST_MS = 2 ** 31 - 1;
/** What one stream of a child may bring at most. */
const MOST_BYTES = 2 ** 29 - 1;
const EMPTY = new Uint8Array();
/** After this time a group that was asked to end is killed. */
const PATIENCE_MS = 3_000;

/** Process groups that run: none outlives this process. */
const running = new Set<number>();
let watching = false;

function watch(group: number): void {
  running.add(group);
  if (watching) return;
  watching = true;
  process.on('exit', () => {
    for (const each of running) signalGroup(each, 'SIGKILL');
  });
}

/**
 * Ends a child with all that it started. git leaves its transport helper waiting for the server, which holds the
 * pipes open for as long: so the group is signalled, not the child alone.
 */
function endGroup(group: number | undefined): void {
  if (group === undefined || !running.has(group)) return;
  signalGroup(group, 'SIGTERM');
  setTimeout(() => {
    if (running.has(group)) signalGroup(group, 'SIGKILL');
  }, PATIENCE_MS).unref();
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The group has ended in the meantime.
  }
}

/**
 * Child processes: no shell, an allowlisted environment, a process group each, and errors that never carry arguments.
 * `env` is the environment to take the allowlist from.
 */
export function runProcesses(env: Readonly<Record<string, string | undefined>>): Processes {
  // git built with GnuTLS reads no SSL_CERT_FILE; a runner names the CA of its own GitLab in CI_SERVER_TLS_CA_FILE.
  const authority = env['GIT_SSL_CAINFO'] || env['SSL_CERT_FILE'] || env['CI_SERVER_TLS_CA_FILE'];
  const inherited: Readonly<Record<string, string | undefined>> = {
    ...Object.fromEntries(INHERITED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))),
    ...(authority ? { GIT_SSL_CAINFO: authority } : {}),
  };

  function launch(command: string, args: readonly string[], options: RunOptions, buffer: boolean) {
    options.signal?.throwIfAborted();
    const child = started(command, args, {
      cwd: options.cwd,
      env: { ...inherited, LC_ALL: 'C', ...options.env },
      detached: true,
      stdio: [options.input === undefined && buffer ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const group = child.pid;
    if (group !== undefined) watch(group);
    const stop = () => endGroup(group);
    const stdout = buffer ? gathered(child.stdout, stop) : () => EMPTY;
    const stderr = gathered(child.stderr, stop);
    let late = false;
    const limit = options.timeoutMs ?? LONGEST_MS;
    const timer = setTimeout(
      () => {
        late = true;
        stop();
      },
      Math.min(limit, LONGEST_MS),
    );
    timer.unref();
    options.signal?.addEventListener('abort', stop, { once: true });
    const settled = async (): Promise<RunResult> => {
      const { exitCode, problem } = await endOf(child);
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', stop);
      if (group !== undefined) running.delete(group);
      if (options.signal?.aborted) throw options.signal.reason;
      const [output, words] = [stdout(), text(stderr())];
      if (problem === 'ENOENT') {
        throw new Fault('tool_missing', `${command} is not installed (not on the PATH)`, { hint: INSTALL[command] });
      }
      const failed = (why: string, code = exitCode) => new ProcessFailure(command, code, why, text(output));
      if (problem !== null) throw failed(`it cannot be started (${problem})`);
      if (late) throw failed(`no answer within ${options.timeoutMs} ms. ${words}`, null);
      if (exitCode === null || !(options.accept ?? [0]).includes(exitCode)) throw failed(words);
      return {
        exitCode,
        stdout: output,
        stderr: words,
        get text() {
          return text(output);
        },
      };
    };
    return { child, settled, stop };
  }

  return {
    async run(command, args, options = {}) {
      const { child, settled } = launch(command, args, options, true);
      // A child that does not read its input is told by its exit code; the broken pipe says nothing more.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(options.input);
      return settled();
    },
    start(command, args, options = {}) {
      const { child, settled, stop } = launch(command, args, options, false);
      const done = settled();
      done.catch(() => {});
      if (!child.stdin || !child.stdout) throw new Error(`${command} was started without pipes`);
      return { stdin: child.stdin, stdout: child.stdout, done, kill: stop };
    },
  };
}

/** As `spawn`; what makes it throw (its message holds arguments) is told by its code alone. */
function started(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  try {
    return spawn(command, args, options);
  } catch (error) {
    throw new ProcessFailure(command, null, `it cannot be started (${codeOf(error)})`, '');
  }
}

/** Exit code (null: ended by a signal) when the child and its pipes are closed, or why it could not be started. */
function endOf(child: ChildProcess): Promise<{ readonly exitCode: number | null; readonly problem: string | null }> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ exitCode: null, problem: codeOf(error) });
    });
    child.once('close', (exitCode) => resolve({ exitCode, problem: null }));
  });
}

/** Keeps what a stream brings; a child that tells more than a string can hold is ended. */
function gathered(stream: Readable | null, stop: () => void): () => Uint8Array {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MOST_BYTES) stop();
    else chunks.push(chunk);
  });
  return () => (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
