import { git, moveRef, readRef, resolveCommit, writeCommit, zeros } from './repositories.ts';
import { fetchSource } from './source-branch.ts';
import type { MergeRequest, Project, State, User } from './state.ts';

/** Opens a merge request; the source branch must exist. */
export async function createMergeRequest(
  state: State,
  fields: {
    readonly project: Project;
    readonly sourceProject: Project;
    readonly author: User;
    readonly sourceBranch: string;
    readonly targetBranch: string;
    readonly title: string;
    readonly description: string;
    readonly labels: readonly string[];
    readonly removeSourceBranch: boolean;
    readonly squash: boolean;
  },
): Promise<MergeRequest> {
  const { project, sourceProject } = fields;
  const sha = (await readRef(state, sourceProject, `refs/heads/${fields.sourceBranch}`)) ?? zeros;
  const now = state.time();
  const request: MergeRequest = {
    id: state.next('merge_request'),
    iid: state.next(`merge_request:${project.id}`),
    ...fields,
    createdAt: now,
    updatedAt: now,
    state: 'opened',
    sha,
    baseSha: (await resolveCommit(state, project, fields.targetBranch)) ?? zeros,
    mergedAt: null,
    closedAt: null,
    mergeUser: null,
    mergeCommit: null,
    squashCommit: null,
    autoMerge: null,
    notes: [],
    headPipeline:
      sourceProject.pipelines.findLast((each) => each.sha === sha && each.ref === fields.sourceBranch) ?? null,
    checking: state.faults.checkingReads ?? 1,
    visibleAt: state.clock.now() + (state.faults.lagMs ?? 0),
  };
  project.mergeRequests.push(request);
  await fetchSource(state, request);
  await moveRef(state, project, `refs/merge-requests/${request.iid}/head`, sha);
  announceRequest(state, request, 'open', fields.author);
  return request;
}

/** Tells of a merge request. */
export function announceRequest(
  state: State,
  request: MergeRequest,
  action: 'open' | 'update' | 'merge' | 'close' | 'note',
  user: User,
): void {
  state.emit({
    type: 'merge_request',
    project: request.project.path,
    iid: request.iid,
    action,
    title: request.title,
    username: user.username,
  });
}

/** The source branch has moved. */
export async function touchMergeRequest(state: State, request: MergeRequest, sha: string, user: User): Promise<void> {
  request.sha = sha;
  request.updatedAt = state.time();
  request.checking = state.faults.checkingReads ?? 1;
  request.headPipeline = null;
  request.autoMerge = null;
  await fetchSource(state, request);
  await moveRef(state, request.project, `refs/merge-requests/${request.iid}/head`, sha);
  announceRequest(state, request, 'update', user);
}

/** Can the branches be merged? Answers the merged tree, or null for a conflict. */
export async function mergedTree(state: State, request: MergeRequest): Promise<string | null> {
  const { project } = request;
  const target = await readRef(state, project, `refs/heads/${request.targetBranch}`);
  if (!target || request.sha === zeros) return null;
  try {
    return (
      (await git(state, project.repository, ['merge-tree', '--write-tree', target, request.sha]))
        .trim()
        .split('\n')[0] ?? null
    );
  } catch {
    return null;
  }
}

/**
 * `detailed_merge_status` (docs.gitlab.com/api/merge_requests). Each question counts down `checking`: GitLab computes
 * mergeability after the answer.
 */
export async function mergeStatus(state: State, request: MergeRequest): Promise<string> {
  if (request.state !== 'opened') return 'not_open';
  if (request.checking > 0) {
    request.checking -= 1;
    return 'checking';
  }
  if ((await readRef(state, request.sourceProject, `refs/heads/${request.sourceBranch}`)) === null)
    return 'commits_status';
  const target = await readRef(state, request.project, `refs/heads/${request.targetBranch}`);
  const contained = await git(state, request.project.repository, [
    'merge-base',
    '--is-ancestor',
    request.sha,
    target ?? zeros,
  ]).then(
    () => true,
    () => false,
  );
  if (contained) return 'commits_status';
  if (/^(draft:|\[draft\]|\(draft\))/i.test(request.title)) return 'draft_status';
  if ((await mergedTree(state, request)) === null) return 'conflict';
  if (request.project.mergeMethod === 'ff' && !(await isFastForward(state, request))) return 'need_rebase';
  if (request.project.onlyAllowMergeIfPipelineSucceeds) {
    const status = request.headPipeline?.status;
    if (status === undefined) return 'ci_must_pass';
    if (status !== 'success')
      return ['failed', 'canceled', 'skipped'].includes(status) ? 'ci_must_pass' : 'ci_still_running';
  }
  return 'mergeable';
}

async function isFastForward(state: State, request: MergeRequest): Promise<boolean> {
  const target = await readRef(state, request.project, `refs/heads/${request.targetBranch}`);
  return git(state, request.project.repository, ['merge-base', '--is-ancestor', target ?? zeros, request.sha]).then(
    () => true,
    () => false,
  );
}

/** What a merge is asked to do. */
export interface MergeOptions {
  readonly squash?: boolean | undefined;
  readonly removeSourceBranch?: boolean | undefined;
  readonly mergeMessage?: string | undefined;
  readonly squashMessage?: string | undefined;
}

/** Merges by the project's method. Answers the ref updates, or null for a conflict. */
export async function mergeNow(
  state: State,
  request: MergeRequest,
  user: User,
  options: MergeOptions,
): Promise<readonly { readonly ref: string; readonly before: string; readonly after: string }[] | null> {
  const { project } = request;
  const before = await readRef(state, project, `refs/heads/${request.targetBranch}`);
  const tree = await mergedTree(state, request);
  if (!before || !tree) return null;
  const author = { name: user.name, email: user.email };
  const squash = project.squash === 'always' || (project.squash !== 'never' && (options.squash ?? request.squash));
  let head = request.sha;
  if (squash) {
    const base = (await git(state, project.repository, ['merge-base', before, request.sha])).trim();
    const squashTree = (await git(state, project.repository, ['rev-parse', `${request.sha}^{tree}`])).trim();
    const parent = project.mergeMethod === 'merge' ? base : before;
    head = await writeCommit(state, project, {
      parents: [parent],
      tree: project.mergeMethod === 'merge' ? squashTree : tree,
      message: options.squashMessage ?? `${request.title}\n`,
      author: { name: request.author.name, email: request.author.email },
      committer: author,
    });
    request.squashCommit = head;
  }
  let after = head;
  if (project.mergeMethod !== 'ff') {
    const message =
      options.mergeMessage ??
      `Merge branch '${request.sourceBranch}' into '${request.targetBranch}'\n\n${request.title}\n\nSee merge request ${project.path}!${request.iid}\n`;
    after = await writeCommit(state, project, { parents: [before, head], tree, message, author });
    request.mergeCommit = after;
  }
  await moveRef(state, project, `refs/heads/${request.targetBranch}`, after, before);
  const updates = [{ ref: `refs/heads/${request.targetBranch}`, before, after }];
  request.state = 'merged';
  request.mergedAt = state.time();
  request.updatedAt = state.time();
  request.mergeUser = user;
  request.autoMerge = null;
  if ((options.removeSourceBranch ?? request.removeSourceBranch) && request.sourceProject === project) {
    await moveRef(state, project, `refs/heads/${request.sourceBranch}`, zeros, request.sha);
    updates.push({ ref: `refs/heads/${request.sourceBranch}`, before: request.sha, after: zeros });
  }
  announceRequest(state, request, 'merge', user);
  return updates;
}
