import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../../scripts/binaries.mjs';
import { identify, isRunning } from './identity.ts';
import type { ProcessIdentity } from './identity.ts';

/** What a stack leaves for the next start, in case its owner is killed without a chance to clean up. */
interface RunRecord {
  readonly owner: ProcessIdentity;
  /** Temporary folder that belongs to the run, or null where the caller gave one. */
  readonly folder: string | null;
  readonly children: readonly ProcessIdentity[];
}

/** Folder with one record for each running stack of this user. */
function runsFolder(): string {
  return join(cacheDirectory(), '..', 'lab-runs');
}

/** Keeps the record of one stack: `add` after each start of a process, `remove` when all have ended. */
export function connectRunRecord(name: string, folder: string | null, runs: string = runsFolder()) {
  const owner = identify(process.pid);
  if (!owner) throw new Error('this process cannot see itself in /proc or ps');
  const file = join(runs, `${name}.json`);
  const children: ProcessIdentity[] = [];
  const write = () => {
    mkdirSync(runs, { recursive: true });
    writeFileSync(`${file}.new`, JSON.stringify({ owner, folder, children } satisfies RunRecord));
    renameSync(`${file}.new`, file);
  };
  write();
  return {
    add(pid: number): void {
      const child = identify(pid);
      if (child) children.push(child);
      write();
    },
    remove(): void {
      rmSync(file, { force: true });
    },
  };
}

/**
 * Ends what killed runs left behind: processes that are still the recorded ones (same id, start time and executable),
 * and their temporary folders. Records of running owners are left alone. Returns the paths of the processes ended.
 */
export function endLeftovers(runs: string = runsFolder()): readonly string[] {
  const ended: string[] = [];
  for (const file of recordFiles(runs)) {
    const record = readRecord(file);
    if (record && isRunning(record.owner)) continue;
    for (const child of record?.children ?? []) {
      if (!isRunning(child)) continue;
      process.kill(child.pid, 'SIGKILL');
      ended.push(child.path);
    }
    if (record?.folder) rmSync(record.folder, { recursive: true, force: true });
    rmSync(file, { force: true });
  }
  return ended;
}

function recordFiles(runs: string): readonly string[] {
  try {
    return readdirSync(runs)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(runs, name));
  } catch {
    return [];
  }
}

function readRecord(file: string): RunRecord | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RunRecord;
  } catch {
    return null;
  }
}
