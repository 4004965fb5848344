import type { GitLab, GitLabDeployment } from '../systems/gitlab.ts';
import type { OutcomeName } from './outcome.ts';

/** One deployment to tell GitLab of, in the application project. */
export interface DeploymentReport {
  readonly project: string;
  readonly environment: string;
  readonly sha: string;
  readonly ref: string;
  readonly state: 'success' | 'failed' | 'canceled';
  /** For the environment's Kubernetes dashboard. */
  readonly dashboard: {
    /** Project and name of the agent; null: the cluster is reached by another context. */
    readonly agent: { readonly project: string; readonly name: string } | null;
    readonly namespace: string | null;
    /** e.g. `kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/app`. */
    readonly fluxResource: string | null;
  };
}

/** GitLab's state of a deployment; null: nothing was deployed, so there is none. */
export function deploymentState(outcome: OutcomeName): DeploymentReport['state'] | null {
  if (outcome === 'held' || outcome === 'refused' || outcome === 'unpublished') return null;
  if (outcome === 'synced') return 'success';
  return outcome === 'superseded' ? 'canceled' : 'failed';
}

/**
 * Tells GitLab of a deployment that has ended: one request in its final state, so that none can be left running. What
 * stands already as the newest is left alone. Faults: `token_refused`, `gitlab_unavailable`.
 */
export async function postDeployment(gitlab: GitLab, report: DeploymentReport): Promise<GitLabDeployment> {
  const { project, environment, sha, ref, state } = report;
  const [newest] = await gitlab.deployments(project, environment);
  if (newest?.sha === sha && newest.state === state) return newest;
  const { agent, namespace, fluxResource } = report.dashboard;
  const found =
    agent === null ? undefined : (await gitlab.agents(agent.project)).find(({ name }) => name === agent.name);
  if (found !== undefined)
    await gitlab.saveEnvironment(project, environment, {
      clusterAgentId: found.id,
      ...(namespace === null ? {} : { kubernetesNamespace: namespace }),
      ...(fluxResource === null ? {} : { fluxResourcePath: fluxResource }),
    });
  return gitlab.createDeployment(project, { environment, sha, ref, state });
}
