import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Processes } from '../../src/systems/process.ts';
import { runProcesses } from '../../src/systems/process-run.ts';

/** Real git in a temporary folder, for tests: repositories are made by plumbing, so no work tree is needed. */
export interface GitFolder extends AsyncDisposable {
  readonly path: string;
  readonly processes: Processes;
  /** Runs git in `folder` (relative to `path`); answers stdout without the last newline. */
  git(folder: string, args: readonly string[], input?: string | Uint8Array): Promise<string>;
  /** Makes a bare repository with branch main; no commit in it. */
  bare(name: string): Promise<string>;
  /** Commits files (null removes one) on a branch of a bare repository; answers the commit. */
  commit(
    folder: string,
    files: Readonly<Record<string, string | Uint8Array | null>>,
    options?: { readonly message?: string; readonly branch?: string; readonly at?: number; readonly mode?: string },
  ): Promise<string>;
  /** Content of a file at a revision. */
  show(folder: string, revision: string, file: string): Promise<string>;
}

const IDENTITY = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.com',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.com',
};

/** Opens a temporary folder for git; removed on disposal. */
export async function gitFolder(): Promise<GitFolder> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-git-'));
  const processes = runProcesses(process.env);
  let clock = 1_700_000_000;
  async function run(
    folder: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    input?: string | Uint8Array,
  ) {
    const cwd = join(path, folder);
    const answer = await processes.run('git', args, {
      cwd,
      env: { ...IDENTITY, ...env },
      ...(input === undefined ? {} : { input }),
    });
    return answer.text.replace(/\n$/, '');
  }
  return {
    path,
    processes,
    git: (folder, args, input) => run(folder, args, {}, input),
    async bare(name) {
      await run('.', ['init', '--quiet', '--bare', '--initial-branch=main', name]);
      for (const [key, value] of [
        ['http.receivepack', 'true'],
        ['uploadpack.allowFilter', 'true'],
        ['uploadpack.allowAnySHA1InWant', 'true'],
        ['receive.autogc', 'false'],
      ] as const) {
        await run(name, ['config', key, value]);
      }
      return join(path, name);
    },
    async commit(folder, files, options = {}) {
      const branch = options.branch ?? 'main';
      const index = { GIT_INDEX_FILE: join(path, `index-${crypto.randomUUID()}`) };
      const parent = await run(folder, ['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`]).catch(() => '');
      if (parent !== '') await run(folder, ['read-tree', parent], index);
      for (const [file, content] of Object.entries(files)) {
        if (content === null) {
          await run(folder, ['update-index', '--index-info'], index, `0 ${'0'.repeat(40)}\t${file}\n`);
          continue;
        }
        const oid = await run(folder, ['hash-object', '-w', '--stdin'], {}, content);
        const entry = `${options.mode ?? '100644'},${oid},${file}`;
        await run(folder, ['update-index', '--add', '--cacheinfo', entry], index);
      }
      const tree = await run(folder, ['write-tree'], index);
      const at = `${options.at ?? (clock += 60)} +0000`;
      const dates = { GIT_AUTHOR_DATE: at, GIT_COMMITTER_DATE: at };
      const parents = parent === '' ? [] : ['-p', parent];
      const message = options.message ?? `change ${Object.keys(files).join(', ')}`;
      const sha = await run(folder, ['commit-tree', tree, ...parents], dates, message);
      await run(folder, ['update-ref', `refs/heads/${branch}`, sha]);
      return sha;
    },
    show: (folder, revision, file) => run(folder, ['show', `${revision}:${file}`]),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}
