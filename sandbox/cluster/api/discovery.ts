import type { Kinds, Resource } from '../store/kinds.ts';
import { StatusError } from '../store/status-error.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

function described(resource: Resource): readonly Record<string, unknown>[] {
  const one = {
    name: resource.plural,
    singularName: resource.kind.toLowerCase(),
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs,
    ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
  };
  const status = { ...one, name: `${resource.plural}/status`, singularName: '', verbs: ['get', 'patch', 'update'] };
  const proxy = {
    ...one,
    name: 'services/proxy',
    singularName: '',
    verbs: ['create', 'get', 'update', 'patch', 'delete'],
  };
  return [
    one,
    ...(resource.status ? [status] : []),
    ...(resource.kind === 'Service' && resource.group === '' ? [proxy] : []),
  ];
}

function resourceList(kinds: Kinds, group: string, version: string): Record<string, unknown> {
  const found = kinds.all().filter((one) => one.group === group && one.version === version);
  if (found.length === 0) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
  const groupVersion = group === '' ? version : `${group}/${version}`;
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: found.flatMap(described) };
}

function groupEntry(kinds: Kinds, name: string): Record<string, unknown> {
  const versions = [
    ...new Set(
      kinds
        .all()
        .filter((one) => one.group === name)
        .map((one) => one.version),
    ),
  ];
  if (versions.length === 0) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
  const entries = versions.sort().map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: entries, preferredVersion: entries[0] };
}

/** Answers /version, /api, /apis and below; text for the health paths. Throws `StatusError` 404. */
export function discover(path: string, kinds: Kinds, version: string): Record<string, unknown> | string {
  if (/^\/(healthz|livez|readyz)$/.test(path)) return 'ok';
  if (path === '/version') {
    const [, major = '1', minor = '36'] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
    return { major, minor, gitVersion: version, gitTreeState: 'clean', platform: 'linux/amd64' };
  }
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
  if (path === '/api/v1') return resourceList(kinds, '', 'v1');
  const groups = [...new Set(kinds.all().map((one) => one.group))].filter((name) => name !== '');
  if (path === '/apis') {
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map((name) => groupEntry(kinds, name)) };
  }
  const [, group = '', below] = /^\/apis\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? [];
  if (group !== '' && below !== undefined) return resourceList(kinds, group, below);
  if (group !== '') return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(kinds, group) };
  throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
}
