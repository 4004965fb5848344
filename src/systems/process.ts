import type { Readable, Writable } from 'node:stream';

/** How a child process is run. Its environment is exactly `env` plus an allowlist (PATH, proxies, CA files …). */
export interface RunOptions {
  readonly cwd?: string;
  /** Added to the allowlisted environment. Credentials go here or to stdin, never into `args`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Exit codes that are answers, not faults; default [0]. */
  readonly accept?: readonly number[];
}

/** What a child process answered. */
export interface RunResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  /** stdout as UTF-8. */
  readonly text: string;
  readonly stderr: string;
}

/** A running child, for streaming. `done` settles like `run`. */
export interface RunningProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly done: Promise<RunResult>;
  kill(): void;
}

/** An exit code that was not accepted. The message holds the command's name and stderr, never its arguments. */
export class ProcessFailure extends Error {
  readonly command: string;
  readonly exitCode: number | null;
  readonly stderr: string;
  readonly stdout: string;
  constructor(command: string, exitCode: number | null, stderr: string, stdout: string) {
    super(`${command} ended with ${exitCode === null ? 'a signal' : `exit code ${exitCode}`}: ${stderr.trim()}`);
    this.name = 'ProcessFailure';
    this.command = command;
    this.exitCode = exitCode;
    this.stderr = stderr;
    this.stdout = stdout;
  }
}

/** Child processes. `run` rejects with `ProcessFailure`, with `Fault` `tool_missing`, or with the signal's reason. */
export interface Processes {
  run(command: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
  start(command: string, args: readonly string[], options?: RunOptions): RunningProcess;
}
