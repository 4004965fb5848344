import { ProcessFailure, type RunResult } from './process.ts';

/** What a server let be left out. */
export interface Started {
  /** Contents of files are not here, and can be had one by one. */
  readonly filtered: boolean;
  /** It speaks git's protocol; else it only gave files, which may be no repository at all. */
  readonly smart: boolean;
}

const COMMON = ['clone', '--quiet', '--bare', '--single-branch', '--no-tags', '--template='];

/**
 * Clones by `run` into the folder named, with as little as the server can do: one commit without contents, else all
 * commits without contents, else (also by the dumb protocol) all. Rejects with `ProcessFailure`.
 */
export async function startClone(
  run: (args: readonly string[]) => Promise<RunResult>,
  url: string,
  branch: string | null,
  folder: string,
): Promise<Started> {
  const what = [...(branch === null ? [] : ['--branch', branch]), '--', url, folder];
  const attempt = async (flags: readonly string[], smart = true): Promise<Started> => {
    const answer = await run([...COMMON, ...flags, ...what]);
    return { filtered: flags.length > 0 && !/filtering not recognized/i.test(answer.stderr), smart };
  };
  try {
    return await attempt(['--depth=1', '--filter=blob:none']);
  } catch (error) {
    const words = error instanceof ProcessFailure ? error.stderr : '';
    if (/dumb http transport/i.test(words)) return attempt([], false);
    if (/does not support shallow/i.test(words)) return attempt(['--filter=blob:none']);
    throw error;
  }
}
