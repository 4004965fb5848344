import type { Hono } from 'hono';
import { enter, flag, notFound, page, parameters, required } from './request.ts';
import type { Api } from './request.ts';
import type { Project } from './state.ts';

/** Webhooks of a project: kept and shown, never called. */
export function hookRoutes(app: Hono, api: Api): void {
  const { state } = api;
  const entity = (project: Project, hook: Project['hooks'][number]) => ({
    id: hook.id,
    url: hook.url,
    name: null,
    description: null,
    project_id: project.id,
    created_at: hook.createdAt,
    push_events: hook.push,
    tag_push_events: false,
    merge_requests_events: false,
    pipeline_events: hook.pipelines,
    enable_ssl_verification: true,
    alert_status: 'executable',
  });
  app.get('/projects/:id/hooks', (c) => {
    const { project } = enter(api, c, { level: 40 });
    return c.json(page(api, c, project.hooks).map((hook) => entity(project, hook)));
  });
  app.post('/projects/:id/hooks', async (c) => {
    const { project } = enter(api, c, { level: 40, write: true });
    const values = await parameters(c);
    const hook = {
      id: state.next('hook'),
      url: required(values, 'url'),
      push: flag(values, 'push_events') ?? true,
      pipelines: flag(values, 'pipeline_events') ?? false,
      createdAt: state.time(),
    };
    project.hooks.push(hook);
    return c.json(entity(project, hook), 201);
  });
  app.delete('/projects/:id/hooks/:hook', (c) => {
    const { project } = enter(api, c, { level: 40, write: true });
    const index = project.hooks.findIndex((each) => each.id === Number(c.req.param('hook')));
    if (index < 0) throw notFound();
    project.hooks.splice(index, 1);
    return c.body(null, 204);
  });
}
