import { explainAccess, type AccessJob } from '../../notify/agent-access.ts';
import type { Attempt } from './attempt.ts';
import { judge, type Finding } from './finding.ts';
import { sharingOf, type Sharing } from './sharing.ts';

/** One cluster of sluice.yaml, and what is known of the way to it. */
export interface AgentFacts {
  readonly cluster: string;
  /** kubeconfig context: `<project path>:<agent name>` for an agent. */
  readonly context: string;
  /** Contexts of the kubeconfig; null: there is no kubeconfig. */
  readonly contexts: readonly string[] | null;
  /** The cluster's answer, where there is a context: null, or the Fault. */
  readonly reached: Attempt<string> | null;
  /** Names of the agents in the agent's project, by GitLab; null: not to be seen. */
  readonly agents: readonly string[] | null;
  /** Text of the agent's config.yaml; null: none, undefined: not asked. */
  readonly settings: string | null | undefined;
  /** Does GitLab allow the agent to this very job (`/job/allowed_agents`)? null: not asked. */
  readonly allowed: boolean | null;
  readonly job: AccessJob;
  readonly inJob: boolean;
}

/** Judges the way to a cluster: agent there, shared with this project, connected. */
export function judgeAgent(facts: AgentFacts): readonly Finding[] {
  const { cluster, context, contexts, reached } = facts;
  const { ok, fault, unknown } = judge('agent', cluster);
  const [, project, agent] = /^([^\s:]+\/[^\s:]+):([^\s:]+)$/.exec(context) ?? [];
  if (reached !== null && 'answer' in reached)
    return [ok('agent', `${context} answers (Kubernetes ${reached.answer})`)];
  if (reached !== null && reached.fault.code === 'cluster_unavailable') {
    return [
      agent === undefined
        ? fault(
            'cluster-offline',
            'cluster_unavailable',
            reached.fault.message,
            `Check the address of the context ${context} and that the cluster runs.`,
          )
        : fault(
            'agent-offline',
            'cluster_unavailable',
            `the agent ${agent} is not connected: ${reached.fault.message}`,
            `Look at agentk in that cluster (kubectl -n gitlab-agent-${agent} logs deploy -l app.kubernetes.io/name=gitlab-agent); it must run with a valid agent token.`,
          ),
    ];
  }
  if (agent === undefined || project === undefined) {
    return contexts?.includes(context) === true
      ? [fault('context-refused', 'token_refused', wordsOf(reached), `Renew the credential of the context ${context}.`)]
      : [noContext(facts)];
  }
  if (facts.agents !== null && !facts.agents.includes(agent)) {
    const others = facts.agents.length === 0 ? 'it has none' : `it has ${facts.agents.join(', ')}`;
    return [
      fault(
        'agent-missing',
        'context_missing',
        `${project} has no agent ${agent}: ${others}`,
        `Register it (${project}: Operate > Kubernetes clusters > Connect a cluster), and install agentk with the token shown; or correct \`agent:\` in sluice.yaml.`,
      ),
    ];
  }
  const sharing = facts.settings === undefined ? null : sharingOf(facts.settings, project, facts.job);
  const unshared = sharing === null ? null : notShared(facts, sharing, project, agent);
  if (unshared !== null) return [unshared];
  if (reached !== null) return [fault('context-refused', 'token_refused', wordsOf(reached), shareRepair(facts))];
  if (facts.allowed === true && contexts?.includes(context) !== true) {
    return [
      fault(
        'kubeconfig-replaced',
        'context_missing',
        `GitLab allows the agent ${agent} to this job, and KUBECONFIG has no context of it: something else has set KUBECONFIG`,
        'Take the variable KUBECONFIG away (CI/CD variables, `variables:`, before_script): GitLab gives the job its own.',
      ),
    ];
  }
  if (contexts?.includes(context) !== true && facts.inJob)
    return [fault('agent-not-shared', 'context_missing', `the job has no context ${context}`, shareRepair(facts))];
  if (facts.agents !== null && sharing !== null) {
    return [
      ok('agent-shared', `${context} is registered, and shared with ${facts.job.project}`),
      unknown(
        'agent-unreached',
        'whether it is connected shows only through a kubeconfig',
        'Run doctor in a job, or give KUBECONFIG.',
      ),
    ];
  }
  return [
    unknown(
      'agent-unknown',
      `there is no kubeconfig context ${context} here`,
      'Run doctor in a job of the delivery project, or give KUBECONFIG and SLUICE_GITLAB_TOKEN.',
    ),
  ];
}

function noContext({ cluster, context, contexts, inJob }: AgentFacts): Finding {
  const { fault, unknown } = judge('agent', cluster);
  const there =
    contexts === null ? 'there is no kubeconfig' : `the kubeconfig has ${contexts.join(', ') || 'no context'}`;
  return inJob
    ? fault(
        'context-missing',
        'context_missing',
        `no context ${context}: ${there}`,
        `Give the job a KUBECONFIG with the context ${context}, or correct sluice.yaml.`,
      )
    : unknown('context-unknown', `no context ${context}: ${there}`, 'Give KUBECONFIG.');
}

function notShared(facts: AgentFacts, sharing: Sharing, project: string, agent: string): Finding | null {
  if (sharing.shared) return null;
  return judge('agent', facts.cluster).fault(
    'agent-not-shared',
    'context_missing',
    `the agent ${agent} is not shared with ${facts.job.project ?? 'this project'}: ${sharing.reason}`,
    `In ${project}, .gitlab/agents/${agent}/config.yaml on the default branch: ${sharing.repair}`,
  );
}

function shareRepair({ context, job }: AgentFacts): string {
  return explainAccess(context, job) ?? 'Renew the credential of the context.';
}

function wordsOf(reached: AgentFacts['reached']): string {
  return reached !== null && 'fault' in reached ? reached.fault.message : 'the credential is refused';
}
