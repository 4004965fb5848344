/** Keys of the agent's configuration (docs.gitlab.com/user/clusters/agent/ci_cd_workflow and /user_access). */
const known: Readonly<Record<string, readonly string[]>> = {
  '': ['ci_access', 'user_access', 'flux'],
  flux: ['webhook_receiver_url'],
  ci_access: ['projects', 'groups'],
  'ci_access.projects': ['id', 'default_namespace', 'environments', 'protected_branches_only', 'access_as'],
  'ci_access.groups': ['id', 'default_namespace', 'environments', 'protected_branches_only', 'access_as'],
  'ci_access.projects.access_as': ['agent', 'ci_job', 'impersonate'],
  'ci_access.groups.access_as': ['agent', 'ci_job', 'impersonate'],
  user_access: ['access_as', 'projects', 'groups'],
  'user_access.projects': ['id'],
  'user_access.groups': ['id'],
  'user_access.access_as': ['agent', 'user'],
};

/** Keys of an agent's config.yaml that GitLab does not know. */
export function agentFaults(value: unknown, path = ''): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((each) => agentFaults(each, path));
  const keys = known[path];
  if (typeof value !== 'object' || value === null || keys === undefined) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    keys.includes(key)
      ? agentFaults(inner, path === '' ? key : `${path}.${key}`)
      : [`${path === '' ? 'the file' : path} has no key ${key}`],
  );
}
