import { type Git, parseLog, parseTree } from './git-local.ts';
import type { CommitInfo, TreeEntry } from './git.ts';

/** The branch of a bare single-branch clone, as it was last fetched. */
export interface KnownTip {
  /** Name of the branch. */
  readonly branch: string;
  readonly sha: string;
  /** All files of the tip; sizes are not known. */
  readonly tree: readonly TreeEntry[];
  /** Commits of its history that are here, newest first; one without parents may be the edge of a shallow clone. */
  readonly history: readonly CommitInfo[];
}

/**
 * Reads where HEAD's branch stands, by two gits at once; after a fetch `former` spares reading the same history again.
 * Null where HEAD is on no branch that has commits. Rejects with `ProcessFailure` where there is none at all.
 */
export async function readTip(git: Git, former?: KnownTip): Promise<KnownTip | null> {
  const since = former ? [`^${former.sha}`] : [];
  const [tree, news] = await Promise.all([
    git(['ls-tree', '-r', '-z', '--full-tree', 'HEAD', '--']),
    readHistory(git, since),
  ]);
  if (former && news.commits.length === 0) return former;
  const grown = former !== undefined && news.commits.some((commit) => commit.parents.includes(former.sha));
  // A branch that was replaced keeps nothing of its former history.
  const { branch, commits } = former && !grown ? await readHistory(git) : news;
  if (branch === null || commits[0] === undefined) return null;
  const history = grown ? [...commits, ...former.history] : commits;
  return { branch, sha: commits[0].sha, tree: parseTree(tree.text), history };
}

/** HEAD's branch (null: it is on none) and its commits that are here, newest first, less those of `without`. */
async function readHistory(
  git: Git,
  without: readonly string[] = [],
): Promise<{ readonly branch: string | null; readonly commits: readonly CommitInfo[] }> {
  const format = '--format=%H%x00%P%x00%ct%x00%D%n%B';
  const flags = ['-z', '--no-color', '--decorate=full', format];
  const { text } = await git(['log', ...flags, '--end-of-options', 'HEAD', ...without, '--']);
  const decorated = parseLog(text);
  const branch =
    /(?:^|, )HEAD -> refs\/heads\/(\S+?)(?:, |$)/.exec(decorated[0]?.message.split('\n')[0] ?? '')?.[1] ?? null;
  const commits = decorated.map((commit) => ({
    ...commit,
    message: commit.message.slice(commit.message.indexOf('\n') + 1),
  }));
  return { branch, commits };
}
