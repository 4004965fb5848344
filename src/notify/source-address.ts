import type { KubernetesObject } from '../systems/cluster.ts';

/** Which Flux source delivers an artifact (or the delivery repository itself) to a cluster. */
export interface SourceAddress {
  readonly source: 'oci' | 'git';
  /** OCI: repository without scheme and tag; git: the delivery repository's URLs, any of which the source may use. */
  readonly urls: readonly string[];
  /** OCI: the moving tag; git: the branch. */
  readonly reference: string;
  /** Preferred where sources in several namespaces match. */
  readonly namespace: string;
  /** Names of Flux objects in that namespace; empty: found by URL and reference. */
  readonly objects: readonly string[];
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = {
  http: '80',
  https: '443',
  ssh: '22',
  git: '9418',
  oci: '443',
};

/**
 * One spelling for all ways to write a repository's address: no scheme, credentials, default port, `.git` suffix or
 * slash at the end; host in lower case. `git@host:path` and `ssh://git@host/path` are the same as `https://host/path`.
 */
export function normalizeUrl(url: string): string {
  const known = normalized.get(url);
  if (known !== undefined) return known;
  // The same few addresses are compared at every look at a cluster.
  if (normalized.size >= 4096) normalized.clear();
  const result = spellOut(url);
  normalized.set(url, result);
  return result;
}

const normalized = new Map<string, string>();

function spellOut(url: string): string {
  const text = url.trim();
  const scp = /^(?:[^@/\s]+@)?([^:/\s]+):(?!\/\/)(?!\d+(?:\/|$))(.*)$/.exec(text);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  const bare = scheme ? text.slice(scheme.length + 3) : scp ? `${scp[1]}/${scp[2]}` : text;
  const slash = bare.indexOf('/');
  const authority = (slash === -1 ? bare : bare.slice(0, slash)).replace(/^.*@/, '').toLowerCase();
  const [, host = authority, port] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
  const path =
    slash === -1
      ? ''
      : bare
          .slice(slash)
          .replace(/\/{2,}/g, '/')
          .replace(/\/$/, '')
          .replace(/\.git$/, '');
  const ssh = scheme === undefined ? scp !== null : scheme === 'ssh' || scheme === 'git';
  // An SSH port says nothing about the HTTPS port of the same repository, so it is dropped.
  return `${host}${port && !ssh && port !== DEFAULT_PORTS[scheme ?? 'https'] ? `:${port}` : ''}${path}`;
}

/** What a source object follows. `other` says what, where it is not a moving tag or branch. */
export type SourceReference =
  | { readonly by: 'tag' | 'branch'; readonly name: string }
  | { readonly by: 'other'; readonly name: string };

/**
 * The reference of an OCIRepository or GitRepository as its controller reads it. OCI: digest before semver before tag,
 * default `latest`; git: commit and name before semver before tag before branch, default `master`
 * (fluxcd/source-controller api/v1, OCIRepositoryRef and GitRepositoryRef).
 */
export function referenceOf(object: KubernetesObject): SourceReference {
  const ref = record(object.spec?.['ref']);
  const text = (key: string) => (typeof ref[key] === 'string' && ref[key] !== '' ? ref[key] : undefined);
  const other = (keys: readonly string[]): SourceReference | undefined => {
    const key = keys.find((one) => text(one) !== undefined);
    return key === undefined ? undefined : { by: 'other', name: `${key} ${text(key)}` };
  };
  if (object.kind === 'OCIRepository')
    return other(['digest', 'semver']) ?? { by: 'tag', name: text('tag') ?? 'latest' };
  const name = text('name');
  if (text('commit') === undefined && name?.startsWith('refs/heads/'))
    return { by: 'branch', name: name.slice('refs/heads/'.length) };
  return other(['commit', 'name', 'semver', 'tag']) ?? { by: 'branch', name: text('branch') ?? 'master' };
}

/** How well an object fits an address: `follows` it, has the URL but another reference, or is something else. */
export function fitOf(object: KubernetesObject, address: SourceAddress): 'follows' | 'other-reference' | 'other' {
  const url = object.spec?.['url'];
  if (object.kind !== sourceKindOf(address) || typeof url !== 'string') return 'other';
  const here = normalizeUrl(url);
  if (!address.urls.some((one) => normalizeUrl(one) === here)) return 'other';
  const reference = referenceOf(object);
  return reference.by !== 'other' && reference.name === address.reference ? 'follows' : 'other-reference';
}

/** Kind of the source object for an address. */
export function sourceKindOf(address: Pick<SourceAddress, 'source'>): 'OCIRepository' | 'GitRepository' {
  return address.source === 'oci' ? 'OCIRepository' : 'GitRepository';
}

/**
 * The sources that deliver to an address, out of those with its kind. Named objects first: those with the URL, else any
 * of that name (the cluster may pull through a mirror). Without names: by URL and reference, in the preferred namespace
 * if there is one, else wherever they are.
 */
export function chooseSources(
  objects: readonly KubernetesObject[],
  address: SourceAddress,
): readonly KubernetesObject[] {
  const here = (object: KubernetesObject) => object.metadata.namespace === address.namespace;
  const named = objects.filter(
    (object) => object.kind === sourceKindOf(address) && here(object) && address.objects.includes(object.metadata.name),
  );
  const follows = objects.filter((object) => fitOf(object, address) === 'follows');
  const both = named.filter((object) => follows.includes(object));
  if (both.length > 0) return both;
  const preferred = follows.filter(here);
  if (preferred.length > 0) return preferred;
  if (follows.length > 0) return follows;
  return named.filter((object) => fitOf(object, address) === 'other');
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
