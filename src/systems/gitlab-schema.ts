import { z } from 'zod';
import type { GitLabJob, GitLabMergeRequest, GitLabPipeline, GitLabProject, GitLabStatus } from './gitlab.ts';

/** GitLab's answers, of each only the fields that sluice uses (reference: docs.gitlab.com/api). */

const optionalText = z.string().nullish();
const author = z.object({ username: z.string() }).nullish();

export const userSchema = z.object({ username: z.string() }).transform((user) => user.username);

export const projectSchema = z
  .object({
    id: z.number(),
    path_with_namespace: z.string(),
    web_url: z.string(),
    http_url_to_repo: z.string(),
    default_branch: optionalText,
  })
  .transform((project): GitLabProject => ({
    id: project.id,
    path: project.path_with_namespace,
    webUrl: project.web_url,
    httpUrl: project.http_url_to_repo,
    defaultBranch: project.default_branch ?? null,
  }));

export const commitSchema = z
  .object({ id: z.string(), message: optionalText })
  .transform((commit) => ({ sha: commit.id, message: commit.message ?? '' }));

/** `yaml_errors` and `finished_at` are only in the answer for one pipeline, `source` not in those of old servers. */
export const pipelineSchema = z
  .object({
    id: z.number(),
    sha: z.string(),
    ref: optionalText,
    status: z.string(),
    source: optionalText,
    web_url: optionalText,
    yaml_errors: optionalText,
    finished_at: optionalText,
  })
  .transform((pipeline): GitLabPipeline => ({
    id: pipeline.id,
    sha: pipeline.sha,
    ref: pipeline.ref ?? '',
    status: pipeline.status,
    source: pipeline.source ?? 'unknown',
    webUrl: pipeline.web_url ?? '',
    yamlErrors: pipeline.yaml_errors ?? null,
    finishedAt: timeOf(pipeline.finished_at),
  }));

/** ISO 8601 as milliseconds since the epoch; null where there is none. */
function timeOf(text: string | null | undefined): number | null {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? null : time;
}

export const jobSchema = z
  .object({
    id: z.number(),
    name: z.string(),
    status: z.string(),
    pipeline: z.object({ id: z.number() }),
  })
  .transform((job): GitLabJob => ({ id: job.id, name: job.name, status: job.status, pipelineId: job.pipeline.id }));

/** `pipeline_id` is not in the answers of old servers. */
export const statusSchema = z
  .object({
    id: z.number(),
    name: z.string(),
    status: z
      .enum(['pending', 'running', 'success', 'failed', 'canceled', 'skipped', 'created', 'manual', 'scheduled'])
      .catch('created'),
    pipeline_id: z.number().nullish(),
    description: optionalText,
    target_url: optionalText,
    author,
  })
  .transform((status): GitLabStatus => ({
    id: status.id,
    name: status.name,
    state: status.status,
    pipelineId: status.pipeline_id ?? null,
    description: status.description ?? null,
    targetUrl: status.target_url ?? null,
    author: status.author?.username ?? null,
  }));

export const mergeRequestSchema = z
  .object({
    iid: z.number(),
    web_url: z.string(),
    state: z.enum(['opened', 'merged', 'closed', 'locked']),
    source_branch: z.string(),
    target_branch: z.string(),
    source_project_id: z.number().nullish(),
    target_project_id: z.number().nullish(),
    draft: z.boolean().nullish(),
    sha: optionalText,
    title: z.string(),
    description: optionalText,
    author,
    merge_commit_sha: optionalText,
    squash_commit_sha: optionalText,
    detailed_merge_status: optionalText,
    merge_status: optionalText,
  })
  .transform((request): GitLabMergeRequest => ({
    iid: request.iid,
    url: request.web_url,
    state: request.state,
    branch: request.source_branch,
    targetBranch: request.target_branch,
    // null: the fork is gone.
    fork: request.source_project_id !== undefined && request.source_project_id !== request.target_project_id,
    draft: request.draft === true,
    sha: request.sha ?? '',
    title: request.title,
    description: request.description ?? '',
    author: request.author?.username ?? '',
    mergeCommit: request.merge_commit_sha ?? request.squash_commit_sha ?? null,
    detailedMergeStatus: request.detailed_merge_status ?? request.merge_status ?? 'unchecked',
  }));

/** The config project is an object with its id, on newer servers also its path. */
export const allowedAgentsSchema = z
  .object({
    allowed_agents: z.array(
      z.object({
        id: z.number(),
        name: z.string().optional(),
        config_project: z.object({
          id: z.number(),
          path_with_namespace: z.string().optional(),
          path: z.string().optional(),
        }),
      }),
    ),
  })
  .transform((answer) =>
    answer.allowed_agents.map((agent) => ({
      id: agent.id,
      configProject:
        agent.config_project.path_with_namespace ?? agent.config_project.path ?? String(agent.config_project.id),
      ...(agent.name === undefined ? {} : { name: agent.name }),
    })),
  );
