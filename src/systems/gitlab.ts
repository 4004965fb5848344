import type { MergeRequestRef } from '../delivery/commit.ts';
import type { StatusReport, StatusState } from '../status/report.ts';

/** GitLab, in sluice's words: the few answers that are used, each parsed by a schema. */

export interface GitLabProject {
  readonly id: number;
  readonly path: string;
  readonly webUrl: string;
  readonly httpUrl: string;
  readonly defaultBranch: string | null;
}

export interface GitLabPipeline {
  readonly id: number;
  readonly sha: string;
  readonly ref: string;
  readonly status: string;
  readonly source: string;
  readonly webUrl: string;
  readonly yamlErrors: string | null;
  /** When it last ended, milliseconds since the epoch; null: not yet, or not told (lists do not). */
  readonly finishedAt: number | null;
}

/** A commit status as it stands (latest rows only). */
export interface GitLabStatus {
  readonly id: number;
  readonly name: string;
  readonly state: StatusState | 'created' | 'manual' | 'scheduled';
  readonly pipelineId: number | null;
  readonly description: string | null;
  readonly targetUrl: string | null;
  readonly author: string | null;
}

export interface GitLabJob {
  readonly id: number;
  readonly name: string;
  readonly status: string;
  readonly pipelineId: number;
}

export interface GitLabDeployment {
  readonly id: number;
  readonly sha: string;
  readonly state: 'created' | 'running' | 'success' | 'failed' | 'canceled' | 'skipped' | 'blocked';
}

export interface GitLabMergeRequest extends MergeRequestRef {
  readonly sha: string;
  readonly title: string;
  readonly description: string;
  readonly author: string;
  readonly mergeCommit: string | null;
  readonly targetBranch: string;
  /** Its source branch is another project's: anybody may have named it so. */
  readonly fork: boolean;
  readonly draft: boolean;
  readonly detailedMergeStatus: string;
}

/**
 * How a post was answered. posted · same: the status already had that state (GitLab's 400) · out-of-order: GitLab's
 * state machine does not permit the step (e.g. running → pending) · pipeline-missing: 404 for the pipeline id with this
 * commit and ref (gone, archived) · commit-missing: 404 for commit or project · invalid: 400 with a field's fault, or
 * 422 where the pipeline is full.
 */
export interface PostAnswer {
  readonly outcome: 'posted' | 'same' | 'out-of-order' | 'pipeline-missing' | 'commit-missing' | 'invalid';
  /** Of the status, where posted. */
  readonly id: number | null;
  readonly pipelineId: number | null;
  /** GitLab's words where it was not posted. */
  readonly message: string;
}

/**
 * One GitLab, with one token. `project` is a path or an id. Reads answer null for 404.
 * All reject with `Fault`: `token_refused` (401, 403), `gitlab_unavailable` (network, 429 and 5xx after all retries).
 */
export interface GitLab {
  readonly url: string;
  /** The same GitLab, its requests ended by another signal. */
  within(signal: AbortSignal): GitLab;
  /** Username of the token's bot. */
  me(): Promise<string>;
  project(project: string): Promise<GitLabProject | null>;
  commit(project: string, sha: string): Promise<{ readonly sha: string; readonly message: string } | null>;
  pipelines(
    project: string,
    filter: { readonly sha?: string; readonly ref?: string },
  ): Promise<readonly GitLabPipeline[]>;
  pipeline(project: string, id: number): Promise<GitLabPipeline | null>;
  job(project: string, id: number): Promise<GitLabJob | null>;
  statuses(
    project: string,
    sha: string,
    filter?: { readonly pipelineId?: number; readonly name?: string },
  ): Promise<readonly GitLabStatus[]>;
  /** One post. Sends `pipeline_id` where the report has one, else `ref`: GitLab answers 404 when the two disagree. */
  postStatus(report: StatusReport): Promise<PostAnswer>;
  /** Open merge requests (or those of `state`); with `sourceBranch` only those from a branch of the project itself. */
  mergeRequests(
    project: string,
    filter: {
      readonly sourceBranch?: string;
      readonly targetBranch?: string;
      readonly state?: 'opened' | 'locked' | 'all';
    },
  ): Promise<readonly GitLabMergeRequest[]>;
  mergeRequest(project: string, iid: number): Promise<GitLabMergeRequest | null>;
  createMergeRequest(
    project: string,
    fields: {
      readonly sourceBranch: string;
      readonly targetBranch: string;
      readonly title: string;
      readonly description: string;
      readonly labels: readonly string[];
    },
  ): Promise<GitLabMergeRequest>;
  updateMergeRequest(
    project: string,
    iid: number,
    fields: { readonly title?: string; readonly description?: string; readonly state?: 'close' },
  ): Promise<GitLabMergeRequest>;
  /** Merge when the pipeline succeeds (both parameter names are sent); waits until GitLab has computed mergeability. */
  autoMerge(project: string, iid: number, sha: string): Promise<void>;
  /** Merge requests that a commit belongs to. */
  commitMergeRequests(project: string, sha: string): Promise<readonly GitLabMergeRequest[]>;
  /** Contexts that this job may use (`/job/allowed_agents`, job token); null where it cannot be asked. */
  allowedAgents(): Promise<
    readonly { readonly id: number; readonly configProject: string; readonly name?: string }[] | null
  >;
  /** Agents registered in a project; empty where it cannot be seen. */
  agents(project: string): Promise<readonly { readonly id: number; readonly name: string }[]>;
  /** Creates or changes an environment. An agent that the token may not use is ignored by GitLab without a word. */
  saveEnvironment(
    project: string,
    name: string,
    fields: {
      readonly clusterAgentId?: number;
      readonly kubernetesNamespace?: string;
      readonly fluxResourcePath?: string;
    },
  ): Promise<void>;
  /** The newest 20 deployments to an environment, newest first. */
  deployments(project: string, environment: string): Promise<readonly GitLabDeployment[]>;
  /** Creates a deployment, and the environment where there is none. */
  createDeployment(
    project: string,
    fields: {
      readonly environment: string;
      readonly sha: string;
      readonly ref: string;
      readonly state: 'success' | 'failed' | 'canceled';
    },
  ): Promise<GitLabDeployment>;
  /** Notes of a merge request, oldest first. */
  notes(
    project: string,
    iid: number,
  ): Promise<readonly { readonly id: number; readonly body: string; readonly author: string }[]>;
  /** Writes a note anew (`id` null) or changes one's own; answers its id. */
  saveNote(project: string, iid: number, id: number | null, body: string): Promise<number>;
}
