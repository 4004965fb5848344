import type { Hono } from 'hono';
import type { Context } from 'hono';
import { expired, groupAccessLevel } from './access.ts';
import type { AccessLevel } from './handle.ts';
import {
  ApiError,
  badRequest,
  choice,
  enter,
  enterAsUser,
  flag,
  forbidden,
  integer,
  list,
  notFound,
  page,
  parameters,
  required,
  text,
  unauthorized,
} from './request.ts';
import type { Api } from './request.ts';
import type { DeployToken, Group, Project, Token, User } from './state.ts';
import { addBot, addToken, dateIn, newSecret } from './tokens.ts';

const week = 7;
const deployScopes = [
  'read_repository',
  'read_registry',
  'write_registry',
  'read_package_registry',
  'write_package_registry',
  'read_virtual_registry',
  'write_virtual_registry',
];
const resourceScopes = [
  'api',
  'read_api',
  'create_runner',
  'manage_runner',
  'ai_features',
  'k8s_proxy',
  'self_rotate',
  'read_repository',
  'write_repository',
  'read_registry',
  'write_registry',
  'read_virtual_registry',
  'write_virtual_registry',
];

interface Owner {
  readonly kind: 'project' | 'group';
  readonly resource: Project | Group;
  readonly user: User;
  readonly token: Token | null;
}

