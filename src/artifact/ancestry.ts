import { Fault } from '../fault.ts';
import { shortCommit } from '../revision.ts';
import type { GitRepository } from '../systems/git.ts';

/** How our commit stands to another: `ahead`: it contains the other · `behind`: the other contains it. */
export type Relation = 'same' | 'ahead' | 'behind' | 'diverged';

/** Questions about history, each asked of git once. */
export interface Ancestry {
  /** A commit that nobody has any more counts as `diverged`. */
  relation(theirs: string): Promise<Relation>;
  /** First 12 digits of commits that ours contains, as far as the clone shows them. */
  ancestors(): Promise<ReadonlySet<string>>;
}

/** `ours`: 40 hex digits. */
export function ancestryOf(git: GitRepository, ours: string): Ancestry {
  const known = new Map<string, Promise<Relation>>();
  let shown: Promise<ReadonlySet<string>> | undefined;
  async function ask(theirs: string): Promise<Relation> {
    if (theirs === ours) return 'same';
    try {
      if (await git.isAncestor(theirs, ours)) return 'ahead';
      return (await git.isAncestor(ours, theirs)) ? 'behind' : 'diverged';
    } catch (error) {
      if (error instanceof Fault && error.code === 'commit_missing') return 'diverged';
      throw error;
    }
  }
  return {
    relation(theirs) {
      const answer = known.get(theirs) ?? ask(theirs);
      known.set(theirs, answer);
      return answer;
    },
    ancestors() {
      shown ??= git.log(null, ours, 10_000).then((commits) => new Set(commits.map(({ sha }) => shortCommit(sha))));
      return shown;
    },
  };
}
