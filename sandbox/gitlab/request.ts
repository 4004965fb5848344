import type { Context } from 'hono';
import { accessLevel, canSee, hasScope, identify, identifyJob, jobMayReach } from './access.ts';
import type { Identity } from './access.ts';
import type { Engine } from './engine.ts';
import { findProject } from './lookup.ts';
import type { Project, State, User } from './state.ts';

/** What every resource of the API works with. */
export interface Api {
  readonly state: State;
  readonly engine: Engine;
}

/** An answer other than success, in GitLab's shape. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: unknown;
  constructor(status: number, body: unknown) {
    super(`${status} ${JSON.stringify(body)}`);
    this.name = 'ApiError';
    this.status = status;
    this.body = body;
  }
}

export const notFound = (what?: string) =>
  new ApiError(404, { message: what ? `404 ${what} Not Found` : '404 Not Found' });
export const forbidden = () => new ApiError(403, { message: '403 Forbidden' });
export const unauthorized = () => new ApiError(401, { message: '401 Unauthorized' });
/** A service's refusal. */
export const badRequest = (message: unknown) => new ApiError(400, { message });
/** A parameter that Grape refuses: `error`, and no `message`. */
export const badParameter = (error: string) => new ApiError(400, { error });

/** Who sent the request; `refused` tokens are answered as GitLab does. */
export function identityOf(api: Api, c: Context, options: { readonly jobToken: boolean }): Identity {
  const bearer = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  const jobToken = c.req.header('job-token') ?? c.req.query('job_token');
  const value = c.req.header('private-token') ?? c.req.query('private_token') ?? bearer;
  if (jobToken !== undefined || value?.startsWith('glcbt-')) {
    // Endpoints that do not take job tokens do not see them.
    if (!options.jobToken) return { kind: 'anonymous' };
    const job = identifyJob(api.state, jobToken ?? value ?? '');
    if (job.kind === 'refused') throw unauthorized();
    return job;
  }
  if (value === undefined) return { kind: 'anonymous' };
  const identity = identify(api.state, value);
  if (identity.kind === 'refused') throw refusal(identity.reason);
  if (identity.kind === 'deploy') throw unauthorized();
  return identity;
}

function refusal(reason: 'unknown' | 'revoked' | 'expired'): ApiError {
  if (reason === 'unknown') return unauthorized();
  const explanation =
    reason === 'revoked'
      ? 'Token was revoked. You have to re-authorize from the user.'
      : 'Token is expired. You can either do re-authorization or token refresh.';
  return new ApiError(401, { error: 'invalid_token', error_description: explanation });
}

/** What an endpoint asks of its caller. */
export interface Demand {
  /** Lowest role; 0: whoever may see the project. */
  readonly level: number;
  /** Are job tokens taken? */
  readonly jobToken?: boolean;
  /** Does the endpoint change something? Then the scope must be `api`. */
  readonly write?: boolean;
}

/** The caller and the project of a request, checked. 404 where the project is not to be seen. */
export function enter(
  api: Api,
  c: Context,
  demand: Demand,
): { readonly project: Project; readonly identity: Identity; readonly user: User } {
  const identity = identityOf(api, c, { jobToken: demand.jobToken ?? false });
  if (identity.kind === 'user') demandScope(identity, demand.write ?? false);
  const project = findProject(api.state, c.req.param('id') ?? '');
  if (!project || !canSee(api.state, identity, project)) throw notFound('Project');
  if (demand.level === 0 && identity.kind === 'anonymous') return { project, identity, user: nobody };
  if (identity.kind !== 'user' && identity.kind !== 'job') throw unauthorized();
  const level =
    identity.kind === 'job' && jobMayReach(api.state, identity, project)
      ? Math.max(accessLevel(api.state, identity.user, project), 30)
      : accessLevel(api.state, identity.user, project);
  if (level < demand.level) throw forbidden();
  return { project, identity, user: identity.user };
}

const nobody: User = { id: 0, username: '', name: '', email: '', bot: false, admin: false };

/** 403 `insufficient_scope` where the token may only read, or not even that. */
function demandScope(identity: Identity, write: boolean): void {
  const fits = write ? hasScope(identity, 'api') : hasScope(identity, 'api', 'read_api');
  if (fits) return;
  throw new ApiError(403, {
    error: 'insufficient_scope',
    error_description: 'The request requires higher privileges than provided by the access token.',
    scope: write ? 'api' : 'api read_api',
  });
}

