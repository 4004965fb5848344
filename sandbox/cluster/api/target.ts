import type { Kinds, Resource } from '../store/kinds.ts';

/** What a request is about. */
export type Target =
  | {
      readonly type: 'resource';
      readonly group: string;
      readonly version: string;
      readonly plural: string;
      readonly namespace: string | null;
      readonly name: string | null;
      readonly subresource: string | null;
      /** What follows the subresource (service proxy), with its leading slash. */
      readonly rest: string;
      readonly resource: Resource | undefined;
    }
  | { readonly type: 'other'; readonly path: string };

/** Reads a path such as /apis/apps/v1/namespaces/x/deployments/y/status. */
export function readTarget(path: string, kinds: Kinds): Target {
  const match = /^\/(?:api\/(v1)|apis\/([^/]+)\/([^/]+))\/(.+)$/.exec(path);
  if (!match) return { type: 'other', path };
  const [, core, group = '', version = core ?? '', below = ''] = match;
  const parts = below.split('/').map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  const isNamespaced =
    parts[0] === 'namespaces' && parts.length > 2 && !['status', 'finalize'].includes(parts[2] ?? '');
  const namespace = isNamespaced ? (parts[1] ?? null) : null;
  const [plural = '', name, subresource, ...rest] = isNamespaced ? parts.slice(2) : parts;
  return {
    type: 'resource',
    group,
    version,
    plural,
    namespace,
    name: name || null,
    subresource: subresource || null,
    rest: rest.length > 0 ? `/${rest.join('/')}` : '',
    resource: kinds.byPlural(group, version, plural),
  };
}

/** The verb that RBAC sees. */
export function verbOf(method: string, target: Target, query: URLSearchParams): string {
  if (target.type === 'other') return method.toLowerCase();
  const isWatch = ['1', 'true'].includes(query.get('watch') ?? '');
  const verbs: Readonly<Record<string, string>> = {
    GET: target.name === null ? (isWatch ? 'watch' : 'list') : 'get',
    HEAD: 'get',
    POST: 'create',
    PUT: 'update',
    PATCH: 'patch',
    DELETE: target.name === null ? 'deletecollection' : 'delete',
  };
  return verbs[method] ?? method.toLowerCase();
}
