import type { GitLabOptions, GitLabServer } from './handle.ts';

/** Starts a simulated GitLab on loopback, on a free port. */
export async function startGitLab(_options: GitLabOptions): Promise<GitLabServer> {
  throw new Error('not built yet');
}
