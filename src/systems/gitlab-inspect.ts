import { Projects } from '@gitbeaker/rest';
import { z } from 'zod';
import { ask } from './gitlab-ask.ts';
import { gitlabResource, type GitLabOptions } from './gitlab-resource.ts';
import type { GitLabInspection } from './inspection.ts';

const optionalText = z.string().nullish();
const nullable = (value: string | null | undefined) => value ?? null;

const tokenSchema = z
  .object({ name: optionalText, user_id: z.number().nullish(), scopes: z.array(z.string()), expires_at: optionalText })
  .transform((token) => ({
    name: token.name ?? '',
    userId: token.user_id ?? null,
    scopes: token.scopes,
    expiresAt: nullable(token.expires_at),
  }));
const userSchema = z
  .object({ id: z.number(), username: z.string(), bot: z.boolean().nullish() })
  .transform(({ id, username, bot }) => ({ id, username, bot: bot ?? null }));
const accessSchema = z.object({ access_level: z.number() }).nullish();
const policySchema = z
  .object({
    enabled: z.boolean().nullish(),
    cadence: optionalText,
    keep_n: z.number().nullish(),
    older_than: optionalText,
    name_regex: optionalText,
    name_regex_delete: optionalText,
    name_regex_keep: optionalText,
  })
  .transform((policy) => ({
    enabled: policy.enabled === true,
    cadence: policy.cadence ?? '1d',
    keepNewest: policy.keep_n ?? null,
    olderThan: nullable(policy.older_than),
    remove: policy.name_regex_delete ?? policy.name_regex ?? null,
    keep: policy.name_regex_keep ?? null,
  }));
const projectSchema = z
  .object({
    id: z.number(),
    path_with_namespace: z.string(),
    default_branch: optionalText,
    archived: z.boolean().nullish(),
    container_registry_enabled: z.boolean().nullish(),
    container_registry_access_level: optionalText,
    container_expiration_policy: policySchema.nullish(),
    permissions: z.object({ project_access: accessSchema, group_access: accessSchema }).nullish(),
  })
  .transform((project) => ({
    id: project.id,
    path: project.path_with_namespace,
    defaultBranch: nullable(project.default_branch),
    archived: project.archived === true,
    registry:
      project.container_registry_access_level === 'disabled' ? false : (project.container_registry_enabled ?? null),
    cleanup: project.container_expiration_policy ?? null,
    accessLevel:
      Math.max(
        project.permissions?.project_access?.access_level ?? 0,
        project.permissions?.group_access?.access_level ?? 0,
      ) || null,
  }));
const branchSchema = z
  .object({
    protected: z.boolean().nullish(),
    can_push: z.boolean().nullish(),
    developers_can_merge: z.boolean().nullish(),
    commit: z.object({ id: z.string() }).nullish(),
  })
  .transform((branch) => ({
    protected: branch.protected === true,
    canPush: branch.can_push ?? null,
    developersCanMerge: branch.developers_can_merge === true,
    sha: branch.commit?.id ?? null,
  }));
const protectedSchema = z
  .object({
    name: z.string(),
    push_access_levels: z.array(z.object({ access_level_description: optionalText })).nullish(),
    allow_force_push: z.boolean().nullish(),
  })
  .transform((branch) => ({
    name: branch.name,
    pushers: (branch.push_access_levels ?? []).map((level) => level.access_level_description ?? 'somebody'),
    forcePush: branch.allow_force_push === true,
  }));
const deployTokenSchema = z
  .object({
    name: z.string(),
    username: z.string(),
    scopes: z.array(z.string()),
    expires_at: optionalText,
    revoked: z.boolean().nullish(),
    expired: z.boolean().nullish(),
  })
  .transform((token) => ({
    name: token.name,
    username: token.username,
    scopes: token.scopes,
    expiresAt: nullable(token.expires_at),
    active: token.revoked !== true && token.expired !== true,
  }));
const variableSchema = z
  .object({
    key: z.string(),
    variable_type: optionalText,
    protected: z.boolean().nullish(),
    masked: z.boolean().nullish(),
    environment_scope: optionalText,
  })
  .transform((variable) => ({
    key: variable.key,
    protected: variable.protected === true,
    masked: variable.masked === true,
    file: variable.variable_type === 'file',
    scope: variable.environment_scope ?? '*',
  }));
const lintSchema = z
  .object({ valid: z.boolean(), errors: z.array(z.string()).nullish() })
  .transform(({ valid, errors }) => (valid ? [] : errors?.length ? errors : ['GitLab does not say why']));
const fileSchema = z
  .object({ content: z.string() })
  .transform(({ content }) => Buffer.from(content, 'base64').toString());
const agentSchema = z.object({ id: z.number(), name: z.string() });
const statusSchema = z.object({ name: z.string() });
const versionSchema = z.object({ version: z.string() }).transform(({ version }) => version);

/** What doctor asks of GitLab, few tries each. Faults as `GitLab`. */
export function inspectGitLab(options: GitLabOptions): GitLabInspection {
  const resource = gitlabResource({ tries: 2, tryTimeoutMs: 15_000, patienceMs: 10_000, ...options });
  const { requester } = new Projects(resource);
  const needs = 'It needs the scope read_api or api, and a role in that project.';
  const get = <T>(schema: z.ZodType<T>, path: string, searchParams: Record<string, unknown> = {}) =>
    ask(needs, schema, async () => (await requester.get(path, { searchParams })).body);
  const at = (project: string) => `projects/${encodeURIComponent(project)}`;
  return {
    url: resource.host,
    version: () => get(versionSchema, 'version'),
    user: () => get(userSchema, 'user'),
    ownToken: () => get(tokenSchema, 'personal_access_tokens/self'),
    project: (project) => get(projectSchema, at(project)),
    branch: (project, branch) => get(branchSchema, `${at(project)}/repository/branches/${encodeURIComponent(branch)}`),
    protectedBranches: (project) =>
      get(z.array(protectedSchema), `${at(project)}/protected_branches`, { per_page: 100 }),
    deployTokens: (project) => get(z.array(deployTokenSchema), `${at(project)}/deploy_tokens`, { per_page: 100 }),
    variables: (project) => get(z.array(variableSchema), `${at(project)}/variables`, { per_page: 100 }),
    pipelineErrors: (projectId, ref) => get(lintSchema, `projects/${projectId}/ci/lint`, { content_ref: ref }),
    agents: (project) => get(z.array(agentSchema), `${at(project)}/cluster_agents`, { per_page: 100 }),
    statusNames: async (project, sha) => {
      const path = `${at(project)}/repository/commits/${sha}/statuses`;
      return (await get(z.array(statusSchema), path, { per_page: 100 }))?.map(({ name }) => name) ?? null;
    },
    file: (project, path, ref) =>
      get(fileSchema, `${at(project)}/repository/files/${encodeURIComponent(path)}`, { ref }),
  };
}
