/** The job that has no context, as GitLab's predefined variables tell it. */
export interface AccessJob {
  readonly project: string | undefined;
  readonly environment: string | undefined;
  readonly ref: string | undefined;
  readonly protectedRef: boolean | undefined;
}

/**
 * Why a job has no context for an agent, in words: the `ci_access` entry that is missing, and which of the entry's own
 * limits this job does not meet (https://docs.gitlab.com/user/clusters/agent/ci_cd_workflow/: an entry may name
 * environments, or protected branches only). null: the context is no agent's.
 */
export function explainAccess(context: string, job: AccessJob): string | null {
  const [, configProject, agent] = /^([^\s:]+\/[^\s:]+):([^\s:]+)$/.exec(context) ?? [];
  if (configProject === undefined || agent === undefined) return null;
  const project = job.project ?? '<this project>';
  const limits = [
    job.environment === undefined
      ? 'the job has no `environment:`, so an entry with `environments:` is not for it'
      : `an entry with \`environments:\` must name ${job.environment}`,
    ...(job.protectedRef === false
      ? [`${job.ref ?? 'the ref'} is not protected, so an entry with \`protected_branches_only: true\` is not for it`]
      : []),
    ...(job.project !== undefined && rootOf(job.project) !== rootOf(configProject)
      ? [`${configProject} is of another top-level group than ${job.project}`]
      : []),
  ];
  return `Share the agent: in ${configProject}, .gitlab/agents/${agent}/config.yaml on the default branch needs "ci_access: { projects: [{ id: ${project} }] }" (or its group). Where it is there: ${limits.join('; ')}.`;
}

const rootOf = (path: string) => path.split('/')[0]!.toLowerCase();
