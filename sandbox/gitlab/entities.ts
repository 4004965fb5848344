import { accessLevel } from './access.ts';
import type { Commit } from './repositories.ts';
import type { Deployment, Environment, Pipeline, Project, Row, State, User } from './state.ts';

/** GitLab's answers, as `api.json` describes them. */

export function userEntity(state: State, user: User) {
  return {
    id: user.id,
    username: user.username,
    name: user.name,
    state: 'active',
    locked: false,
    avatar_url: null,
    web_url: `${state.url}/${user.username}`,
  };
}

export function commitEntity(state: State, project: Project, commit: Commit) {
  const trailers = Object.fromEntries(trailersOf(commit.message));
  const extended: Record<string, string[]> = {};
  for (const [key, value] of trailersOf(commit.message)) (extended[key] ??= []).push(value);
  return {
    id: commit.id,
    short_id: commit.id.slice(0, 8),
    created_at: commit.committedDate,
    parent_ids: commit.parents,
    title: commit.title,
    message: commit.message,
    author_name: commit.authorName,
    author_email: commit.authorEmail,
    authored_date: commit.authoredDate,
    committer_name: commit.committerName,
    committer_email: commit.committerEmail,
    committed_date: commit.committedDate,
    trailers,
    extended_trailers: extended,
    web_url: `${state.url}/${project.path}/-/commit/${commit.id}`,
  };
}

function trailersOf(message: string): readonly (readonly [string, string])[] {
  const block =
    message
      .trimEnd()
      .split(/\n\s*\n/)
      .at(-1) ?? '';
  const lines = block.split('\n').map((line) => /^([A-Za-z][\w-]*): (.*)$/.exec(line));
  if (!message.includes('\n\n') || !lines.every((line) => line !== null)) return [];
  return lines.map((line) => [line[1] ?? '', line[2] ?? ''] as const);
}

export function basicPipelineEntity(state: State, pipeline: Pipeline) {
  return {
    id: pipeline.id,
    iid: pipeline.iid,
    project_id: pipeline.project.id,
    sha: pipeline.sha,
    ref: pipeline.ref,
    status: pipeline.status,
    source: pipeline.source,
    created_at: pipeline.createdAt,
    updated_at: pipeline.updatedAt,
    web_url: `${state.url}/${pipeline.project.path}/-/pipelines/${pipeline.id}`,
  };
}

const seconds = (from: string | null, to: string | null) =>
  from && to ? Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000) : null;

export function pipelineEntity(state: State, pipeline: Pipeline) {
  const duration = seconds(pipeline.startedAt, pipeline.finishedAt);
  const queued = seconds(pipeline.createdAt, pipeline.startedAt);
  return {
    ...basicPipelineEntity(state, pipeline),
    before_sha: pipeline.beforeSha,
    tag: pipeline.tag,
    yaml_errors: pipeline.yamlErrors,
    user: userEntity(state, pipeline.user),
    started_at: pipeline.startedAt,
    finished_at: pipeline.finishedAt,
    committed_at: null,
    duration: duration === null ? null : Math.round(duration),
    queued_duration: queued === null ? null : Math.round(queued),
    coverage: null,
    detailed_status: {
      icon: `status_${pipeline.status}`,
      text: pipeline.status,
      label: pipeline.status,
      group: pipeline.status,
      tooltip: pipeline.status,
      has_details: true,
      details_path: `/${pipeline.project.path}/-/pipelines/${pipeline.id}`,
      illustration: null,
      favicon: `/assets/ci_favicons/favicon_status_${pipeline.status}.png`,
    },
  };
}

export function statusEntity(state: State, row: Row) {
  return {
    id: row.id,
    sha: row.pipeline.sha,
    ref: row.pipeline.ref,
    status: row.status,
    name: row.name,
    target_url: row.targetUrl,
    description: row.description,
    created_at: row.createdAt,
    started_at: row.startedAt,
    finished_at: row.finishedAt,
    allow_failure: row.allowFailure,
    coverage: row.coverage,
    pipeline_id: row.pipeline.id,
    author: userEntity(state, row.user),
  };
}

/** As `play` answers it. */
export function basicJobEntity(state: State, row: Row, commit: Commit | null) {
  const { pipeline } = row;
  return {
    id: row.id,
    status: row.status,
    stage: row.stage,
    name: row.name,
    ref: pipeline.ref,
    tag: pipeline.tag,
    coverage: row.coverage,
    allow_failure: row.allowFailure,
    created_at: row.createdAt,
    started_at: row.startedAt,
    finished_at: row.finishedAt,
    erased_at: null,
    duration: seconds(row.startedAt, row.finishedAt),
    queued_duration: seconds(row.queuedAt, row.startedAt),
    user: userEntity(state, row.user),
    commit: commit ? commitEntity(state, pipeline.project, commit) : null,
    pipeline: basicPipelineEntity(state, pipeline),
    ...(row.failureReason ? { failure_reason: row.failureReason } : {}),
    web_url: `${state.url}/${pipeline.project.path}/-/jobs/${row.id}`,
    project: { ci_job_token_scope_enabled: true },
  };
}

