import { Fault } from '../../fault.ts';
import type { DeliveryClone } from '../../systems/git-remote.ts';
import type { GitLab, GitLabMergeRequest } from '../../systems/gitlab.ts';
import type { Proposal } from './proposal.ts';

/** Branch of the proposal's merge request; only ever rewritten while its tip is ours. */
const BRANCH = 'sluice/init';

/**
 * Opens (or renews) the merge request with the new files of a proposal; what differs is told in its description. Faults
 * `branch_taken`, `contention`, those of the push and of GitLab.
 */
export async function openRequest(
  { files, notes }: Pick<Proposal, 'files' | 'notes'>,
  { project, steps }: { readonly project: string; readonly steps: string },
  systems: { readonly clone: DeliveryClone; readonly gitlab: GitLab; readonly signal: AbortSignal },
): Promise<GitLabMergeRequest> {
  const { clone, gitlab, signal } = systems;
  const head = await clone.head();
  const added = new Map(
    files.filter(({ state }) => state === 'new').map(({ path, text }) => [path, Buffer.from(text)]),
  );
  const tip = await clone.remoteBranch(BRANCH, signal);
  if (tip !== null && !tip.ours) {
    throw new Fault('branch_taken', `branch ${BRANCH}: its last commit ${tip.sha.slice(0, 12)} is not sluice's`, {
      hint: 'Merge or delete that branch, then run again.',
    });
  }
  const sha = await clone.commit(head, added, 'Set up sluice\n');
  if ((await clone.push(sha, BRANCH, { lease: tip?.sha ?? '', signal })) === 'raced')
    throw new Fault('contention', `${BRANCH} was rewritten by somebody else meanwhile`);
  const title = 'Set up sluice';
  const description = descriptionOf(files, notes, steps);
  const filter = { sourceBranch: BRANCH, targetBranch: clone.branch, state: 'opened' } as const;
  const [open] = await gitlab.mergeRequests(project, filter);
  if (open) return gitlab.updateMergeRequest(project, open.iid, { title, description });
  return gitlab.createMergeRequest(project, {
    sourceBranch: BRANCH,
    targetBranch: clone.branch,
    title,
    description,
    labels: ['sluice'],
  });
}

function descriptionOf(files: Proposal['files'], notes: readonly string[], steps: string): string {
  const differs = files.filter(({ state }) => state === 'differs');
  return [
    'New files only; what stands is left as it is.',
    ...(notes.length > 0 ? ['', ...notes.map((note) => `- ${note}`)] : []),
    ...(differs.length > 0
      ? ['', '### To be changed by a person', ...differs.flatMap(({ diff }) => ['', '```diff', diff.trimEnd(), '```'])]
      : []),
    '',
    '### Once, by hand',
    '',
    steps,
    '',
  ].join('\n');
}
