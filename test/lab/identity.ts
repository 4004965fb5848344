import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';

/** What tells a process from a later one with the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time, in whatever unit the system has; only ever compared. */
  readonly started: string;
  /** Path of the executable; a deleted file keeps its path. */
  readonly path: string;
}

/** Identity of a running process, or null when there is none (a zombie counts as none). */
export function identify(pid: number): ProcessIdentity | null {
  return existsSync('/proc/self/stat') ? fromProc(pid) : fromPs(pid);
}

/** Does exactly this process still run? */
export function isRunning(known: ProcessIdentity): boolean {
  const now = identify(known.pid);
  return now !== null && now.started === known.started && now.path === known.path;
}

/** Resident memory in MiB, now and at its peak; zeros where the system does not tell. */
export function memoryOf(pid: number): { readonly resident: number; readonly peak: number } {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const mebibytes = (key: string) => Math.round(Number(new RegExp(`${key}:\\s+(\\d+)`).exec(text)?.[1] ?? 0) / 1024);
    return { resident: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
  } catch {
    return { resident: 0, peak: 0 };
  }
}

// proc_pid_stat(5): the name in parentheses may hold anything, so fields are counted after the last one.
function fromProc(pid: number): ProcessIdentity | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    if (fields[0] === 'Z') return null;
    return { pid, started: fields[19] ?? '', path: readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '') };
  } catch {
    return null;
  }
}

function fromPs(pid: number): ProcessIdentity | null {
  const { status, stdout } = spawnSync('ps', ['-o', 'lstart=,comm=', '-p', String(pid)], { encoding: 'utf8' });
  const match = /^(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.+)$/m.exec(stdout ?? '');
  return status === 0 && match ? { pid, started: match[1] ?? '', path: match[2] ?? '' } : null;
}
