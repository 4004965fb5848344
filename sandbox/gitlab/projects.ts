import type { Hono } from 'hono';
import { canSee } from './access.ts';
import { projectEntity, userEntity } from './entities.ts';
import { branches } from './repositories.ts';
import { choice, enter, enterAsUser, flag, identityOf, page, parameters, text } from './request.ts';
import type { Api } from './request.ts';
import { serverVersion } from './ci-variables.ts';

/** `/projects`, `/user`, `/version`. */
export function projectRoutes(app: Hono, api: Api): void {
  const { state } = api;

  app.get('/version', (c) => {
    enterAsUser(api, c);
    return c.json({ version: `${serverVersion(state)}-ee`, revision: '5153a2f', enterprise: true });
  });
  app.get('/metadata', (c) => {
    enterAsUser(api, c);
    return c.json({
      version: `${serverVersion(state)}-ee`,
      revision: '5153a2f',
      kas: {
        enabled: true,
        externalUrl: `${state.url.replace(/^http/, 'ws')}/-/kubernetes-agent/`,
        externalK8sProxyUrl: `${state.url}/-/kubernetes-agent/k8s-proxy/`,
        version: serverVersion(state),
      },
      enterprise: true,
    });
  });
  app.get('/user', (c) => {
    const { user } = enterAsUser(api, c, { anyScope: true });
    return c.json({
      ...userEntity(state, user),
      email: user.email,
      bot: user.bot,
      created_at: '2026-01-01T00:00:00.000Z',
    });
  });
  app.get('/users', (c) => {
    enterAsUser(api, c);
    const name = c.req.query('username');
    return c.json(
      [...state.users.values()]
        .filter((user) => name === undefined || user.username === name)
        .map((user) => userEntity(state, user)),
    );
  });

  app.get('/projects', async (c) => {
    const identity = identityOf(api, c, { jobToken: false });
    const query = await parameters(c);
    const search = text(query, 'search')?.toLowerCase();
    const seen = [...state.projects.values()]
      .filter((project) => canSee(state, identity, project))
      .filter((project) => search === undefined || project.path.toLowerCase().includes(search))
      .toSorted((a, b) => b.id - a.id);
    const user = identity.kind === 'user' ? identity.user : null;
    return c.json(page(api, c, seen).map((project) => projectEntity(state, project, user, false)));
  });
  app.get('/projects/:id', async (c) => {
    const { project, identity, user } = enter(api, c, { level: 0 });
    const empty = (await branches(state, project)).length === 0;
    return c.json(projectEntity(state, project, identity.kind === 'anonymous' ? null : user, empty));
  });
  app.put('/projects/:id', async (c) => {
    const { project, user } = enter(api, c, { level: 40, write: true });
    const values = await parameters(c);
    project.description = text(values, 'description') ?? project.description;
    project.defaultBranch = text(values, 'default_branch') ?? project.defaultBranch;
    project.visibility = choice(
      values,
      'visibility',
      ['private', 'internal', 'public'],
      project.visibility,
    ) as typeof project.visibility;
    project.mergeMethod = choice(
      values,
      'merge_method',
      ['merge', 'rebase_merge', 'ff'],
      project.mergeMethod,
    ) as typeof project.mergeMethod;
    project.squash = choice(
      values,
      'squash_option',
      ['never', 'always', 'default_on', 'default_off'],
      project.squash,
    ) as typeof project.squash;
    project.jobTokenPush = flag(values, 'ci_push_repository_for_job_token_allowed') ?? project.jobTokenPush;
    project.onlyAllowMergeIfPipelineSucceeds =
      flag(values, 'only_allow_merge_if_pipeline_succeeds') ?? project.onlyAllowMergeIfPipelineSucceeds;
    project.removeSourceBranch = flag(values, 'remove_source_branch_after_merge') ?? project.removeSourceBranch;
    project.mergedResults = flag(values, 'merge_pipelines_enabled') ?? project.mergedResults;
    const cleanup = values['container_expiration_policy_attributes'];
    if (typeof cleanup === 'object' && cleanup !== null) project.cleanup = { ...project.cleanup, ...cleanup };
    const { permissions: _, ...answer } = projectEntity(state, project, user, false);
    return c.json(answer);
  });
}
