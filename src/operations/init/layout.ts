import { posix } from 'node:path';
import { objectsIn, record, type ManifestObject } from './documents.ts';
import { byPromotion, environmentAt, isParent } from './environments.ts';

/** A folder that Flux builds (or should) for an app in an environment. */
export interface FoundRoot {
  readonly app: string;
  readonly environment: string;
  readonly path: string;
  /** Why it is taken for one, as the end of a sentence. */
  readonly from: string;
}

/** What a delivery repository holds. */
export interface Layout {
  /** First to last of a promotion. */
  readonly environments: readonly string[];
  readonly apps: readonly {
    readonly name: string;
    /** Root with `{environment}` in the place of the environment's name. */
    readonly template: string;
    readonly roots: readonly FoundRoot[];
    /** Roots that follow another pattern. */
    readonly left: readonly FoundRoot[];
  }[];
}

const KUSTOMIZATION = /^(kustomization\.ya?ml|Kustomization)$/;
const STRUCTURE: ReadonlySet<string> = new Set(
  'apps applications services manifests k8s kubernetes deploy deployment deployments delivery gitops flux kustomize workloads tenants projects resources releases'.split(
    ' ',
  ),
);
const WORKLOADS: ReadonlySet<string> = new Set(
  'Deployment StatefulSet DaemonSet CronJob Job HelmRelease Service ConfigMap Ingress Rollout'.split(' '),
);
const SETTER = /\{\s*"\$(imagepolicy|openapi)"/;

/**
 * Reads apps and environments out of the folders of a delivery repository: paths of Flux Kustomizations first, then
 * folders with a kustomization, a HelmRelease, a workload or a setter marker, under an environment's name
 * (`apps/<app>/<environment>`, `<environment>/<app>`, `overlays/<environment>`, `clusters/<cluster>`). `name`: the app's
 * where folders tell none.
 */
export function readLayout(files: ReadonlyMap<string, string>, name: string): Layout {
  const objects = objectsIn(files);
  const found = [...fluxRoots(objects, name), ...folderRoots(files, objects, name)];
  const roots = new Map<string, FoundRoot>();
  for (const root of found.filter((one) => !isInside(one, found))) {
    const key = `${root.app} ${root.environment}`;
    if (
      !roots.has(key) &&
      ![...roots.values()].some((one) => one.path === root.path && one.environment === root.environment)
    )
      roots.set(key, root);
  }
  const apps = [...Map.groupBy(roots.values(), (root) => root.app)]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([app, mine]) => {
      const groups = [...Map.groupBy(mine, templateOf)].toSorted(([, a], [, b]) => b.length - a.length);
      const [template = '', chosen = []] = groups[0] ?? [];
      return { name: app, template, roots: chosen, left: groups.slice(1).flatMap(([, others]) => others) };
    });
  const environments = [...new Set(apps.flatMap((app) => app.roots.map((root) => root.environment)))];
  return { environments: environments.toSorted(byPromotion), apps };
}

/** What the layout takes for granted, one sentence each. */
export function assumptionsOf({ apps }: Layout): readonly string[] {
  return [
    ...apps.flatMap(({ name, roots }) =>
      roots.map((root) => `${root.path} is ${name} in ${root.environment}: ${root.from}.`),
    ),
    ...apps.flatMap(({ template, left }) =>
      left.map(
        (root) =>
          `${root.path} (${root.environment}) was left out: its place follows another pattern than ${template}.`,
      ),
    ),
  ];
}

/** The path with `{environment}` where it has the environment's name; the same for all where it has not. */
function templateOf({ path, environment }: FoundRoot): string {
  return path
    .split('/')
    .map((part) => (part === environment ? '{environment}' : part))
    .join('/');
}

function fluxRoots(objects: readonly ManifestObject[], fallback: string): readonly FoundRoot[] {
  return objects.flatMap((object) => {
    if (object.kind !== 'Kustomization' || !object.apiVersion.startsWith('kustomize.toolkit.fluxcd.io/')) return [];
    const path = clean(typeof object.spec['path'] === 'string' ? object.spec['path'] : '');
    // What `flux bootstrap` makes applies the cluster's folder with the Flux objects, not an app.
    if (object.name === 'flux-system' || path === '.' || path.split('/')[0] === 'clusters') return [];
    const place = path.split('/');
    const at = environmentAt(place);
    const folder = posix.dirname(object.file).split('/');
    const environment = at >= 0 ? place[at] : folder[environmentAt(folder)];
    if (environment === undefined || !isName(environment)) return [];
    const app = appOf(place, at) ?? (plain(object.name, environment) || fallback);
    const from = `the Flux Kustomization ${object.name} in ${object.file} builds it`;
    return isName(app) ? [{ app, environment, path, from }] : [];
  });
}

