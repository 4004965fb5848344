import { Hono } from 'hono';
import type { Context } from 'hono';
import { agentRoutes } from './agent-routes.ts';
import { commitRoutes } from './commits.ts';
import { deploymentRoutes } from './deployments.ts';
import { hookRoutes } from './hooks.ts';
import { jobRoutes } from './jobs.ts';
import { mergeRequestRoutes } from './merge-requests.ts';
import { noteRoutes } from './notes.ts';
import { pipelineRoutes } from './pipeline-routes.ts';
import { projectRoutes } from './projects.ts';
import { registryRoutes } from './registry-routes.ts';
import { releaseRoutes } from './releases.ts';
import { repositoryRoutes } from './repository.ts';
import { ApiError } from './request.ts';
import type { Api } from './request.ts';
import { settingRoutes } from './settings.ts';
import { startRoutes } from './start-routes.ts';
import { statusRoutes } from './statuses.ts';
import { tokenRoutes } from './token-routes.ts';

/** The REST API below `/api/v4`. */
export function apiRoutes(api: Api): Hono {
  const app = new Hono();
  app.use('*', async (c, next) => {
    const fault = playedFault(api, c);
    if (fault) return fault;
    if (api.state.latencyMs > 0) await api.state.clock.sleep(api.state.latencyMs);
    await next();
    c.header('X-Request-Id', `sim${api.state.next('request')}`);
    api.state.log(`${c.req.method} ${c.req.path} ${c.res.status}`);
    return undefined;
  });
  statusRoutes(app, api);
  commitRoutes(app, api);
  repositoryRoutes(app, api);
  pipelineRoutes(app, api);
  startRoutes(app, api);
  jobRoutes(app, api);
  mergeRequestRoutes(app, api);
  noteRoutes(app, api);
  deploymentRoutes(app, api);
  tokenRoutes(app, api);
  settingRoutes(app, api);
  registryRoutes(app, api);
  releaseRoutes(app, api);
  hookRoutes(app, api);
  agentRoutes(app, api);
  projectRoutes(app, api);
  app.notFound((c) => c.json({ error: '404 Not Found' }, 404));
  app.onError((error, c) => {
    if (error instanceof ApiError) return c.json(error.body as object, error.status as 400);
    api.state.log(`${c.req.method} ${c.req.path}: ${error.stack ?? error.message}`);
    return c.json({ message: '500 Internal Server Error' }, 500);
  });
  return app;
}

/** 429, 502 and the like, where `setFaults` asks for them. */
function playedFault(api: Api, c: Context): Response | null {
  const { state } = api;
  const { faults } = state;
  if (faults.down) return c.text('GitLab is not responding', faults.down as 503);
  if (faults.badGateway) {
    state.faults = { ...faults, badGateway: faults.badGateway - 1 };
    return c.html('<html><body><h1>502</h1>Whoops, GitLab is taking too much time to respond.</body></html>', 502);
  }
  const many = faults.tooMany;
  if (!many || many.requests <= 0) return null;
  state.faults = { ...faults, tooMany: { ...many, requests: many.requests - 1 } };
  if (many.plain) return c.text('Retry later\n', 429);
  const after = many.retryAfter ?? 1;
  const reset = Math.ceil(state.clock.now() / 1000) + after;
  return c.text('Retry later\n', 429, {
    'Retry-After': String(after),
    'RateLimit-Limit': '2000',
    'RateLimit-Name': 'throttle_authenticated_api',
    'RateLimit-Observed': '2001',
    'RateLimit-Remaining': '0',
    'RateLimit-Reset': String(reset),
    'RateLimit-ResetTime': new Date(reset * 1000).toUTCString(),
  });
}
