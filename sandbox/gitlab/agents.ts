import { writeFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import { inScope } from './ci-variables.ts';
import { fileAt, resolveCommit } from './repositories.ts';
import type { Agent, Row, State } from './state.ts';

/** One entry of `ci_access` (docs.gitlab.com/user/clusters/agent/ci_cd_workflow). */
export interface AccessEntry {
  readonly id: string;
  readonly default_namespace?: string;
  readonly environments?: readonly string[];
  readonly protected_branches_only?: boolean;
  readonly access_as?: {
    readonly agent?: unknown;
    readonly ci_job?: unknown;
    readonly impersonate?: { readonly username?: string; readonly uid?: string; readonly groups?: readonly string[] };
  } | null;
}

/** `.gitlab/agents/<name>/config.yaml` on the default branch of the agent's project; null: none, or not readable. */
async function agentConfiguration(state: State, agent: Agent): Promise<Readonly<Record<string, unknown>> | null> {
  const sha = await resolveCommit(state, agent.configProject, agent.configProject.defaultBranch);
  const bytes = sha ? await fileAt(state, agent.configProject, sha, `.gitlab/agents/${agent.name}/config.yaml`) : null;
  if (!bytes) return null;
  try {
    const parsed: unknown = parse(bytes.toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The entry by which a job may use an agent; the most specific wins. null: it may not. */
export async function accessOf(state: State, agent: Agent, row: Row): Promise<AccessEntry | null> {
  const { pipeline } = row;
  const path = pipeline.project.path.toLowerCase();
  const configuration = await agentConfiguration(state, agent);
  const access = configuration?.['ci_access'] as
    | { readonly projects?: readonly AccessEntry[]; readonly groups?: readonly AccessEntry[] }
    | null
    | undefined;
  const entries = [
    ...(access?.projects ?? []).filter((entry) => entry.id?.toLowerCase() === path),
    ...(access?.groups ?? [])
      .filter((entry) => path.startsWith(`${entry.id?.toLowerCase()}/`))
      .toSorted((a, b) => b.id.length - a.id.length),
  ];
  // The project of the agent's configuration may always use it.
  if (pipeline.project === agent.configProject) entries.push({ id: path });
  const environment = row.job?.environment ?? null;
  const fits = (entry: AccessEntry) =>
    (!entry.protected_branches_only || pipeline.protectedRef) &&
    (!entry.environments?.length ||
      entry.environments.some((pattern) => environment !== null && inScope(pattern, environment)));
  const [chosen] = entries;
  return chosen && fits(chosen) ? chosen : null;
}

/** Agents that a job may use. */
export async function allowedAgents(
  state: State,
  row: Row,
): Promise<readonly { readonly agent: Agent; readonly entry: AccessEntry }[]> {
  const found: { agent: Agent; entry: AccessEntry }[] = [];
  const root = row.pipeline.project.path.split('/')[0]?.toLowerCase();
  for (const agent of state.agents) {
    if (agent.configProject.path.split('/')[0]?.toLowerCase() !== root) continue;
    const entry = await accessOf(state, agent, row);
    if (entry) found.push({ agent, entry });
  }
  return found;
}

/** Writes the kubeconfig that GitLab gives a job; answers its path, or null where no agent is shared with it. */
export async function writeKubeconfig(state: State, row: Row, file: string): Promise<string | null> {
  const allowed = await allowedAgents(state, row);
  if (allowed.length === 0 || !row.job) return null;
  const token = row.job.token;
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'gitlab',
        cluster: {
          server: `${state.url}/-/kubernetes-agent/k8s-proxy/`,
          ...(state.url.startsWith('http:') ? { 'insecure-skip-tls-verify': true } : {}),
        },
      },
    ],
    users: allowed.map(({ agent }) => ({ name: `agent:${agent.id}`, user: { token: `ci:${agent.id}:${token}` } })),
    contexts: allowed.map(({ agent, entry }) => ({
      name: `${agent.configProject.path}:${agent.name}`,
      context: {
        cluster: 'gitlab',
        user: `agent:${agent.id}`,
        ...(entry.default_namespace ? { namespace: entry.default_namespace } : {}),
      },
    })),
  };
  await writeFile(file, stringify(kubeconfig), { mode: 0o600 });
  return file;
}
