import type { Hono } from 'hono';
import { allowedAgents } from './agents.ts';
import { basicProjectEntity, userEntity } from './entities.ts';
import { enter, identityOf, notFound, page, unauthorized } from './request.ts';
import type { Api } from './request.ts';
import { ancestors } from './lookup.ts';
import type { Agent } from './state.ts';

/** Agents of a project, and what a job may use. */
export function agentRoutes(app: Hono, api: Api): void {
  const { state } = api;
  const entity = (agent: Agent) => ({
    id: agent.id,
    name: agent.name,
    config_project: {
      id: agent.configProject.id,
      description: agent.configProject.description,
      name: agent.configProject.name,
      name_with_namespace: basicProjectEntity(state, agent.configProject).name_with_namespace,
      path: agent.configProject.path.split('/').at(-1),
      path_with_namespace: agent.configProject.path,
      created_at: agent.configProject.createdAt,
    },
    created_at: agent.createdAt,
    created_by_user_id: 1,
    is_receptive: false,
  });
  app.get('/projects/:id/cluster_agents', (c) => {
    const { project } = enter(api, c, { level: 30 });
    return c.json(
      page(
        api,
        c,
        state.agents.filter((agent) => agent.configProject === project),
      ).map(entity),
    );
  });
  app.get('/projects/:id/cluster_agents/:agent', (c) => {
    const { project } = enter(api, c, { level: 30 });
    const found = state.agents.find(
      (agent) => agent.configProject === project && agent.id === Number(c.req.param('agent')),
    );
    if (!found) throw notFound('Agent');
    return c.json(entity(found));
  });
  app.get('/job/allowed_agents', async (c) => {
    const identity = identityOf(api, c, { jobToken: true });
    if (identity.kind !== 'job') throw unauthorized();
    const { row } = identity;
    const { pipeline } = row;
    const environment = pipeline.project.environments.find((each) => each.name === row.job?.environment);
    const allowed = await allowedAgents(state, row);
    return c.json({
      allowed_agents: allowed.map(({ agent, entry }) => ({
        id: agent.id,
        config_project: { id: agent.configProject.id, path: agent.configProject.path },
        configuration: { ...entry },
      })),
      job: { id: row.id },
      pipeline: { id: pipeline.id },
      project: {
        id: pipeline.project.id,
        groups: ancestors(state, pipeline.project.path).map((group) => ({ id: group.id })),
      },
      user: { id: userEntity(state, row.user).id, username: row.user.username, roles_in_project: ['developer'] },
      ...(environment ? { environment: { slug: environment.slug, tier: environment.tier } } : {}),
    });
  });
}