/** Access tokens of projects and groups, deploy tokens, and the caller's own token. */
export function tokenRoutes(app: Hono, api: Api): void {
  const { state } = api;
  const owner = (c: Context, kind: 'project' | 'group', write: boolean): Owner => {
    if (kind === 'project') {
      const { project, user, identity } = enter(api, c, { level: 40, write });
      return { kind, resource: project, user, token: identity.kind === 'user' ? identity.token : null };
    }
    const identity = enterAsUser(api, c, { write });
    const id = c.req.param('id') ?? '';
    const group = [...state.groups.values()].find(
      (each) => String(each.id) === id || each.path.toLowerCase() === id.toLowerCase(),
    );
    if (!group) throw notFound('Group');
    if (groupAccessLevel(state, identity.user, group) < 50) throw forbidden();
    return { kind, resource: group, user: identity.user, token: identity.token };
  };
  const active = (token: Token) => !token.revoked && !expired(state, token.expiresAt);
  const entity = (token: Token) => ({
    id: token.id,
    name: token.name,
    revoked: token.revoked,
    created_at: token.createdAt,
    description: token.description,
    scopes: token.scopes,
    user_id: token.user.id,
    last_used_at: token.lastUsedAt,
    active: active(token),
    expires_at: token.expiresAt,
    ...(token.kind === 'personal'
      ? {}
      : {
          access_level: token.accessLevel,
          resource_type: token.kind,
          resource_id:
            state.projects.get(token.resource?.toLowerCase() ?? '')?.id ??
            state.groups.get(token.resource?.toLowerCase() ?? '')?.id ??
            0,
        }),
  });

  for (const [kind, base] of [
    ['project', '/projects/:id'],
    ['group', '/groups/:id'],
  ] as const) {
    const tokensOf = (resource: Project | Group) =>
      state.tokens.filter((token) => token.kind === kind && token.resource === resource.path);
    app.get(`${base}/access_tokens`, async (c) => {
      const { resource } = owner(c, kind, false);
      const query = await parameters(c);
      const wanted = text(query, 'state');
      const revoked = flag(query, 'revoked');
      const search = text(query, 'search');
      const found = tokensOf(resource)
        .filter((token) => wanted === undefined || active(token) === (wanted === 'active'))
        .filter((token) => revoked === undefined || token.revoked === revoked)
        .filter((token) => search === undefined || token.name.includes(search));
      return c.json(page(api, c, found).map(entity));
    });
    app.post(`${base}/access_tokens`, async (c) => {
      const { resource, token } = owner(c, kind, true);
      if (state.faults.noProjectTokens)
        throw badRequest('User does not have permission to create ' + kind + ' access token');
      // A project token cannot make tokens (gitlab-org/gitlab issue 359953).
      if (token && token.kind !== 'personal')
        throw badRequest(`User does not have permission to create ${kind} access token`);
      const values = await parameters(c);
      const name = required(values, 'name');
      const scopes = list(values, 'scopes');
      if (!scopes) throw new ApiError(400, { error: 'scopes is missing' });
      if (scopes.some((scope) => !resourceScopes.includes(scope)))
        throw new ApiError(400, { error: 'scopes does not have a valid value' });
      const level = Number(choice(values, 'access_level', ['10', '15', '20', '30', '40', '50'], '40')) as AccessLevel;
      const expiresAt = text(values, 'expires_at') ?? dateIn(state, 30);
      checkExpiry(expiresAt);
      const user = addBot(state, resource, kind, name, level);
      const made = addToken(state, {
        user,
        kind,
        resource: resource.path,
        name,
        scopes,
        accessLevel: level,
        expiresAt,
        description: text(values, 'description') ?? null,
      });
      return c.json({ ...entity(made), token: made.value }, 201);
    });
    app.get(`${base}/access_tokens/:token`, (c) => {
      const self = c.req.param('token') === 'self';
      const { resource } = self ? { resource: null } : owner(c, kind, false);
      const found = self
        ? enterAsUser(api, c, { anyScope: true }).token
        : tokensOf(resource as Project).find((token) => token.id === Number(c.req.param('token')));
      if (!found) throw notFound();
      return c.json(entity(found));
    });
    app.delete(`${base}/access_tokens/:token`, (c) => {
      const { resource } = owner(c, kind, true);
      const found = tokensOf(resource).find((token) => token.id === Number(c.req.param('token')) && !token.revoked);
      if (!found) throw notFound();
      found.revoked = true;
      return c.body(null, 204);
    });
    app.post(`${base}/access_tokens/self/rotate`, async (c) => {
      const { token } = enterAsUser(api, c, { anyScope: true });
      if (token.kind !== kind) throw new ApiError(405, { message: '405 Method Not Allowed' });
      if (!token.scopes.some((scope) => scope === 'api' || scope === 'self_rotate')) throw forbidden();
      return c.json(rotate(token, text(await parameters(c), 'expires_at')), 200);
    });
    app.post(`${base}/access_tokens/:token/rotate`, async (c) => {
      const asking = enterAsUser(api, c, { write: true });
      const { resource } = owner(c, kind, true);
      const found = tokensOf(resource).find((token) => token.id === Number(c.req.param('token')));
      if (!found) throw notFound();
      // A project token rotates itself alone.
      if (asking.token.kind !== 'personal' && asking.token !== found) throw unauthorized();
      return c.json(rotate(found, text(await parameters(c), 'expires_at')), 200);
    });

    const deployTokensOf = (resource: Project | Group) =>
      state.deployTokens.filter((token) => token.project === resource || token.group === resource);
    app.get(`${base}/deploy_tokens`, async (c) => {
      const { resource } = owner(c, kind, false);
      const wanted = flag(await parameters(c), 'active');
      const found = deployTokensOf(resource).filter((token) => wanted === undefined || isActive(token) === wanted);
      return c.json(page(api, c, found).map(deployEntity));
    });
    app.post(`${base}/deploy_tokens`, async (c) => {
      const { resource } = owner(c, kind, true);
      const values = await parameters(c);
      const name = required(values, 'name');
      const scopes = list(values, 'scopes');
      if (!scopes || scopes.length === 0) throw new ApiError(400, { error: 'scopes is missing' });
      if (scopes.some((scope) => !deployScopes.includes(scope)))
        throw new ApiError(400, { error: 'scopes does not have a valid value' });
      const id = state.next('deploy token');
      const token: DeployToken = {
        id,
        name,
        username: text(values, 'username') ?? `gitlab+deploy-token-${id}`,
        value: newSecret('gldt-'),
        scopes,
        expiresAt: text(values, 'expires_at') ?? null,
        project: kind === 'project' ? (resource as Project) : null,
        group: kind === 'group' ? resource : null,
        revoked: false,
      };
      state.deployTokens.push(token);
      return c.json({ ...deployEntity(token), token: token.value }, 201);
    });
    app.get(`${base}/deploy_tokens/:token`, (c) => {
      const { resource } = owner(c, kind, false);
      const found = deployTokensOf(resource).find((token) => token.id === Number(c.req.param('token')));
      if (!found) throw notFound('DeployToken');
      return c.json(deployEntity(found));
    });
    app.delete(`${base}/deploy_tokens/:token`, (c) => {
      const { resource } = owner(c, kind, true);
      const found = deployTokensOf(resource).find((token) => token.id === Number(c.req.param('token')));
      if (!found || found.revoked) throw notFound('DeployToken');
      found.revoked = true;
      return c.body(null, 204);
    });
  }

  const isActive = (token: DeployToken) => !token.revoked && !expired(state, token.expiresAt);
  const deployEntity = (token: DeployToken) => ({
    id: token.id,
    name: token.name,
    username: token.username,
    expires_at: token.expiresAt,
    scopes: token.scopes,
    revoked: token.revoked,
    expired: expired(state, token.expiresAt),
  });
  const checkExpiry = (date: string) => {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) throw new ApiError(400, { error: 'expires_at is invalid' });
    if (Date.parse(date) <= state.clock.now()) throw badRequest('Expiration date must be in the future');
    if (date > dateIn(state, 400)) throw badRequest('Expiration date must be before ' + dateIn(state, 365));
  };
  /** Revokes at once; a token that had been rotated before takes its whole family with it. */
  const rotate = (token: Token, expiresAt: string | undefined) => {
    if (token.revoked) {
      for (const each of state.tokens) if (each.family === token.family) each.revoked = true;
      throw badRequest('token already revoked');
    }
    if (expiresAt !== undefined) checkExpiry(expiresAt);
    token.revoked = true;
    const fresh = addToken(state, { ...token, expiresAt: expiresAt ?? dateIn(state, week) });
    return { ...entity(fresh), token: fresh.value };
  };

  /** Without what only project and group tokens have. */
  const personal = (token: Token) => {
    const {
      access_level: _level,
      resource_type: _type,
      resource_id: _id,
      ...rest
    } = entity({ ...token, kind: 'project' }) as Record<string, unknown>;
    return rest;
  };
  app.get('/personal_access_tokens/self', (c) => c.json(personal(enterAsUser(api, c, { anyScope: true }).token)));
  app.delete('/personal_access_tokens/self', (c) => {
    enterAsUser(api, c, { anyScope: true }).token.revoked = true;
    return c.body(null, 204);
  });
  app.post('/personal_access_tokens/self/rotate', async (c) => {
    const { token } = enterAsUser(api, c, { anyScope: true });
    if (!token.scopes.some((scope) => scope === 'api' || scope === 'self_rotate')) throw forbidden();
    return c.json(rotate(token, text(await parameters(c), 'expires_at')));
  });
  app.get('/personal_access_tokens', async (c) => {
    const { user } = enterAsUser(api, c);
    const id = integer(await parameters(c), 'user_id');
    return c.json(
      page(
        api,
        c,
        state.tokens.filter((token) => token.user === user && (id === undefined || id === user.id)),
      ).map(entity),
    );
  });
}