/** The signed-in caller of an endpoint without project. */
export function enterAsUser(
  api: Api,
  c: Context,
  options: { readonly write?: boolean; readonly anyScope?: boolean } = {},
) {
  const identity = identityOf(api, c, { jobToken: false });
  if (identity.kind !== 'user') throw unauthorized();
  if (!options.anyScope) demandScope(identity, options.write ?? false);
  return identity;
}

/** Parameters of query and body (JSON or form); `name[]` becomes an array. */
export async function parameters(c: Context): Promise<Readonly<Record<string, unknown>>> {
  const found: Record<string, unknown> = {};
  const put = (key: string, value: unknown) => {
    const array = /^(\w+)\[\]$/.exec(key)?.[1];
    if (array) found[array] = [...((found[array] as unknown[] | undefined) ?? []), value];
    else found[key] = value;
  };
  for (const [key, values] of Object.entries(c.req.queries())) for (const value of values) put(key, value);
  const type = c.req.header('content-type') ?? '';
  if (c.req.method === 'GET' || c.req.method === 'HEAD') return found;
  if (type.includes('json')) {
    const body: unknown = await c.req.json().catch(() => {
      throw badParameter('body does not match the JSON format');
    });
    if (typeof body === 'object' && body !== null) Object.assign(found, body);
  } else if (type.includes('form')) {
    const form = await c.req.parseBody({ all: true });
    for (const [key, value] of Object.entries(form))
      for (const each of Array.isArray(value) ? value : [value]) put(key, each);
  }
  return found;
}

/** A text parameter, or undefined. */
export function text(values: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = values[name];
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A text parameter that must be there. */
export function required(values: Readonly<Record<string, unknown>>, name: string): string {
  const value = text(values, name);
  if (value === undefined) throw badParameter(`${name} is missing`);
  return value;
}

/** A parameter that is one of a few. */
export function choice(
  values: Readonly<Record<string, unknown>>,
  name: string,
  allowed: readonly string[],
  missing?: string,
): string {
  const value = text(values, name) ?? missing;
  if (value === undefined) throw badParameter(`${name} is missing`);
  if (!allowed.includes(value)) throw badParameter(`${name} does not have a valid value`);
  return value;
}

/** A whole number, or undefined. */
export function integer(values: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  if (!/^-?\d+$/.test(value)) throw badParameter(`${name} is invalid`);
  return Number(value);
}

/** The words that Grape takes for yes and no (dry-types, `params.bool`). */
const yes = new Set(['1', 'on', 'On', 'ON', 't', 'true', 'True', 'TRUE', 'T', 'y', 'yes', 'Yes', 'YES', 'Y']);
const no = new Set(['0', 'off', 'Off', 'OFF', 'f', 'false', 'False', 'FALSE', 'F', 'n', 'no', 'No', 'NO', 'N']);

/** Yes, no, or undefined. */
export function flag(values: Readonly<Record<string, unknown>>, name: string): boolean | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  if (yes.has(value)) return true;
  if (no.has(value)) return false;
  throw badParameter(`${name} is invalid`);
}

/** A list, given as array or by commas. */
export function list(values: Readonly<Record<string, unknown>>, name: string): readonly string[] | undefined {
  const value = values[name];
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return value.map(String);
  return typeof value === 'string' ? value.split(',').filter((each) => each !== '') : [];
}

/** One page of the items, with GitLab's headers. */
export function page<T>(api: Api, c: Context, items: readonly T[]): readonly T[] {
  const per = Math.min(100, Math.max(1, Number(c.req.query('per_page') ?? 20) || 20));
  const number = Math.max(1, Number(c.req.query('page') ?? 1) || 1);
  const pages = Math.max(1, Math.ceil(items.length / per));
  const link = (target: number, rel: string) => {
    const url = new URL(c.req.url);
    url.host = api.state.host;
    url.searchParams.set('page', String(target));
    url.searchParams.set('per_page', String(per));
    return `<${url.href}>; rel="${rel}"`;
  };
  const links = [
    ...(number > 1 ? [link(number - 1, 'prev')] : []),
    ...(number < pages ? [link(number + 1, 'next')] : []),
    link(1, 'first'),
    ...(api.state.faults.noTotals ? [] : [link(pages, 'last')]),
  ];
  c.header('Link', links.join(', '));
  c.header('X-Page', String(number));
  c.header('X-Per-Page', String(per));
  c.header('X-Next-Page', number < pages ? String(number + 1) : '');
  c.header('X-Prev-Page', number > 1 ? String(number - 1) : '');
  if (!api.state.faults.noTotals) {
    c.header('X-Total', String(items.length));
    c.header('X-Total-Pages', String(pages));
  }
  return items.slice((number - 1) * per, number * per);
}