function folderRoots(
  files: ReadonlyMap<string, string>,
  objects: readonly ManifestObject[],
  fallback: string,
): readonly FoundRoot[] {
  const byFolder = Map.groupBy(objects, ({ file }) => posix.dirname(file));
  const folders = [...new Set([...files.keys()].map((file) => posix.dirname(file)))].toSorted();
  return folders.flatMap((path) => {
    const place = path.split('/');
    const at = environmentAt(place);
    const environment = place[at];
    if (
      environment === undefined ||
      !isName(environment) ||
      place.some((part) => /^(bases?|components|charts?)$/.test(part))
    )
      return [];
    const mine = byFolder.get(path) ?? [];
    const from = reasonOf(path, files, mine);
    if (from === null) return [];
    const app = appOf(place, at) ?? fallback;
    return isName(app) ? [{ app, environment, path, from }] : [];
  });
}

/** Why a folder counts as one that Flux builds; null: it does not (only Flux's own objects, or nothing to deliver). */
function reasonOf(path: string, files: ReadonlyMap<string, string>, objects: readonly ManifestObject[]): string | null {
  const mine = [...files].filter(([file]) => posix.dirname(file) === path);
  const kustomization = mine.find(([file]) => KUSTOMIZATION.test(posix.basename(file)));
  const content = objects.filter(({ file }) => !KUSTOMIZATION.test(posix.basename(file)));
  const onlyFlux =
    content.length > 0 &&
    content.every(
      ({ apiVersion, kind }) =>
        /\b(source|kustomize|notification|image)\.toolkit\.fluxcd\.io\//.test(apiVersion) || kind === 'Namespace',
    );
  if (onlyFlux) return null;
  if (kustomization !== undefined) {
    const kind = objects.find(({ file }) => file === kustomization[0])?.kind;
    return kind === undefined || kind === 'Kustomization' ? 'it has a kustomization' : null;
  }
  if (content.some(({ kind }) => kind === 'HelmRelease')) return 'it has a HelmRelease';
  if (content.some(({ kind }) => WORKLOADS.has(kind))) return 'it has workloads';
  return mine.some(([, text]) => SETTER.test(text)) && content.length > 0 ? 'it has setter markers' : null;
}

/** The app that a path names beside the environment; null: none. */
function appOf(segments: readonly string[], environment: number): string | null {
  const named = segments.filter(
    (segment, index) => index !== environment && !isParent(segment) && !STRUCTURE.has(segment.toLowerCase()),
  );
  return named.at(-1) ?? null;
}

/** Is a root below another one of its environment, or an aggregate of apps' own roots? */
function isInside(root: FoundRoot, all: readonly FoundRoot[]): boolean {
  return all.some(
    (other) =>
      other.path !== root.path &&
      other.environment === root.environment &&
      ((other.app === root.app && root.path.startsWith(`${other.path}/`)) ||
        (other.app !== root.app && other.path.startsWith(`${root.path}/`) && !root.from.startsWith('the Flux'))),
  );
}

function plain(name: string, environment: string): string {
  return name.replace(new RegExp(`^${environment}-|-${environment}$`), '');
}

/** A name as sluice.yaml takes it. */
function isName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(text) && text !== 'ledger';
}

function clean(path: string): string {
  return (
    posix
      .normalize(path === '' ? '.' : path)
      .replace(/^\.?\//, '')
      .replace(/\/$/, '') || '.'
  );
}

/** Namespace that a root's kustomization sets, or null. */
export function namespaceOf(files: ReadonlyMap<string, string>, root: string): string | null {
  for (const [file, text] of files) {
    if (posix.dirname(file) !== root || !KUSTOMIZATION.test(posix.basename(file))) continue;
    const found = /^namespace:\s*["']?([a-z0-9-]+)["']?\s*(#.*)?$/m.exec(text)?.[1];
    if (found !== undefined) return found;
  }
  return null;
}

/** The source reference of a Flux Kustomization, for comparing. */
export function sourceRefOf({ spec }: ManifestObject): { readonly kind: string; readonly name: string } {
  const { kind, name } = record(spec['sourceRef']);
  return { kind: typeof kind === 'string' ? kind : '', name: typeof name === 'string' ? name : '' };
}
