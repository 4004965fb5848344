import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { connectChildren } from './children.ts';
import { connectRunRecord, endLeftovers } from './run-record.ts';

/** One group of programs with a folder: however this process ends, the programs end and the temporary folder goes. */
export interface Run {
  readonly folder: string;
  readonly children: ReturnType<typeof connectChildren>;
  /** Process ids by program. */
  readonly pids: Readonly<Record<string, number>>;
  /** Called first when the run stops. */
  defer(end: () => void): void;
  /** Ends all, `last` after the others in this order; more calls do nothing. */
  stop(last: readonly string[]): Promise<void>;
}

/** How a run begins. */
export interface RunOptions {
  /** Kept; default a temporary one that is removed. */
  readonly folder?: string | undefined;
  /** False: somebody else answers SIGINT, SIGTERM and SIGHUP by stopping or by process.exit; default true. */
  readonly answerSignals?: boolean | undefined;
  readonly log: (line: string) => void;
}

/** Begins a run. First ends what killed runs left behind. */
export function beginRun(options: RunOptions): Run {
  for (const path of endLeftovers()) options.log(`ended ${basename(path)}, left behind by a run that was killed`);
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'sluice-lab-'));
  mkdirSync(folder, { recursive: true });
  const record = connectRunRecord(`${process.pid}-${basename(folder)}`, options.folder ? null : folder);
  const pids: Record<string, number> = {};
  const children = connectChildren({
    folder,
    onStart: (name, pid) => {
      pids[name] = pid;
      record.add(pid);
    },
  });
  const ends: (() => void)[] = [];
  const clean = () => {
    record.remove();
    if (!options.folder) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  const exits = onExit(options.answerSignals ?? true, () => {
    children.kill();
    clean();
  });
  let stopped: Promise<void> | undefined;
  const stop = async (last: readonly string[]) => {
    for (const end of ends) end();
    await children.stop(last);
    exits.forget();
    clean();
  };
  return { folder, children, pids, defer: (end) => void ends.push(end), stop: (last) => (stopped ??= stop(last)) };
}

/** Calls `clean` when this process ends by itself, by process.exit or by a signal that can be caught. */
function onExit(answerSignals: boolean, clean: () => void) {
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  const handlers = Object.entries(answerSignals ? signals : {}).map(([signal, code]) => ({
    signal,
    handle: () => process.exit(code),
  }));
  process.on('exit', clean);
  for (const { signal, handle } of handlers) process.on(signal, handle);
  return {
    forget(): void {
      process.off('exit', clean);
      for (const { signal, handle } of handlers) process.off(signal, handle);
    },
  };
}
