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

/** Begins a run in `folder` (kept) or in a temporary one (removed). First ends what killed runs left behind. */
export function beginRun(options: { readonly folder?: string | undefined; readonly log: (line: string) => void }): Run {
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
  const exits = onExit(() => {
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
function onExit(clean: () => void) {
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  const handlers = Object.entries(signals).map(([signal, code]) => ({ signal, handle: () => process.exit(code) }));
  process.on('exit', clean);
  for (const { signal, handle } of handlers) process.on(signal, handle);
  return {
    forget(): void {
      process.off('exit', clean);
      for (const { signal, handle } of handlers) process.off(signal, handle);
    },
  };
}
