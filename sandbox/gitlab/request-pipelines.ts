import { accessLevel } from './access.ts';
import type { Engine } from './engine.ts';
import { mergedTree } from './merge.ts';
import { git, moveRef, readRef, writeCommit } from './repositories.ts';
import type { MergeRequest, State, User } from './state.ts';

/** Pipelines of merge requests: app/services/merge_requests/create_pipeline_service.rb of GitLab. */

/**
 * A pipeline for a merge request's head: of the merged result where the project wants that and the branches can be
 * merged, else of the head alone. A fork's pipeline runs in the fork, without anything of the project that is asked,
 * unless somebody with rights there starts it.
 */
export async function requestPipeline(state: State, engine: Engine, request: MergeRequest, user: User) {
  const { project, sourceProject, sha } = request;
  const target = await readRef(state, project, `refs/heads/${request.targetBranch}`);
  const base = target ? (await git(state, project.repository, ['merge-base', target, sha]).catch(() => '')).trim() : '';
  const common = { source: 'merge_request_event', user, mergeRequest: request, sourceSha: sha };
  if (sourceProject !== project && accessLevel(state, user, project) < 30)
    return engine.create({
      ...common,
      project: sourceProject,
      sha,
      ref: request.sourceBranch,
      changesBase: base || null,
    });
  const tree = project.mergedResults && target ? await mergedTree(state, request) : null;
  if (tree === null || target === null)
    return engine.create({
      ...common,
      project,
      sha,
      ref: `refs/merge-requests/${request.iid}/head`,
      changesBase: base || null,
    });
  const ref = `refs/merge-requests/${request.iid}/merge`;
  const merged = await writeCommit(state, project, {
    parents: [target, sha],
    tree,
    message: `Merge ${sha} into ${target}`,
    author: { name: user.name, email: user.email },
  });
  await moveRef(state, project, ref, merged);
  return engine.create({ ...common, project, sha: merged, ref, targetSha: target, changesBase: target });
}
