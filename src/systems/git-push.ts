import { Fault } from '../fault.ts';
import { withoutUser } from './git-environment.ts';
import { classifyPush, fetchFault, serverWords } from './git-failure.ts';
import type { Git } from './git-local.ts';
import { ProcessFailure } from './process.ts';

/**
 * A git for pushes from a partial clone. By itself git first fetches the commit that the server's branch names, with all
 * its trees, only to say that the push is rejected; where it does need an object that is not here it may fetch after all.
 */
export function pushesWithoutFetch(git: Git, env: Readonly<Record<string, string>>): Git {
  return async (args, more = {}) => {
    try {
      return await git(args, { ...more, env: { ...env, GIT_NO_LAZY_FETCH: '1' } });
    } catch (error) {
      if (!(error instanceof ProcessFailure) || !/from promisor remote/.test(error.stderr)) throw error;
      return git(args, { ...more, env });
    }
  };
}

/**
 * Pushes a commit ('' deletes) to a branch, never by force: a branch is replaced only where `lease` names its tip.
 * 'raced' where somebody else pushed first, in any of the wordings of git, GitLab and its hooks.
 * Faults: `push_refused` (with the server's words), `token_refused`, `git_unavailable`.
 */
export async function pushCommit(
  git: Git,
  url: string,
  sha: string,
  branch: string,
  options: { readonly lease?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<'pushed' | 'raced'> {
  const reference = `refs/heads/${branch}`;
  const lease = options.lease === undefined ? [] : [`--force-with-lease=${reference}:${options.lease}`];
  try {
    await git(['push', '--porcelain', '--no-verify', '--no-follow-tags', ...lease, 'origin', `${sha}:${reference}`], {
      signal: options.signal,
    });
    return 'pushed';
  } catch (error) {
    if (!(error instanceof ProcessFailure)) throw error;
    const output = `${error.stdout}\n${error.stderr}`;
    switch (classifyPush(output)) {
      case 'raced':
        return 'raced';
      case 'refused':
        throw new Fault('push_refused', `${withoutUser(url)} refused ${branch}: ${serverWords(output)}`);
      default:
        throw fetchFault(error, url, branch);
    }
  }
}
