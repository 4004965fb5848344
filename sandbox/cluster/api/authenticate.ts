import type { IncomingHttpHeaders } from 'node:http';
import { list } from '../store/object.ts';
import { StatusError } from '../store/status-error.ts';
import type { Authorizer, User } from './authorize.ts';

const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** Who a request comes from. Throws `StatusError` 401 for an unknown token. */
export function authenticate(headers: IncomingHttpHeaders, tokens: ReadonlyMap<string, User>): User {
  const given = headers.authorization;
  if (given === undefined) return anonymous;
  const user = tokens.get(/^Bearer (.+)$/i.exec(given)?.[1]?.trim() ?? '');
  if (!user) throw new StatusError(401, 'Unauthorized', 'Unauthorized');
  return user;
}

/**
 * The user named by Impersonate-User and Impersonate-Group, where the real one may impersonate (verb `impersonate` on
 * users and groups); else the real one. Throws `StatusError` 403.
 */
export function impersonated(headers: IncomingHttpHeaders, real: User, authorizer: Authorizer): User {
  const name = headers['impersonate-user'];
  const groups = list([headers['impersonate-group'] ?? []].flat()).flatMap((group) => String(group).split(/,\s*/));
  if (typeof name !== 'string') {
    if (groups.length > 0) {
      throw new StatusError(500, 'InternalError', 'requested [{Group}] without impersonating a user');
    }
    return real;
  }
  const demand = (resource: string, wanted: string) =>
    authorizer.demand(real, { verb: 'impersonate', group: '', resource, namespace: null, name: wanted });
  demand('users', name);
  for (const group of groups) demand('groups', group);
  return { name, groups: [...groups, 'system:authenticated'] };
}
