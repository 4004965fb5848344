import { Agents, Deployments, Environments } from '@gitbeaker/rest';
import { z } from 'zod';
import { Fault } from '../fault.ts';
import { ask } from './gitlab-ask.ts';
import type { GitLab } from './gitlab.ts';

type DeploymentPart = Pick<GitLab, 'agents' | 'saveEnvironment' | 'deployments' | 'createDeployment'>;

const needs = 'Deployments need the scope api, and at least the role Developer in that project.';
const state = z.enum(['created', 'running', 'success', 'failed', 'canceled', 'skipped', 'blocked']);
const deploymentSchema = z
  .object({ id: z.number(), sha: z.string(), status: state })
  .transform(({ id, sha, status }) => ({ id, sha, state: status }));
const agentSchema = z.object({ id: z.number(), name: z.string() });
const environmentSchema = z.object({ id: z.number(), name: z.string() });

/** Environments, deployments and agents of a GitLab (docs.gitlab.com/api/deployments, environments, cluster_agents). */
export function connectDeployments(resource: ConstructorParameters<typeof Deployments>[0]): DeploymentPart {
  const agents = new Agents(resource);
  const deployments = new Deployments(resource);
  const environments = new Environments(resource);
  const known = async <T>(call: Promise<T | null>, project: string): Promise<T> => {
    const answer = await call;
    if (answer !== null) return answer;
    throw new Fault('token_refused', `${project} has no deployments, or the token cannot see them`, { hint: needs });
  };
  return {
    async agents(project) {
      return (await ask(needs, z.array(agentSchema), () => agents.all(project, { perPage: 100 } as object))) ?? [];
    },
    async saveEnvironment(project, name, fields) {
      const found = await ask(needs, z.array(environmentSchema), () => environments.all(project, { name }));
      const standing = found?.find((one) => one.name === name);
      const options = fields as object;
      await known(
        ask(needs, environmentSchema, () =>
          standing ? environments.edit(project, standing.id, options) : environments.create(project, name, options),
        ),
        project,
      );
    },
    async deployments(project, environment) {
      const options = { environment, orderBy: 'id', sort: 'desc', perPage: 20, maxPages: 1 } as const;
      return (await ask(needs, z.array(deploymentSchema), () => deployments.all(project, options))) ?? [];
    },
    async createDeployment(project, { environment, sha, ref, state: status }) {
      return known(
        ask(needs, deploymentSchema, () => deployments.create(project, environment, sha, ref, false, { status })),
        project,
      );
    },
  };
}
