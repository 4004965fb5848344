import { parseDocument, stringify } from 'yaml';

/** `.gitlab/agents/<name>/config.yaml` that shares an agent with the delivery project's jobs of some environments. */
export function agentSettings(project: string, environments: readonly string[], access: 'agent' | 'ci-job'): string {
  return `# Jobs of the delivery project reach this cluster, only those of these environments on a protected branch.\n${stringify(
    {
      ci_access: {
        projects: [
          {
            id: project,
            environments,
            protected_branches_only: true,
            ...(access === 'ci-job' ? { access_as: { ci_job: {} } } : {}),
          },
        ],
      },
    },
    { lineWidth: 0 },
  )}`;
}

/** An existing config.yaml with the entry added; null: it is there already, or the file cannot be read. */
export function completedAgentSettings(
  text: string,
  project: string,
  environments: readonly string[],
  access: 'agent' | 'ci-job',
): string | null {
  const document = parseDocument(text);
  if (document.errors.length > 0) return null;
  const value = document.toJS({ maxAliasCount: 50 }) as { ci_access?: { projects?: { id?: unknown }[] } } | null;
  const projects = value?.ci_access?.projects;
  if (Array.isArray(projects) && projects.some(({ id }) => id === project)) return text;
  const added = parseDocument(agentSettings(project, environments, access)).getIn(['ci_access', 'projects', 0], true);
  if (Array.isArray(projects)) document.addIn(['ci_access', 'projects'], added);
  else document.setIn(['ci_access', 'projects'], document.createNode([added]));
  return document.toString({ lineWidth: 0 });
}
