import type { Hono } from 'hono';
import { tagNames, tagOf, removeTag } from './registry-client.ts';
import type { RegistryTag } from './registry-client.ts';
import {
  badParameter,
  badRequest,
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
import type { Project } from './state.ts';

/** Container registry of a project: repositories, tags, what a cleanup removes, protection rules. */
export function registryRoutes(app: Hono, api: Api): void {
  const { state } = api;
  const host = () => state.registry?.host ?? '';
  const own = (project: Project) =>
    [...state.registryRepositories].flatMap(([path, { id, createdAt }]) =>
      path === project.path.toLowerCase() || path.startsWith(`${project.path.toLowerCase()}/`)
        ? [{ path, id, createdAt, name: path.slice(project.path.length + 1) }]
        : [],
    );
  const find = (project: Project, id: string) => {
    const found = own(project).find((each) => each.id === Number(id));
    if (!found) throw notFound('Container Repository');
    return found;
  };
  const tag = (repository: string, name: string) => ({
    name,
    path: `${repository}:${name}`,
    location: `${host()}/${repository}:${name}`,
  });
  const base = '/projects/:id/registry/repositories';

  app.get(base, async (c) => {
    const { project } = enter(api, c, { level: 20, jobToken: true });
    const query = await parameters(c);
    const [withTags, withCount] = [flag(query, 'tags') ?? false, flag(query, 'tags_count') ?? false];
    const rows = page(api, c, own(project)).map(async ({ id, name, path, createdAt }) => {
      const names = withTags || withCount ? await tagNames(state, path) : [];
      return {
        id,
        name,
        path,
        project_id: project.id,
        location: `${host()}/${path}`,
        created_at: createdAt,
        cleanup_policy_started_at: null,
        status: null,
        ...(withCount ? { tags_count: names.length } : {}),
        ...(withTags ? { tags: names.map((each) => tag(path, each)) } : {}),
      };
    });
    return c.json(await Promise.all(rows));
  });
  app.delete(`${base}/:repository`, async (c) => {
    const { project } = enter(api, c, { level: 40, write: true, jobToken: true });
    const { path } = find(project, c.req.param('repository'));
    for (const name of await tagNames(state, path)) await removeTag(state, path, name);
    state.registryRepositories.delete(path);
    return c.body(null, 202);
  });
  app.get(`${base}/:repository/tags`, async (c) => {
    const { project } = enter(api, c, { level: 20, jobToken: true });
    const { path } = find(project, c.req.param('repository'));
    return c.json(page(api, c, await tagNames(state, path)).map((name) => tag(path, name)));
  });
  app.get(`${base}/:repository/tags/:tag`, async (c) => {
    const { project } = enter(api, c, { level: 20, jobToken: true });
    const { path } = find(project, c.req.param('repository'));
    const found = await tagOf(state, path, c.req.param('tag'));
    if (!found) throw notFound('Tag');
    const revision = found.configDigest.replace('sha256:', '');
    return c.json({
      ...tag(path, found.name),
      revision,
      short_revision: revision.slice(0, 9),
      digest: found.digest,
      created_at: found.createdAt,
      total_size: found.size,
    });
  });
  app.delete(`${base}/:repository/tags/:tag`, async (c) => {
    const { project } = enter(api, c, { level: 30, write: true, jobToken: true });
    const { path } = find(project, c.req.param('repository'));
    if (!(await removeTag(state, path, c.req.param('tag')))) throw notFound('Tag');
    return c.json(null, 200);
  });
  app.delete(`${base}/:repository/tags`, async (c) => {
    const { project } = enter(api, c, { level: 40, write: true, jobToken: true });
    const { path } = find(project, c.req.param('repository'));
    const query = await parameters(c);
    const remove = text(query, 'name_regex_delete') ?? text(query, 'name_regex');
    if (remove === undefined)
      throw badParameter('name_regex_delete, name_regex are missing, at least one parameter must be provided');
    const found = await Promise.all((await tagNames(state, path)).map((name) => tagOf(state, path, name)));
    const gone = chosen(
      found.filter((each) => each !== null),
      {
        remove,
        keep: text(query, 'name_regex_keep'),
        newest: integer(query, 'keep_n'),
        olderThan: text(query, 'older_than'),
      },
      state.clock.now(),
    );
    for (const name of gone) await removeTag(state, path, name);
    return c.body(null, 202);
  });

  const rules = '/projects/:id/registry/protection/repository/rules';
  const rule = (project: Project, each: Project['registryRules'][number]) => ({
    id: each.id,
    project_id: project.id,
    repository_path_pattern: each.pattern,
    minimum_access_level_for_push: each.push,
    minimum_access_level_for_delete: each.remove,
  });
  app.get(rules, (c) => {
    const { project } = enter(api, c, { level: 40 });
    return c.json(project.registryRules.map((each) => rule(project, each)));
  });
  app.post(rules, async (c) => {
    const { project } = enter(api, c, { level: 40, write: true });
    const values = await parameters(c);
    const [push, remove] = ['push', 'delete'].map((act) => text(values, `minimum_access_level_for_${act}`) ?? null);
    const pattern = required(values, 'repository_path_pattern');
    if (!push && !remove) throw badRequest('A rule must have at least a minimum access role for push or delete.');
    if (!pattern.startsWith(project.path.toLowerCase()))
      throw badRequest("Repository path pattern should start with the project's full path");
    const made = { id: state.next('registry rule'), pattern, push: push ?? null, remove: remove ?? null };
    project.registryRules.push(made);
    return c.json(rule(project, made), 201);
  });
  app.delete(`${rules}/:rule`, (c) => {
    const { project } = enter(api, c, { level: 40, write: true });
    const index = project.registryRules.findIndex((each) => each.id === Number(c.req.param('rule')));
    if (index < 0) throw notFound();
    project.registryRules.splice(index, 1);
    return c.body(null, 204);
  });
}

/** What a cleanup is asked to remove. */
export interface Cleanup {
  readonly remove: string;
  readonly keep?: string | undefined;
  readonly newest?: number | undefined;
  /** `7d`, `90d` and the like. */
  readonly olderThan?: string | undefined;
}

/**
 * Tags that a cleanup removes: never `latest`; those that the pattern names whole, less those to be kept, less the newest,
 * less the young (docs.gitlab.com/user/packages/container_registry/reduce_container_registry_storage).
 */
function chosen(tags: readonly RegistryTag[], cleanup: Cleanup, now: number): readonly string[] {
  const whole = (pattern: string) => new RegExp(`^(?:${pattern})$`);
  const [, count, unit] = /^(\d+)\s*([dhms])/.exec(cleanup.olderThan ?? '') ?? [];
  const age = Number(count ?? 0) * ({ d: 86_400, h: 3600, m: 60, s: 1 }[unit ?? 's'] ?? 1) * 1000;
  return tags
    .filter(({ name }) => name !== 'latest' && whole(cleanup.remove).test(name))
    .filter(({ name }) => !cleanup.keep || !whole(cleanup.keep).test(name))
    .toSorted((a, b) => (b.createdAt ?? '').localeCompare(a.createdAt ?? ''))
    .slice(cleanup.newest ?? 0)
    .filter(({ createdAt }) => !age || (createdAt !== null && Date.parse(createdAt) < now - age))
    .map(({ name }) => name);
}
