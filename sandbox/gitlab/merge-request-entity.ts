import { userEntity } from './entities.ts';
import type { MergeRequest, State } from './state.ts';

/** `detailed` is `detailed_merge_status`, computed by the caller (asking counts). */
export function mergeRequestEntity(state: State, request: MergeRequest, detailed: string) {
  const mergeable = detailed === 'mergeable' || detailed === 'ci_still_running' || detailed === 'ci_must_pass';
  return {
    id: request.id,
    iid: request.iid,
    project_id: request.project.id,
    title: request.title,
    description: request.description,
    state: request.state,
    created_at: request.createdAt,
    updated_at: request.updatedAt,
    merged_by: request.mergeUser ? userEntity(state, request.mergeUser) : null,
    merge_user: request.mergeUser ? userEntity(state, request.mergeUser) : null,
    merged_at: request.mergedAt,
    closed_by: null,
    closed_at: request.closedAt,
    target_branch: request.targetBranch,
    source_branch: request.sourceBranch,
    user_notes_count: request.notes.filter((note) => !note.system).length,
    upvotes: 0,
    downvotes: 0,
    author: userEntity(state, request.author),
    assignees: [],
    assignee: null,
    reviewers: [],
    source_project_id: request.sourceProject.id,
    target_project_id: request.project.id,
    labels: request.labels,
    draft: detailed === 'draft_status',
    imported: false,
    imported_from: 'none',
    work_in_progress: detailed === 'draft_status',
    milestone: null,
    merge_when_pipeline_succeeds: request.autoMerge !== null,
    merge_status:
      detailed === 'checking'
        ? 'checking'
        : mergeable || request.state === 'merged'
          ? 'can_be_merged'
          : 'cannot_be_merged',
    detailed_merge_status: detailed,
    merge_after: null,
    sha: request.sha,
    merge_commit_sha: request.mergeCommit,
    squash_commit_sha: request.squashCommit,
    discussion_locked: null,
    should_remove_source_branch: null,
    force_remove_source_branch: request.removeSourceBranch,
    prepared_at: request.createdAt,
    reference: `!${request.iid}`,
    references: {
      short: `!${request.iid}`,
      relative: `!${request.iid}`,
      full: `${request.project.path}!${request.iid}`,
    },
    web_url: `${state.url}/${request.project.path}/-/merge_requests/${request.iid}`,
    time_stats: { time_estimate: 0, total_time_spent: 0, human_time_estimate: null, human_total_time_spent: null },
    squash: request.squash,
    squash_on_merge: request.squash,
    task_completion_status: { count: 0, completed_count: 0 },
    has_conflicts: detailed === 'conflict',
    blocking_discussions_resolved: true,
  };
}
