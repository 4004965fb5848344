import type { GitRepository } from '../systems/git.ts';

/**
 * Are values that commit `ours` set below these folders gone in `theirs`? A value is a line that ours has and its first
 * parent has not, in a manifest; it is gone where the same file of theirs lacks it. null where a tree is not to be had
 * (a shallow clone): then nothing is claimed.
 */
export async function isOverwritten(
  repository: GitRepository,
  ours: string,
  theirs: string,
  folders: readonly string[],
): Promise<boolean | null> {
  try {
    const [parent] = (await repository.commit(ours)).parents;
    if (parent === undefined) return null;
    const below = folders.includes('.') ? undefined : folders;
    const [before, set, now] = await Promise.all(
      [parent, ours, theirs].map(async (sha) => oidsOf(repository, sha, below)),
    );
    for (const [path, oid] of set!) {
      if (before!.get(path) === oid || now!.get(path) === oid) continue;
      const [old, own, other] = await Promise.all(
        [before!.get(path), oid, now!.get(path)].map(async (one) => linesOf(repository, one)),
      );
      for (const line of own!) if (!old!.has(line) && !other!.has(line)) return true;
    }
    return false;
  } catch {
    return null;
  }
}

async function oidsOf(
  repository: GitRepository,
  sha: string,
  folders: readonly string[] | undefined,
): Promise<ReadonlyMap<string, string>> {
  const entries = await repository.tree(sha, folders);
  return new Map(entries.filter(({ path }) => /\.ya?ml$/.test(path)).map(({ path, oid }) => [path, oid]));
}

async function linesOf(repository: GitRepository, oid: string | undefined): Promise<ReadonlySet<string>> {
  const lines = new Set<string>();
  if (oid === undefined) return lines;
  for await (const { content } of repository.blobs([oid]))
    for (const line of Buffer.from(content).toString().split('\n')) {
      const text = line.trim();
      if (text !== '' && !text.startsWith('#')) lines.add(text);
    }
  return lines;
}
