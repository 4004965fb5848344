import type { Hono } from 'hono';
import type { Api } from './request.ts';

/** The pages for people. */
export function pageRoutes(app: Hono, api: Api): void {
  app.get('/', (c) =>
    c.html(
      `<!doctype html><title>GitLab</title><ul>${[...api.state.projects.keys()].map((path) => `<li>${path}</li>`).join('')}</ul>`,
    ),
  );
}
