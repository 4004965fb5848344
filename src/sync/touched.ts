import type { GitRepository } from '../systems/git.ts';

/** Does a commit change a file below one of these folders, or one of these files? Of a first commit: yes. Faults as `GitRepository`. */
export async function touches(repository: GitRepository, commit: string, paths: readonly string[]): Promise<boolean> {
  const [parent] = (await repository.commit(commit)).parents;
  if (parent === undefined) return true;
  const list = async (sha: string) =>
    (await repository.tree(sha, paths)).map((entry) => `${entry.mode} ${entry.oid} ${entry.path}`).join('\n');
  return (await list(parent)) !== (await list(commit));
}
