import type { Context, Hono } from 'hono';
import { layout } from './page/layout.ts';
import type { Html } from './page/layout.ts';
import { html } from 'hono/html';
import { mergeRequestPage, mergeRequestsPage } from './page/merge-request.ts';
import { jobPage, pipelinePage, pipelinesPage } from './page/pipeline.ts';
import { commitPage, commitsPage, environmentsPage, projectsPage, registryPage } from './page/project.ts';
import { commitOf, resolveCommit } from './repositories.ts';
import type { Api } from './request.ts';
import { findProject } from './lookup.ts';
import type { Project } from './state.ts';

/** The pages for people: whoever looks sees everything, as on their own machine. */
export function pageRoutes(app: Hono, api: Api): void {
  const { state } = api;
  app.get('/', async (c) => c.html(await projectsPage(state)));
  app.get('/api/*', (c) => c.json({ error: '404 Not Found' }, 404));
  app.get('/*', async (c) => {
    const [path = '', rest] = decodeURIComponent(c.req.path.slice(1)).replace(/\/$/, '').split('/-/');
    const project = findProject(state, path);
    const page = project ? await projectPage(api, project, rest) : null;
    return page ? c.html(page, 200, security) : missing(c);
  });

  const missing = async (c: Context) =>
    c.html(
      await layout(state, {
        title: 'Not found',
        trail: [],
        body: html`<h1>404</h1>
          <p class="quiet">The page could not be found.</p>`,
      }),
      404,
      security,
    );
}

/** Nothing of a page may run: what repositories and jobs say is shown as text. */
const security = {
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  'cache-control': 'no-store',
};

async function projectPage(api: Api, project: Project, rest: string | undefined): Promise<Html | null> {
  const { state } = api;
  if (rest === undefined) return commitsPage(state, project);
  const [kind, id] = rest.split('/');
  if (kind === 'pipelines') {
    if (id === undefined) return pipelinesPage(state, project);
    const pipeline = project.pipelines.find((each) => each.id === Number(id));
    return pipeline ? pipelinePage(state, project, pipeline) : null;
  }
  if (kind === 'jobs') {
    const row = state.rows.get(Number(id));
    return row?.kind === 'job' && row.pipeline.project === project ? jobPage(state, project, row) : null;
  }
  if (kind === 'merge_requests') {
    if (id === undefined) return mergeRequestsPage(state, project);
    const request = project.mergeRequests.find((each) => each.iid === Number(id));
    return request ? mergeRequestPage(api, project, request) : null;
  }
  if (kind === 'environments') return environmentsPage(state, project);
  if (kind === 'container_registry') return registryPage(state, project);
  if (kind === 'commits' || kind === 'tree') return commitsPage(state, project);
  if (kind !== 'commit' || id === undefined) return null;
  const sha = await resolveCommit(state, project, id);
  return sha ? commitPage(state, project, await commitOf(state, project, sha)) : null;
}
