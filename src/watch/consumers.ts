import { sourceKindOf } from '../notify/source-address.ts';
import type { HelmReleaseObject } from './helmrelease.ts';
import { formatObject, type KindName } from './kinds.ts';
import { normalizePath, type KustomizationObject } from './kustomization.ts';
import type { SourceObject } from './source.ts';
import type { Followed } from './verdict.ts';
import type { ClusterView, Consumer } from './view.ts';

/** Who takes a revision up first, and what could not be read of that. */
export interface Consumers {
  readonly roots: readonly Consumer[];
  readonly unread: readonly KindName[];
  readonly forbidden: readonly KindName[];
  /** Why there are none, for people. */
  readonly message: string;
  /** The named object that is not there, for people. */
  readonly absent: string | undefined;
}

/**
 * The Kustomizations and HelmReleases that use the sources, in all namespaces that may be read. Where `objects` names
 * some of them, only those.
 *
 * `source: git`: the whole delivery repository is one source, so only those that build one of the app's roots count:
 * spec.path equal to a root, or a folder below it (several Kustomizations share the root). A Kustomization above a root
 * does not count: whether it reaches the root depends on files that are not in the cluster, and a green one that does
 * not would be a lie. `roots` in sluice.yaml says what Flux builds; the message names the paths there are.
 */
export function consumersFor(view: ClusterView, followed: Followed, sources: readonly SourceObject[]): Consumers {
  const unread: KindName[] = [];
  const forbidden: KindName[] = [];
  for (const kind of ['Kustomization', 'HelmRelease'] as const) {
    const all = view.access(kind, null).state;
    if (all === 'pending') unread.push(kind);
    if (all !== 'forbidden') continue;
    // Only some namespaces can be read: those of the sources are what a consumer without cross-namespace reference needs.
    for (const namespace of new Set(sources.map((source) => source.ref.namespace))) {
      const here = view.access(kind, namespace).state;
      if (here === 'pending' && !unread.includes(kind)) unread.push(kind);
      if (here === 'forbidden' && !forbidden.includes(kind)) forbidden.push(kind);
    }
  }
  const users = sources.flatMap((source) => view.consumersOf(source.ref));
  const named = users.filter(
    (user) => user.ref.namespace === followed.namespace && followed.objects.includes(user.ref.name),
  );
  const roots =
    named.length > 0 ? named : followed.source === 'git' ? users.filter((user) => builds(user, followed.roots)) : users;
  const readable = unread.length === 0 && forbidden.length === 0;
  const absent = followed.objects.find((name) => {
    const at = (kind: string) => ({ kind, namespace: followed.namespace, name });
    return (
      !view.source(at(sourceKindOf(followed))) &&
      !view.kustomization(at('Kustomization')) &&
      !view.helmRelease(at('HelmRelease'))
    );
  });
  const uses = users.map((user) => `${formatObject(user.ref)} builds ${pathOf(user) || './'}`);
  const names = sources.map((source) => formatObject(source.ref)).join(', ');
  return {
    roots,
    unread,
    forbidden,
    absent:
      readable && absent !== undefined
        ? `"${absent}", which sluice.yaml names in \`objects\`, is not in namespace ${followed.namespace}`
        : undefined,
    message:
      users.length === 0
        ? `no Kustomization or HelmRelease uses ${names}`
        : `no Kustomization that uses ${names} builds ${followed.roots.join(' or ')}; ${uses.slice(0, 5).join(', ')}`,
  };
}

function builds(user: Consumer, roots: readonly string[]): boolean {
  const path = pathOf(user);
  return roots.some((root) => {
    const folder = normalizePath(root);
    return path === folder || folder === '' || path.startsWith(`${folder}/`);
  });
}

function pathOf(user: Consumer): string {
  return user.ref.kind === 'Kustomization'
    ? (user as KustomizationObject).path
    : ((user as HelmReleaseObject).chartPath ?? '');
}
