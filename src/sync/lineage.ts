import type { CommitClaim } from '../delivery/commit.ts';
import type { CommitInfo, GitRepository } from '../systems/git.ts';
import { isOverwritten } from './overwritten.ts';

/**
 * What a newer revision means for ours. same · ours: it contains our commit and our values still hold, its verdict is
 * ours · replaced: it contains our commit, a later change took our values away · unrelated: it does not contain our
 * commit (a force-push, or something older) · unknown: the commit is not to be had.
 */
type Lineage = 'same' | 'ours' | 'replaced' | 'unrelated' | 'unknown';

/** Decides the lineage of a commit for one app in one environment. */
export type LineageOf = (theirs: string, app: string, environment: string) => Promise<Lineage>;

/**
 * Lineage by the delivery repository's history. Our values are gone where a commit in `ours..theirs` claims the same app
 * and environment, or reverts ours; where a person's commit, which claims nothing, is among them, the app's manifests of
 * both trees are compared. `parse` reads a commit's trailers, `foldersOf` says where an app's manifests are.
 */
export function lineageIn(
  repository: GitRepository,
  ours: string,
  parse: (commit: CommitInfo) => CommitClaim | null,
  foldersOf: (app: string) => readonly string[] = () => [],
): LineageOf {
  const histories = new Map<string, Promise<readonly CommitInfo[] | 'unrelated' | 'unknown'>>();
  return async (theirs, app, environment) => {
    if (theirs === ours) return 'same';
    const known = histories.get(theirs) ?? history(repository, ours, theirs);
    histories.set(theirs, known);
    const commits = await known;
    // What could not be had now may be there at the next question.
    if (commits === 'unknown') histories.delete(theirs);
    if (typeof commits === 'string') return commits;
    const replaces = (commit: CommitInfo) => {
      const claim = parse(commit);
      if (claim?.apps.includes(app) && claim.environments.includes(environment)) return true;
      return commit.message.includes(`This reverts commit ${ours}`);
    };
    if (commits.some(replaces)) return 'replaced';
    const folders = foldersOf(app);
    const byPerson = folders.length > 0 && commits.some((commit) => parse(commit) === null);
    return byPerson && (await isOverwritten(repository, ours, theirs, folders)) === true ? 'replaced' : 'ours';
  };
}

async function history(
  repository: GitRepository,
  ours: string,
  theirs: string,
): Promise<readonly CommitInfo[] | 'unrelated' | 'unknown'> {
  try {
    if (!(await repository.isAncestor(ours, theirs))) return 'unrelated';
    return await repository.log(ours, theirs);
  } catch {
    // A commit that the remote does not give, or a remote that does not answer: then nothing is claimed about it.
    return 'unknown';
  }
}
