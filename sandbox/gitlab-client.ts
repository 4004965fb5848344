import type { GitLabServer } from './gitlab/handle.ts';

/** What a person sees of a commit status. */
export interface SeenStatus {
  readonly name: string;
  readonly status: string;
  readonly description: string | null;
  readonly pipelineId: number;
}

/** A person who looks at GitLab and presses buttons, over its API. */
export interface Visitor {
  statuses(project: string, sha: string): Promise<readonly SeenStatus[]>;
  pipelines(
    project: string,
    sha: string,
  ): Promise<readonly { readonly id: number; readonly status: string; readonly source: string }[]>;
  jobs(
    project: string,
    pipeline: number,
  ): Promise<readonly { readonly id: number; readonly name: string; readonly status: string }[]>;
  play(project: string, job: number): Promise<void>;
  mergeRequests(
    project: string,
  ): Promise<readonly { readonly iid: number; readonly title: string; readonly sourceBranch: string }[]>;
  /** Unified diff of a commit. */
  diff(project: string, sha: string): Promise<string>;
  /** Merges; answers the merge commit. */
  merge(project: string, iid: number): Promise<string>;
}

type Json = Readonly<Record<string, unknown>>;

/** A visitor with a personal access token. */
export function visitGitLab(gitlab: GitLabServer, token: string): Visitor {
  async function ask(method: string, project: string, path: string, body?: Json): Promise<unknown> {
    const answer = await fetch(`${gitlab.url}/api/v4/projects/${encodeURIComponent(project)}${path}`, {
      method,
      headers: { 'private-token': token, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${project}${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as unknown;
  }
  const list = async (project: string, path: string) => (await ask('GET', project, path)) as readonly Json[];
  return {
    async statuses(project, sha) {
      const rows = await list(project, `/repository/commits/${sha}/statuses?per_page=100`);
      return rows
        .filter((row) => String(row['name']).startsWith('sync: '))
        .map((row) => ({
          name: String(row['name']),
          status: String(row['status']),
          description: (row['description'] as string | null) ?? null,
          pipelineId: Number(row['pipeline_id']),
        }));
    },
    async pipelines(project, sha) {
      return (await list(project, `/pipelines?sha=${sha}`)).map((row) => ({
        id: Number(row['id']),
        status: String(row['status']),
        source: String(row['source']),
      }));
    },
    async jobs(project, pipeline) {
      return (await list(project, `/pipelines/${pipeline}/jobs`)).map((row) => ({
        id: Number(row['id']),
        name: String(row['name']),
        status: String(row['status']),
      }));
    },
    async play(project, job) {
      await ask('POST', project, `/jobs/${job}/play`, {});
    },
    async mergeRequests(project) {
      return (await list(project, '/merge_requests?state=opened')).map((row) => ({
        iid: Number(row['iid']),
        title: String(row['title']),
        sourceBranch: String(row['source_branch']),
      }));
    },
    async diff(project, sha) {
      const files = await list(project, `/repository/commits/${sha}/diff`);
      return files
        .map((file) => `--- a/${String(file['old_path'])}\n+++ b/${String(file['new_path'])}\n${String(file['diff'])}`)
        .join('');
    },
    async merge(project, iid) {
      for (let tries = 0; tries < 20; tries += 1) {
        const request = (await ask('GET', project, `/merge_requests/${iid}`)) as Json;
        if (['mergeable', 'ci_still_running'].includes(String(request['detailed_merge_status']))) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const merged = (await ask('PUT', project, `/merge_requests/${iid}/merge`, {
        should_remove_source_branch: true,
      })) as Json;
      return String(merged['merge_commit_sha'] ?? merged['squash_commit_sha'] ?? merged['sha']);
    },
  };
}
