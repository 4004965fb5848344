import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryOf } from './identity.ts';
import { Hopeless } from './until.ts';

/** One program of the stack. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Why it ended (exit code or signal), or null while it runs. */
  ended(): string | null;
  /** The last lines of its log. */
  logTail(): string;
  /** Throws `Hopeless` with the log's tail when it has ended. */
  check(): void;
}

interface Running extends Child {
  readonly process: ChildProcess;
  /** Starts the same program again. */
  readonly again: () => Child;
  /** Its end is wanted. */
  ending: boolean;
  readonly done: Promise<void>;
}

/**
 * Starts and ends the programs of one stack. Each has a log file below `folder`/log and an environment of PATH, HOME
 * and TMPDIR (both inside `folder`) and what it is given. `onStart` gets the id of each new process; `failed` settles with an
 * error when a program ends that was not asked to.
 */
export function connectChildren(options: {
  readonly folder: string;
  readonly onStart: (name: string, pid: number) => void;
}) {
  const { folder, onStart } = options;
  const children: Running[] = [];
  let stopping = false;
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  for (const name of ['log', 'home', 'tmp']) mkdirSync(join(folder, name), { recursive: true });

  function start(
    name: string,
    path: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Child {
    if (!existsSync(path))
      throw new Error(`${name} is not built (${path}): run "npm run lab", which builds what is missing.`);
    const logFile = join(folder, 'log', `${name}.log`);
    const log = openSync(logFile, 'a');
    const child = spawn(path, args, {
      cwd: folder,
      stdio: ['ignore', log, log],
      env: { PATH: process.env['PATH'] ?? '', HOME: join(folder, 'home'), TMPDIR: join(folder, 'tmp'), ...env },
    });
    closeSync(log);
    let reason: string | null = null;
    const done = new Promise<void>((resolve) => {
      const finish = (why: string) => {
        reason = why;
        if (!stopping && !running.ending) fail(endedEarly(running));
        resolve();
      };
      child.once('error', (error: NodeJS.ErrnoException) => finish(spawnFault(path, error)));
      child.once('exit', (code, signal) => finish(signal ?? `exit code ${code}`));
    });
    const running: Running = {
      name,
      pid: child.pid ?? 0,
      logFile,
      process: child,
      done,
      ending: false,
      again: () => start(name, path, args, env),
      ended: () => reason,
      logTail: () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-12).join('\n'),
      check() {
        if (reason !== null) throw endedEarly(running);
      },
    };
    children.push(running);
    if (child.pid) onStart(name, child.pid);
    return running;
  }

  return {
    start,
    failed,
    /** Ends a program, does what is to be done meanwhile, and starts it again. */
    async restart(name: string, meanwhile: () => void = () => {}): Promise<Child> {
      const child = children.findLast((one) => one.name === name);
      if (!child) throw new Error(`${name} is no program of this stack`);
      child.ending = true;
      await end(child);
      meanwhile();
      return child.again();
    },
    /** Resident memory of each program, MiB. */
    memory: () => Object.fromEntries(children.map((child) => [child.name, memoryOf(child.pid)])),
    /** Ends all: those started last first, in the groups given by `last` (ended after the others, in this order). */
    async stop(last: readonly string[]): Promise<void> {
      stopping = true;
      const first = children.filter((child) => !last.includes(child.name));
      await Promise.all(first.map(end));
      for (const name of last) await Promise.all(children.filter((child) => child.name === name).map(end));
    },
    /** Ends all at once, without waiting: for the exit of the process itself. */
    kill(): void {
      stopping = true;
      for (const child of children) if (child.ended() === null) child.process.kill('SIGKILL');
    },
  };
}

async function end(child: Running): Promise<void> {
  if (child.ended() !== null) return;
  child.process.kill('SIGTERM');
  await Promise.race([child.done, sleep(5000, undefined, { ref: false })]);
  if (child.ended() !== null) return;
  child.process.kill('SIGKILL');
  await child.done;
}

function endedEarly(child: Running): Hopeless {
  const tail = child.logTail();
  const hint = /address already in use/.test(tail)
    ? '\nA port that was free a moment ago has been taken by another program: start again.'
    : /no space left on device/.test(tail)
      ? '\nThe disk is full: free some space and start again.'
      : '';
  return new Hopeless(`${child.name} ended (${child.ended()}), its log ends with:\n${tail}${hint}`);
}

function spawnFault(path: string, error: NodeJS.ErrnoException): string {
  return `cannot be started, ${error.code ?? error.message}: the file ${basename(path)} is damaged; remove ${dirname(path)} and run "npm run lab" again`;
}
