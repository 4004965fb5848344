import { execa, type Options } from 'execa';
import { Fault } from '../fault.ts';
import { LONGEST_TIMER_MS } from './deadline.ts';
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
 * Child processes by execa: no shell, an allowlisted environment, and errors that never carry arguments
 * (execa's own messages do: its `message`, `command` and `shortMessage` are dropped).
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
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...inherited, LC_ALL: 'C', ...options.env },
      extendEnv: false,
      ...(options.input === undefined ? (buffer ? { stdin: 'ignore' as const } : {}) : { input: options.input }),
      detached: true,
      buffer: { stdout: buffer, stderr: true },
    });
    const group = child.pid;
    if (group !== undefined) watch(group);
    const stop = () => endGroup(group);
    let late = false;
    const timer = setTimeout(
      () => {
        late = true;
        stop();
      },
      Math.min(options.timeoutMs ?? LONGEST_TIMER_MS, LONGEST_TIMER_MS),
    );
    timer.unref();
    options.signal?.addEventListener('abort', stop, { once: true });
    const settled = async (): Promise<RunResult> => {
      const result = await child;
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', stop);
      if (group !== undefined) running.delete(group);
      if (options.signal?.aborted) throw options.signal.reason;
      const stderr = Buffer.from(result.stderr ?? []).toString();
      const stdout: Uint8Array = buffer ? (result.stdout ?? new Uint8Array()) : new Uint8Array();
      if (result.code === 'ENOENT' && result.exitCode === undefined) {
        throw new Fault('tool_missing', `${command} is not installed (not on the PATH)`, { hint: INSTALL[command] });
      }
      if (result.exitCode === undefined && result.code !== undefined && child.pid === undefined)
        throw new ProcessFailure(command, null, `it cannot be started (${result.code})`, '');
      if (late)
        throw new ProcessFailure(command, null, `no answer within ${options.timeoutMs} ms. ${stderr}`, text(stdout));
      if (result.exitCode === undefined || !(options.accept ?? [0]).includes(result.exitCode)) {
        throw new ProcessFailure(command, result.exitCode ?? null, stderr, text(stdout));
      }
      return {
        exitCode: result.exitCode,
        stdout,
        stderr,
        get text() {
          return text(stdout);
        },
      };
    };
    return { child, settled, stop };
  }

  return {
    async run(command, args, options = {}) {
      return launch(command, args, options, true).settled();
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

const plain = { encoding: 'buffer', stripFinalNewline: false, reject: false, maxBuffer: 1024 ** 3 } as const;

/** As `execa`; what makes it throw (its message holds arguments) is told by its code alone. */
function started<T extends Options>(command: string, args: readonly string[], options: T) {
  try {
    return execa(command, [...args], { ...options, ...plain });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'invalid arguments';
    throw new ProcessFailure(command, null, `it cannot be started (${code})`, '');
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
