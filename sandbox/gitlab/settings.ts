import type { Hono } from 'hono';
import type { ProtectedBranch } from './project-parts.ts';
import type { Project } from './state.ts';
import type { VariableFields } from './handle.ts';
import { putVariable } from './setup.ts';
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

/** Variables, protected branches, freeze periods, deploy keys, registry repositories, triggers. */
export function settingRoutes(app: Hono, api: Api): void {
  const { state } = api;
  const maintainer = { level: 40 };
  const change = { level: 40, write: true };

  const variable = (each: VariableFields) => ({
    variable_type: each.file ? 'file' : 'env_var',
    key: each.key,
    value: each.value,
    hidden: false,
    protected: each.protected ?? false,
    masked: each.masked ?? false,
    raw: false,
    environment_scope: each.environmentScope ?? '*',
    description: null,
  });
  const find = (project: Project, key: string, scope: string | undefined) => {
    const found = project.variables.filter(
      (each) => each.key === key && (scope === undefined || (each.environmentScope ?? '*') === scope),
    );
    if (found.length > 1)
      throw new ApiError(409, {
        message: "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'",
      });
    if (!found[0]) throw notFound('Variable');
    return found[0];
  };
  const fieldsOf = (values: Readonly<Record<string, unknown>>, old?: VariableFields): VariableFields => {
    const key = old?.key ?? required(values, 'key');
    const value = text(values, 'value') ?? old?.value;
    if (value === undefined) throw new ApiError(400, { error: 'value is missing' });
    if (!/^\w{1,255}$/.test(key)) throw badRequest({ key: ["can contain only letters, digits and '_'."] });
    const masked = flag(values, 'masked') ?? old?.masked ?? false;
    if (masked && !/^[\w+/=@:.~-]{8,}$/.test(value)) throw badRequest({ value: ['is invalid'] });
    const type = choice(values, 'variable_type', ['env_var', 'file'], old?.file ? 'file' : 'env_var');
    return {
      key,
      value,
      masked,
      protected: flag(values, 'protected') ?? old?.protected ?? false,
      file: type === 'file',
      environmentScope: text(values, 'environment_scope') ?? old?.environmentScope ?? '*',
    };
  };
  app.get('/projects/:id/variables', (c) => {
    const { project } = enter(api, c, maintainer);
    return c.json(page(api, c, project.variables).map(variable));
  });
  app.post('/projects/:id/variables', async (c) => {
    const { project } = enter(api, c, change);
    const fields = fieldsOf(await parameters(c));
    const taken = project.variables.some(
      (each) => each.key === fields.key && (each.environmentScope ?? '*') === fields.environmentScope,
    );
    if (taken) throw badRequest({ key: [`(${fields.key}) has already been taken`] });
    putVariable(project.variables, fields);
    return c.json(variable(fields), 201);
  });
  app.get('/projects/:id/variables/:key', (c) => {
    const { project } = enter(api, c, maintainer);
    return c.json(variable(find(project, c.req.param('key'), c.req.query('filter[environment_scope]'))));
  });
  app.put('/projects/:id/variables/:key', async (c) => {
    const { project } = enter(api, c, change);
    const values = await parameters(c);
    const filter = values['filter'] as Record<string, unknown> | undefined;
    const old = find(
      project,
      c.req.param('key'),
      c.req.query('filter[environment_scope]') ?? (filter ? text(filter, 'environment_scope') : undefined),
    );
    const fields = fieldsOf(values, old);
    project.variables.splice(project.variables.indexOf(old), 1, fields);
    return c.json(variable(fields));
  });
  app.delete('/projects/:id/variables/:key', (c) => {
    const { project } = enter(api, c, change);
    const old = find(project, c.req.param('key'), c.req.query('filter[environment_scope]'));
    project.variables.splice(project.variables.indexOf(old), 1);
    return c.body(null, 204);
  });

  const branch = (rule: ProtectedBranch) => {
    const level = (access: 0 | 30 | 40) => ({
      id: rule.id,
      access_level: access,
      access_level_description: access === 0 ? 'No one' : access === 30 ? 'Developers + Maintainers' : 'Maintainers',
    });
    return {
      id: rule.id,
      name: rule.name,
      push_access_levels: [level(rule.push)],
      merge_access_levels: [level(rule.merge)],
      allow_force_push: rule.forcePush,
    };
  };
  app.get('/projects/:id/protected_branches', (c) => {
    const { project } = enter(api, c, { level: 30 });
    return c.json(page(api, c, project.protectedBranches).map(branch));
  });
  app.get('/projects/:id/protected_branches/:name', (c) => {
    const { project } = enter(api, c, { level: 30 });
    const found = project.protectedBranches.find((each) => each.name === c.req.param('name'));
    if (!found) throw notFound();
    return c.json(branch(found));
  });
  app.post('/projects/:id/protected_branches', async (c) => {
    const { project } = enter(api, c, change);
    const values = await parameters(c);
    const name = required(values, 'name');
    if (project.protectedBranches.some((each) => each.name === name))
      throw new ApiError(409, { message: `Protected branch '${name}' already exists` });
    const level = (key: string) => Number(choice(values, key, ['0', '30', '40'], '40')) as 0 | 30 | 40;
    const rule = {
      id: state.next('protected branch'),
      name,
      push: level('push_access_level'),
      merge: level('merge_access_level'),
      users: [],
      forcePush: flag(values, 'allow_force_push') ?? false,
    };
    project.protectedBranches.push(rule);
    return c.json(branch(rule), 201);
  });
  app.delete('/projects/:id/protected_branches/:name', (c) => {
    const { project } = enter(api, c, change);
    const found = project.protectedBranches.findIndex((each) => each.name === c.req.param('name'));
    if (found < 0) throw notFound();
    project.protectedBranches.splice(found, 1);
    return c.body(null, 204);
  });

  app.get('/projects/:id/freeze_periods', (c) => {
    const { project } = enter(api, c, { level: 20, jobToken: true });
    return c.json(
      page(api, c, project.freezePeriods).map((each) => ({
        ...each,
        created_at: project.createdAt,
        updated_at: project.createdAt,
      })),
    );
  });
  app.post('/projects/:id/freeze_periods', async (c) => {
    const { project } = enter(api, c, change);
    const values = await parameters(c);
    const period = {
      id: state.next('freeze'),
      freeze_start: required(values, 'freeze_start'),
      freeze_end: required(values, 'freeze_end'),
      cron_timezone: text(values, 'cron_timezone') ?? 'UTC',
    };
    project.freezePeriods.push(period);
    return c.json({ ...period, created_at: state.time(), updated_at: state.time() }, 201);
  });
  app.delete('/projects/:id/freeze_periods/:period', (c) => {
    const { project } = enter(api, c, change);
    const index = project.freezePeriods.findIndex((each) => each.id === Number(c.req.param('period')));
    if (index < 0) throw notFound();
    project.freezePeriods.splice(index, 1);
    return c.body(null, 204);
  });

  app.get('/projects/:id/deploy_keys', (c) => {
    const { project } = enter(api, c, maintainer);
    return c.json(page(api, c, project.deployKeys).map((key) => ({ ...key, expires_at: null })));
  });
  app.post('/projects/:id/deploy_keys', async (c) => {
    const { project } = enter(api, c, change);
    const values = await parameters(c);
    const key = {
      id: state.next('deploy key'),
      title: required(values, 'title'),
      key: required(values, 'key'),
      can_push: flag(values, 'can_push') ?? false,
      created_at: state.time(),
    };
    project.deployKeys.push(key);
    return c.json({ ...key, expires_at: null }, 201);
  });
  app.delete('/projects/:id/deploy_keys/:key', (c) => {
    const { project } = enter(api, c, change);
    const index = project.deployKeys.findIndex((each) => each.id === Number(c.req.param('key')));
    if (index < 0) throw notFound('Deploy Key');
    project.deployKeys.splice(index, 1);
    return c.body(null, 204);
  });

  app.get('/projects/:id/triggers', (c) => {
    const { project, user } = enter(api, c, maintainer);
    return c.json(
      page(api, c, project.triggers).map((each, index) => ({
        id: index + 1,
        token: each.user === user ? each.token : each.token.slice(0, 4),
        description: each.description,
      })),
    );
  });
  app.get('/projects/:id/job_token_scope', (c) => {
    enter(api, c, maintainer);
    return c.json({ inbound_enabled: true, outbound_enabled: false });
  });
  app.get('/projects/:id/members/all/:user', (c) => {
    const { project } = enter(api, c, { level: 10 });
    const id = integer({ id: c.req.param('user') }, 'id') ?? 0;
    const user = state.users.get(id);
    const level = project.members.get(id);
    if (!user || level === undefined) throw notFound();
    return c.json({ id, username: user.username, name: user.name, state: 'active', access_level: level });
  });
}
