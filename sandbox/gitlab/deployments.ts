import type { Hono } from 'hono';
import { deploymentEntity, environmentEntity } from './entities.ts';
import { mergeRequestEntity } from './merge-request-entity.ts';
import { addDeployment, ensureEnvironment, setDeploymentStatus } from './environments.ts';
import { mergeStatus } from './merge.ts';
import { resolveCommit } from './repositories.ts';
import {
  ApiError,
  badRequest,
  choice,
  enter,
  flag,
  integer,
  notFound,
  page,
  parameters,
  required,
  text,
} from './request.ts';
import type { Api } from './request.ts';
import type { Deployment, Environment, Project } from './state.ts';

const statuses = ['running', 'success', 'failed', 'canceled'];
const tiers = ['production', 'staging', 'testing', 'development', 'other'];

/** Environments and deployments; both take job tokens. */
export function deploymentRoutes(app: Hono, api: Api): void {
  const { state } = api;
  const write = { level: 30, jobToken: true, write: true };
  const read = { level: 20, jobToken: true };
  const environmentOf = (project: Project, id: string): Environment => {
    const found = project.environments.find((each) => each.id === Number(id));
    if (!found) throw notFound('Environment');
    return found;
  };
  const deploymentOf = (project: Project, id: string): Deployment => {
    const found = project.deployments.find((each) => each.id === Number(id));
    if (!found) throw notFound('Deployment');
    return found;
  };
  const extended = (deployment: Deployment) => ({
    ...deploymentEntity(state, deployment),
    pending_approval_count: 0,
    approvals: [],
    approval_summary: { rules: [] },
  });
  const change = (environment: Environment, values: Readonly<Record<string, unknown>>) => {
    const url = text(values, 'external_url');
    if (url !== undefined && url !== '' && !/^https?:\/\//.test(url))
      throw badRequest({ external_url: ['is blocked: Only allowed schemes are http, https'] });
    environment.externalUrl = url ?? environment.externalUrl;
    environment.description = text(values, 'description') ?? environment.description;
    if (values['tier'] !== undefined) environment.tier = choice(values, 'tier', tiers);
    // An agent that is not there is ignored without a word, as on GitLab.
    const agent = integer(values, 'cluster_agent_id');
    if (agent !== undefined && state.agents.some((each) => each.id === agent)) environment.clusterAgentId = agent;
    environment.kubernetesNamespace = text(values, 'kubernetes_namespace') ?? environment.kubernetesNamespace;
    environment.fluxResourcePath = text(values, 'flux_resource_path') ?? environment.fluxResourcePath;
    if (values['auto_stop_setting'] !== undefined)
      environment.autoStopSetting = choice(values, 'auto_stop_setting', ['always', 'with_action']);
    environment.updatedAt = state.time();
  };

  app.get('/projects/:id/environments', async (c) => {
    const { project } = enter(api, c, read);
    const query = await parameters(c);
    const [name, search, states] = ['name', 'search', 'states'].map((key) => text(query, key));
    const found = project.environments.filter(
      (each) =>
        (name === undefined || each.name === name) &&
        (search === undefined || each.name.includes(search)) &&
        (states === undefined || each.state === states),
    );
    return c.json(page(api, c, found).map((each) => environmentEntity(state, each)));
  });
  app.get('/projects/:id/environments/:environment', (c) => {
    const { project } = enter(api, c, read);
    const environment = environmentOf(project, c.req.param('environment'));
    const last = project.deployments.findLast((each) => each.environment === environment && each.status === 'success');
    return c.json({
      ...environmentEntity(state, environment),
      last_deployment: last ? deploymentEntity(state, last) : null,
    });
  });
  app.post('/projects/:id/environments', async (c) => {
    const { project } = enter(api, c, write);
    const values = await parameters(c);
    const name = required(values, 'name');
    if (project.environments.some((each) => each.name === name)) throw badRequest({ name: ['has already been taken'] });
    if (!/^[\w\-/${}. ]{1,255}$/.test(name))
      throw badRequest({
        name: [
          "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'",
        ],
      });
    const environment = ensureEnvironment(state, project, name);
    change(environment, values);
    return c.json(environmentEntity(state, environment), 201);
  });
  app.put('/projects/:id/environments/:environment', async (c) => {
    const { project } = enter(api, c, write);
    const environment = environmentOf(project, c.req.param('environment'));
    change(environment, await parameters(c));
    return c.json(environmentEntity(state, environment));
  });
  app.post('/projects/:id/environments/:environment/stop', (c) => {
    const { project } = enter(api, c, write);
    const environment = environmentOf(project, c.req.param('environment'));
    environment.state = 'stopped';
    return c.json(environmentEntity(state, environment));
  });
  app.delete('/projects/:id/environments/:environment', (c) => {
    const { project } = enter(api, c, write);
    const environment = environmentOf(project, c.req.param('environment'));
    if (environment.state !== 'stopped') throw new ApiError(403, { message: '403 Forbidden' });
    project.environments.splice(project.environments.indexOf(environment), 1);
    return c.body(null, 204);
  });

  app.get('/projects/:id/deployments', async (c) => {
    const { project } = enter(api, c, read);
    const query = await parameters(c);
    const environment = text(query, 'environment');
    const status = text(query, 'status');
    const by = choice(query, 'order_by', ['id', 'iid', 'created_at', 'updated_at', 'finished_at', 'ref'], 'id');
    const found = project.deployments
      .filter(
        (each) =>
          (environment === undefined || each.environment.name === environment) &&
          (status === undefined || each.status === status),
      )
      .toSorted((a, b) => (by === 'updated_at' ? a.updatedAt.localeCompare(b.updatedAt) : a.id - b.id));
    const ordered = choice(query, 'sort', ['asc', 'desc'], 'asc') === 'desc' ? found.toReversed() : found;
    return c.json(page(api, c, ordered).map((each) => deploymentEntity(state, each)));
  });
  app.get('/projects/:id/deployments/:deployment', (c) => {
    const { project } = enter(api, c, read);
    return c.json(extended(deploymentOf(project, c.req.param('deployment'))));
  });
  app.post('/projects/:id/deployments', async (c) => {
    const { project, user } = enter(api, c, write);
    const values = await parameters(c);
    for (const name of ['environment', 'sha', 'ref', 'tag', 'status']) required(values, name);
    const status = choice(values, 'status', statuses);
    const sha = await resolveCommit(state, project, required(values, 'sha'));
    if (!sha) throw badRequest({ sha: ['The commit does not exist'] });
    const deployment = addDeployment(state, project, {
      environment: ensureEnvironment(state, project, required(values, 'environment')),
      sha,
      ref: required(values, 'ref'),
      tag: flag(values, 'tag') ?? false,
      user,
      status: 'created',
      job: null,
    });
    setDeploymentStatus(state, project, deployment, status);
    return c.json(extended(deployment), 201);
  });
  app.put('/projects/:id/deployments/:deployment', async (c) => {
    const { project } = enter(api, c, write);
    const deployment = deploymentOf(project, c.req.param('deployment'));
    if (deployment.job) throw new ApiError(403, { message: '403 Forbidden' });
    const status = choice(await parameters(c), 'status', statuses);
    if (deployment.status === status) throw badRequest({ status: ['is invalid'] });
    setDeploymentStatus(state, project, deployment, status);
    return c.json(extended(deployment));
  });
  app.delete('/projects/:id/deployments/:deployment', (c) => {
    const { project } = enter(api, c, write);
    const deployment = deploymentOf(project, c.req.param('deployment'));
    if (deployment.status === 'running') throw badRequest('Cannot destroy running deployment');
    const last = project.deployments.findLast(
      (each) => each.environment === deployment.environment && each.status === 'success',
    );
    if (last === deployment) throw badRequest('Deployment currently deployed to environment');
    project.deployments.splice(project.deployments.indexOf(deployment), 1);
    return c.body(null, 204);
  });
  app.get('/projects/:id/deployments/:deployment/merge_requests', async (c) => {
    const { project } = enter(api, c, read);
    const deployment = deploymentOf(project, c.req.param('deployment'));
    const found = project.mergeRequests.filter((each) =>
      [each.mergeCommit, each.squashCommit, each.sha].includes(deployment.sha),
    );
    return c.json(
      await Promise.all(
        page(api, c, found).map(async (each) => mergeRequestEntity(state, each, await mergeStatus(state, each))),
      ),
    );
  });
}