export function jobEntity(state: State, row: Row, commit: Commit | null) {
  return {
    ...basicJobEntity(state, row, commit),
    artifacts: [],
    runner: null,
    runner_manager: null,
    artifacts_expire_at: null,
    archived: false,
    tag_list: [],
  };
}

/** A trigger job. */
export function bridgeEntity(state: State, row: Row, commit: Commit | null) {
  return {
    ...basicJobEntity(state, row, commit),
    downstream_pipeline: row.downstream ? basicPipelineEntity(state, row.downstream) : null,
  };
}

export function basicProjectEntity(state: State, project: Project, emptyRepo = false) {
  const namespace = project.path.split('/').slice(0, -1).join('/');
  const path = project.path.split('/').at(-1) ?? '';
  return {
    id: project.id,
    description: project.description,
    name: project.name,
    name_with_namespace: `${namespace.split('/').join(' / ')} / ${project.name}`,
    path,
    path_with_namespace: project.path,
    created_at: project.createdAt,
    default_branch: emptyRepo ? null : project.defaultBranch,
    tag_list: [],
    topics: [],
    ssh_url_to_repo: `git@${state.host.split(':')[0]}:${project.path}.git`,
    http_url_to_repo: `${state.url}/${project.path}.git`,
    web_url: `${state.url}/${project.path}`,
    readme_url: null,
    forks_count: 0,
    avatar_url: null,
    star_count: 0,
    last_activity_at: project.createdAt,
    namespace: {
      id: state.groups.get(namespace.toLowerCase())?.id ?? 0,
      name: namespace.split('/').at(-1) ?? '',
      path: namespace.split('/').at(-1) ?? '',
      kind: 'group',
      full_path: namespace,
      parent_id: null,
      avatar_url: null,
      web_url: `${state.url}/groups/${namespace}`,
    },
  };
}

export function projectEntity(state: State, project: Project, user: User | null, emptyRepo: boolean) {
  const level = user ? accessLevel(state, user, project) : 0;
  return {
    ...basicProjectEntity(state, project, emptyRepo),
    container_registry_image_prefix: state.registry ? `${state.registry.host}/${project.path.toLowerCase()}` : null,
    _links: { self: `${state.url}/api/v4/projects/${project.id}` },
    packages_enabled: true,
    empty_repo: emptyRepo,
    archived: false,
    visibility: project.visibility,
    issues_enabled: true,
    merge_requests_enabled: true,
    jobs_enabled: true,
    container_registry_enabled: state.registry !== null,
    container_registry_access_level: state.registry === null ? 'disabled' : 'enabled',
    container_expiration_policy: { ...project.cleanup, next_run_at: project.createdAt },
    merge_pipelines_enabled: project.mergedResults,
    can_create_merge_request_in: true,
    shared_runners_enabled: true,
    ci_default_git_depth: 20,
    ci_forward_deployment_enabled: true,
    ci_forward_deployment_rollback_allowed: true,
    ci_job_token_scope_enabled: true,
    build_timeout: 3600,
    auto_cancel_pending_pipelines: 'enabled',
    ci_push_repository_for_job_token_allowed: project.jobTokenPush,
    ci_config_path: '',
    only_allow_merge_if_pipeline_succeeds: project.onlyAllowMergeIfPipelineSucceeds,
    remove_source_branch_after_merge: project.removeSourceBranch,
    merge_method: project.mergeMethod,
    squash_option: project.squash,
    permissions: {
      project_access: level > 0 ? { access_level: level, notification_level: 3 } : null,
      group_access: null,
    },
  };
}

export function environmentEntity(state: State, environment: Environment) {
  return {
    ...basicEnvironmentEntity(environment),
    tier: environment.tier,
    state: environment.state,
    auto_stop_at: null,
    kubernetes_namespace: environment.kubernetesNamespace,
    flux_resource_path: environment.fluxResourcePath,
    description: environment.description,
    auto_stop_setting: environment.autoStopSetting,
  };
}

function basicEnvironmentEntity(environment: Environment) {
  return {
    id: environment.id,
    name: environment.name,
    slug: environment.slug,
    external_url: environment.externalUrl,
    created_at: environment.createdAt,
    updated_at: environment.updatedAt,
  };
}

export function deploymentEntity(state: State, deployment: Deployment) {
  return {
    id: deployment.id,
    iid: deployment.iid,
    ref: deployment.ref,
    sha: deployment.sha,
    created_at: deployment.createdAt,
    updated_at: deployment.updatedAt,
    user: userEntity(state, deployment.user),
    environment: basicEnvironmentEntity(deployment.environment),
    deployable: deployment.job ? jobEntity(state, deployment.job, null) : null,
    status: deployment.status,
  };
}
