import { Commits, Jobs, MergeRequests, Pipelines, Projects, Users } from '@gitbeaker/rest';
import { z } from 'zod';
import { Fault } from '../fault.ts';
import { ask } from './gitlab-ask.ts';
import { connectDeployments } from './gitlab-deployments.ts';
import { connectNotes } from './gitlab-notes.ts';
import { connectMergeRequests } from './gitlab-merge.ts';
import { gitlabResource, type GitLabOptions } from './gitlab-resource.ts';
import {
  allowedAgentsSchema,
  commitSchema,
  jobSchema,
  pipelineSchema,
  projectSchema,
  statusSchema,
  userSchema,
} from './gitlab-schema.ts';
import { postStatus } from './gitlab-status.ts';
import type { GitLab } from './gitlab.ts';

const readNeeds = 'It needs the scope read_api or api, and at least the role Reporter in that project.';

/**
 * GitLab over REST. Faults: `token_refused` (401, 403), `gitlab_unavailable` (network, 429 and 5xx after all tries, an
 * answer that does not fit); a signal's reason as it is. No error holds the token.
 */
export function connectGitLab(options: GitLabOptions): GitLab {
  const resource = gitlabResource(options);
  const { host } = resource;
  const commits = new Commits(resource);
  const jobs = new Jobs(resource);
  const pipelines = new Pipelines(resource);
  const projects = new Projects(resource);
  const users = new Users(resource);

  return {
    url: host,
    within: (signal) => connectGitLab({ ...options, signal }),
    async me() {
      const name = await ask('It needs the scope read_api or api.', userSchema, () => users.showCurrentUser());
      return present(name, `${host}/api/v4/user`);
    },
    project: (project) => ask(readNeeds, projectSchema, () => projects.show(project)),
    commit: (project, sha) => ask(readNeeds, commitSchema, () => commits.show(project, sha, { stats: false })),
    async pipelines(project, filter) {
      const found = await ask(readNeeds, z.array(pipelineSchema), () =>
        pipelines.all(project, { ...filter, perPage: 100, maxPages: 1 }),
      );
      return found ?? [];
    },
    pipeline: (project, id) => ask(readNeeds, pipelineSchema, () => pipelines.show(project, id)),
    job: (project, id) => ask(readNeeds, jobSchema, () => jobs.show(project, id)),
    async statuses(project, sha, filter = {}) {
      const found = await ask(readNeeds, z.array(statusSchema), () =>
        commits.allStatuses(project, sha, { ...filter, perPage: 100 } as object),
      );
      return found ?? [];
    },
    async postStatus(report) {
      if (options.tokenKind === 'job')
        throw new Fault('token_refused', 'a job token cannot post commit statuses', {
          hint: 'Set SLUICE_GITLAB_TOKEN to a project or group access token with the scope api.',
        });
      return postStatus(commits, report);
    },
    ...connectMergeRequests(new MergeRequests(resource), commits, options.clock, options.signal),
    ...connectDeployments(resource),
    ...connectNotes(resource),
    async allowedAgents() {
      if (options.tokenKind !== 'job') return null;
      return ask('It needs a running job’s CI_JOB_TOKEN.', allowedAgentsSchema, async () => {
        // gitbeaker's own method looks for the token where it never puts it.
        const answer = await jobs.requester.get('job/allowed_agents');
        return answer.body;
      });
    },
  };
}

function present<T>(value: T | null, address: string): T {
  if (value === null) throw new Fault('gitlab_unavailable', `${address} is missing; is this GitLab?`);
  return value;
}
