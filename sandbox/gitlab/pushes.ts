import { commitOf, git, readRef, zeros } from './repositories.ts';
import { requestPipeline } from './request-pipelines.ts';
import { requestsFrom } from './source-branch.ts';
import type { Engine } from './engine.ts';
import type { MergeRequest, Project, State, User } from './state.ts';
import { createMergeRequest, touchMergeRequest } from './merge.ts';

/** One ref that has moved. */
export interface RefUpdate {
  readonly ref: string;
  readonly before: string;
  readonly after: string;
}

/** What GitLab does after a push or an API commit: events, merge requests, pipelines. */
export async function afterPush(
  state: State,
  engine: Engine,
  push: {
    readonly project: Project;
    readonly user: User;
    readonly updates: readonly RefUpdate[];
    readonly options?: readonly string[];
    /** Pushes by job tokens start none. */
    readonly pipelines: boolean;
  },
): Promise<void> {
  const options = push.options ?? [];
  for (const update of push.updates) {
    const tag = update.ref.startsWith('refs/tags/');
    const name = update.ref.replace(/^refs\/(heads|tags)\//, '');
    const commit = update.after === zeros ? null : await commitOf(state, push.project, update.after);
    state.emit({
      type: 'push',
      project: push.project.path,
      ref: name,
      before: update.before,
      after: update.after,
      username: push.user.username,
      subject: commit?.title ?? '',
    });
    if (!commit) continue;
    const skip = options.includes('ci.skip') || /\[(skip ci|ci skip)\]/i.test(commit.message);
    if (!tag) await pushedRequests(state, push, name, update.after, options);
    if (skip || !push.pipelines || !/^refs\/(heads|tags)\//.test(update.ref)) continue;
    const after = tag
      ? await git(state, push.project.repository, ['rev-parse', `${update.after}^{commit}`])
      : update.after;
    const base = update.before === zeros ? null : update.before;
    const common = { project: push.project, sha: after.trim(), user: push.user };
    await engine.create({ ...common, ref: name, tag, beforeSha: update.before, source: 'push', changesBase: base });
    if (tag) continue;
    for (const request of requestsFrom(state, push.project, name))
      await requestPipeline(state, engine, request, push.user);
  }
}

/** Merge requests of a pushed branch follow it; push options open new ones. */
async function pushedRequests(
  state: State,
  push: { readonly project: Project; readonly user: User },
  branch: string,
  sha: string,
  options: readonly string[],
): Promise<void> {
  const { project } = push;
  for (const request of requestsFrom(state, project, branch)) await touchMergeRequest(state, request, sha, push.user);
  for (const request of project.mergeRequests)
    if (request.state === 'opened' && request.targetBranch === branch && request.sha !== sha)
      await noticeMerged(state, request, sha, push.user);
  const value = (name: string) =>
    options
      .find((option) => option.startsWith(`merge_request.${name}=`))
      ?.split('=')
      .slice(1)
      .join('=');
  if (!options.includes('merge_request.create')) return;
  const target = value('target') ?? project.defaultBranch;
  const open = project.mergeRequests.some(
    (each) => each.state === 'opened' && each.sourceBranch === branch && each.targetBranch === target,
  );
  if (open || branch === target) return;
  const commit = await commitOf(state, project, sha);
  await createMergeRequest(state, {
    project,
    sourceProject: project,
    author: push.user,
    sourceBranch: branch,
    targetBranch: target,
    title: value('title') ?? commit.title,
    description: value('description') ?? '',
    labels: options.filter((option) => option.startsWith('merge_request.label=')).map((option) => option.slice(20)),
    removeSourceBranch: options.includes('merge_request.remove_source_branch'),
    squash: options.includes('merge_request.squash'),
  });
}

/** A request whose head a push brought into the target counts as merged. */
async function noticeMerged(state: State, request: MergeRequest, targetSha: string, user: User): Promise<void> {
  if ((await readRef(state, request.sourceProject, `refs/heads/${request.sourceBranch}`)) === null) return;
  const contained = await git(state, request.project.repository, [
    'merge-base',
    '--is-ancestor',
    request.sha,
    targetSha,
  ]).then(
    () => true,
    () => false,
  );
  if (!contained || request.sha === request.baseSha) return;
  request.state = 'merged';
  request.mergedAt = state.time();
  request.mergeUser = user;
  request.mergeCommit = targetSha;
  request.updatedAt = state.time();
  state.emit({
    type: 'merge_request',
    project: request.project.path,
    iid: request.iid,
    action: 'merge',
    title: request.title,
    username: user.username,
  });
}
