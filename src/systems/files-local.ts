import { createWriteStream, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Fault } from '../fault.ts';
import { codeOf, stageFile, unreadable } from './file-staging.ts';
import type { Files } from './files.ts';

/** Temporary folders that stand: none outlives this process, which may end while they are still being removed. */
const standing = new Set<string>();
let watching = false;

function watch(path: string): void {
  standing.add(path);
  if (watching) return;
  watching = true;
  process.on('exit', () => {
    for (const each of standing) rmSync(each, { recursive: true, force: true, maxRetries: 3 });
  });
}

/** Local files below or beside `folder`; temporary folders go to `temporaryFolder`. */
export function localFiles(folder: string, temporaryFolder: string): Files {
  const at = (path: string) => resolve(folder, path);
  return {
    folder: resolve(folder),
    async read(path) {
      try {
        return await readFile(at(path));
      } catch (error) {
        if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
        throw unreadable(path, error);
      }
    },
    stage: (path, content) => stageFile(path, at(path), content),
    async write(path, content) {
      await (await stageFile(path, at(path), content)).commit();
    },
    async writeStream(path, content) {
      const target = at(path);
      const staging = `${target}.sluice-${process.pid}`;
      try {
        await mkdir(dirname(target), { recursive: true });
        await pipeline(content, createWriteStream(staging));
        await rename(staging, target);
      } catch (error) {
        await removed(staging);
        throw codeOf(error) === undefined ? error : unreadable(path, error);
      }
    },
    async rename(from, to) {
      try {
        await mkdir(dirname(at(to)), { recursive: true });
        await rename(at(from), at(to));
      } catch (error) {
        throw unreadable(to, error);
      }
    },
    async link(path, target) {
      try {
        await mkdir(dirname(at(path)), { recursive: true });
        await symlink(target, at(path));
      } catch (error) {
        throw unreadable(path, error);
      }
    },
    async list(path) {
      const found: string[] = [];
      // Node's own recursion goes through links to folders, even to those above.
      const walk = async (below: string): Promise<void> => {
        const entries = await readdir(at(below), { withFileTypes: true }).catch((error: unknown) => {
          const gone = codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
          throw gone && below === path ? error : unreadable(below, error);
        });
        const folders: string[] = [];
        for (const entry of entries) {
          if (entry.name === '.git') continue;
          if (entry.isFile()) found.push(join(below, entry.name));
          else if (entry.isDirectory()) folders.push(join(below, entry.name));
        }
        await Promise.all(folders.map(walk));
      };
      try {
        await walk(path);
        return found.sort();
      } catch (error) {
        if (error instanceof Fault) throw error;
        const kind = await stat(at(path)).catch(() => null);
        if (kind === null || kind.isFile()) return null;
        throw new Fault('file_unreadable', `${path}: neither a file nor a folder, but a pipe, socket or device`, {
          hint: 'Name a file or a folder.',
        });
      }
    },
    async temporary(prefix) {
      const path = await mkdtemp(join(temporaryFolder, prefix)).catch((error: unknown) => {
        throw new Fault(
          'file_unreadable',
          `${temporaryFolder} takes no temporary files (${error instanceof Error ? error.message : 'unknown'})`,
          {
            hint: 'Set TMPDIR to a folder that exists and can be written.',
          },
        );
      });
      watch(path);
      return {
        path,
        async [Symbol.asyncDispose]() {
          await rm(path, { recursive: true, force: true, maxRetries: 3 });
          standing.delete(path);
        },
      };
    },
  };
}

/** Nothing may hide why a file could not be written, and where its folder is none there is nothing to remove. */
async function removed(staging: string): Promise<void> {
  await rm(staging, { force: true }).catch(() => undefined);
}
