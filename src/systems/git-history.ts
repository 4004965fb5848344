import { Fault } from '../fault.ts';
import { gitEnvironment, schemeOf } from './git-environment.ts';
import { fetchFault } from './git-failure.ts';
import type { Git } from './git-local.ts';

/**
 * Fetches the whole history of a shallow repository from its own remote, commits without trees, and then those of
 * `commits` that are still missing (best effort: the server may not know them any more).
 * Faults `token_refused`, `git_unavailable`; `commit_missing` where there is no remote to ask.
 */
export async function unshallow(git: Git, folder: string, commits: readonly string[]): Promise<void> {
  const remotes = (await git(['remote'])).text.split('\n').filter((name) => name !== '');
  const remote = remotes.includes('origin') ? 'origin' : remotes[0];
  if (remote === undefined) {
    throw new Fault('commit_missing', `${folder} is a shallow clone without a remote: its history cannot be told`, {
      hint: 'Clone it in full (GIT_DEPTH: 0).',
    });
  }
  const url = (await git(['remote', 'get-url', remote])).text.trim();
  const env = gitEnvironment([], [schemeOf(url)]);
  const filter = await git(['config', '--get', `remote.${remote}.partialclonefilter`], { accept: [0, 1] });
  const fetch = (flags: readonly string[], wanted: readonly string[]) =>
    git(['fetch', '--quiet', '--filter=tree:0', '--no-tags', '--no-write-fetch-head', ...flags, remote, ...wanted], {
      env,
    });
  try {
    await fetch(['--unshallow'], []);
    for (const sha of commits) {
      const there = await git(['cat-file', '-e', sha], { accept: [0, 1, 128] });
      if (there.exitCode !== 0 && /^[0-9a-f]{40}$/.test(sha)) await fetch([], [sha]).catch(() => undefined);
    }
  } catch (error) {
    throw fetchFault(error, url, null);
  } finally {
    // The filter was for this fetch: later ones of the folder's owner shall bring trees again.
    if (filter.exitCode === 1) {
      await git(['config', '--unset-all', `remote.${remote}.partialclonefilter`], { accept: [0, 1, 5] });
    }
  }
}

/**
 * Fetches commits that a complete repository lacks (somebody pushed meanwhile) from its own remote, as far as the remote
 * gives them. Rejects with nothing: what is still missing then is missing.
 */
export async function fetchMissing(git: Git, commits: readonly string[]): Promise<void> {
  const remotes = (await git(['remote'])).text.split('\n').filter((name) => name !== '');
  const remote = remotes.includes('origin') ? 'origin' : remotes[0];
  if (remote === undefined) return;
  const url = (await git(['remote', 'get-url', remote])).text.trim();
  const env = gitEnvironment([], [schemeOf(url)]);
  for (const wanted of [[], ...commits.map((sha) => [sha])]) {
    const missing = await Promise.all(commits.map((sha) => git(['cat-file', '-e', sha], { accept: [0, 1, 128] })));
    if (missing.every(({ exitCode }) => exitCode === 0)) return;
    const args = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', remote, ...wanted];
    await git(args, { env }).catch(() => undefined);
  }
}
