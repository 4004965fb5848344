import { randomUUID } from 'node:crypto';
import {
  access,
  chmod,
  chown,
  constants,
  lstat,
  mkdir,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '../fault.ts';

/** New content that stands beside its file, on the same file system, and is not in its place yet. */
export interface StagedFile {
  /** Puts it in the file's place, in one step. Rejects with `Fault` `file_unreadable`. */
  commit(): Promise<void>;
  /** Removes it; nothing happens after `commit`. */
  discard(): Promise<void>;
}

/**
 * Writes content beside the file that `target` leads to (links followed), with that file's mode and, where the rights
 * allow it, owner; `path` is its name for people. Fault `file_unreadable`, also for a file that may not be written.
 */
export async function stageFile(path: string, target: string, content: string | Uint8Array): Promise<StagedFile> {
  const real = await realpath(target).catch(() => target);
  // A name of its own: another run's leftover, and the length of the file's name, are no hindrance.
  const staging = join(dirname(real), `.sluice-${randomUUID()}`);
  const discard = () => rm(staging, { force: true }).catch(() => undefined);
  try {
    await mkdir(dirname(real), { recursive: true });
    const standing = await stat(real).catch(() => null);
    if (standing) await access(real, constants.W_OK);
    await writeFile(staging, content, { flag: 'wx' });
    const own = await stat(staging);
    await sweep(dirname(real), own.mtimeMs);
    if (standing) {
      if (own.uid !== standing.uid || own.gid !== standing.gid)
        await chown(staging, standing.uid, standing.gid).catch(() => undefined);
      await chmod(staging, standing.mode & 0o7777);
    }
  } catch (error) {
    await discard();
    throw unreadable(path, error);
  }
  return {
    async commit() {
      try {
        await rename(staging, real);
      } catch (error) {
        await discard();
        throw unreadable(path, error);
      }
    },
    discard,
  };
}

/** No run stages for so long. */
const LEFT_MS = 300_000;
const swept = new Set<string>();

/** Removes, once, what runs that were killed while they staged have left in a folder; `now` in milliseconds. */
async function sweep(folder: string, now: number): Promise<void> {
  if (swept.has(folder)) return;
  swept.add(folder);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!/^\.sluice-[0-9a-f-]{36}$/.test(name)) continue;
    const path = join(folder, name);
    const found = await lstat(path).catch(() => null);
    if (found?.isFile() && now - found.mtimeMs > LEFT_MS) await rm(path, { force: true }).catch(() => undefined);
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left',
  EDQUOT: 'the quota is used up',
  EISDIR: 'a folder stands there',
  ENOTDIR: 'a part of the path is no folder',
  ELOOP: 'its links lead in circles',
  ENAMETOOLONG: 'the name is too long',
  EBUSY: 'it is in use',
};

/** The code of a system error, e.g. `ENOENT`; undefined for any other. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** The fault of a file that cannot be read or written. */
export function unreadable(path: string, error: unknown): Fault {
  const code = String(codeOf(error) ?? error);
  return new Fault('file_unreadable', `${path}: ${reasons[code] === undefined ? code : `${reasons[code]} (${code})`}`);
}
