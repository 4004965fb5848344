import type { Hono } from 'hono';
import { commitEntity, userEntity } from './entities.ts';
import { expand } from './ci-variables.ts';
import type { Values } from './ci-variables.ts';
import { commitOf, moveRef, readRef, resolveCommit, zeros } from './repositories.ts';
import { ApiError, badRequest, enter, notFound, page, parameters, required, text } from './request.ts';
import type { Api } from './request.ts';
import type { Release } from './project-parts.ts';
import type { Project, Row, State, User } from './state.ts';

/** Releases: by API, and by the keyword `release` of a job, which alone publishes components in the catalog. */
export function releaseRoutes(app: Hono, api: Api): void {
  const { state } = api;
  const entity = async (project: Project, release: Release) => ({
    tag_name: release.tag,
    name: release.name,
    description: release.description,
    created_at: release.createdAt,
    released_at: release.createdAt,
    upcoming_release: false,
    author: userEntity(state, release.author),
    commit: commitEntity(state, project, await commitOf(state, project, release.sha)),
    commit_path: `/${project.path}/-/commit/${release.sha}`,
    tag_path: `/${project.path}/-/tags/${release.tag}`,
    assets: { count: 0, sources: [], links: [] },
    evidences: [],
    _links: { self: `${state.url}/${project.path}/-/releases/${release.tag}` },
  });
  app.get('/projects/:id/releases', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    return c.json(await Promise.all(page(api, c, project.releases.toReversed()).map((each) => entity(project, each))));
  });
  app.get('/projects/:id/releases/:tag', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const found = project.releases.find((each) => each.tag === c.req.param('tag'));
    if (!found) throw notFound();
    return c.json(await entity(project, found));
  });
  app.post('/projects/:id/releases', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true, jobToken: true });
    const values = await parameters(c);
    const tag = required(values, 'tag_name');
    if (project.releases.some((each) => each.tag === tag))
      throw new ApiError(409, { message: 'Release already exists' });
    const made = await makeRelease(state, project, user, {
      tag,
      name: text(values, 'name') ?? tag,
      description: text(values, 'description') ?? '',
      ref: text(values, 'ref') ?? null,
    });
    if (typeof made === 'string') throw badRequest(made);
    return c.json(await entity(project, made), 201);
  });
}

async function makeRelease(
  state: State,
  project: Project,
  author: User,
  fields: { readonly tag: string; readonly name: string; readonly description: string; readonly ref: string | null },
): Promise<Release | string> {
  const { tag, name, description, ref } = fields;
  const place = `refs/tags/${tag}`;
  if ((await readRef(state, project, place)) === null) {
    const target = ref === null ? null : await resolveCommit(state, project, ref);
    if (target === null) return 'Ref is not specified';
    await moveRef(state, project, place, target, zeros);
  }
  const sha = (await resolveCommit(state, project, place)) ?? '';
  const made = { tag, sha, name, description, createdAt: state.time(), author };
  project.releases.push(made);
  return made;
}

/** What the keyword `release` of a job does when its script has succeeded; the reason where it fails. */
export async function releaseOfJob(state: State, row: Row, values: Values): Promise<string | null> {
  const settings = row.job?.spec.data['release'] as Readonly<Record<string, unknown>> | undefined;
  if (!settings) return null;
  const { project, sha } = row.pipeline;
  const value = (key: string) => {
    const given = settings[key];
    return typeof given === 'string' ? expand(given, values) : undefined;
  };
  const tag = value('tag_name') ?? '';
  if (project.releases.some((each) => each.tag === tag)) return 'Release already exists';
  if (project.catalog && !/^v?\d+\.\d+\.\d+(-[\w.-]+)?$/.test(tag))
    return 'Failed to publish release to the catalog: Tag must be a semantic version';
  const fields = { tag, name: value('name') ?? tag, description: value('description') ?? '', ref: value('ref') ?? sha };
  const made = await makeRelease(state, project, row.user, fields);
  return typeof made === 'string' ? made : null;
}
