import { posix } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { parseConfig } from '../config/parse.ts';
import { Fault } from '../fault.ts';

/** A sluice.yaml for a repository that has none, and what was taken for granted. */
export interface Proposal {
  /** Text of sluice.yaml; valid by its own schema. */
  readonly text: string;
  /** One sentence each. */
  readonly assumptions: readonly string[];
}

/** What a proposal is made from. */
export interface ProposalInput {
  /** Repository path → text, of all YAML files. */
  readonly files: ReadonlyMap<string, string>;
  readonly app: string;
  /** Name of the image without tag; tells which folders are the app's where their names do not. */
  readonly image: string;
  /** Application project that gets results back. */
  readonly project?: string;
}

interface Root {
  readonly path: string;
  readonly environment: string;
  /** Why it is taken for a root. */
  readonly from: string;
  readonly score: number;
}

const ORDER = [
  'sandbox',
  'dev',
  'develop',
  'development',
  'test',
  'testing',
  'int',
  'integration',
  'qa',
  'uat',
  'stage',
  'staging',
  'preprod',
  'canary',
  'prod',
  'production',
  'live',
];
const PARENTS = new Set(['overlays', 'environments', 'envs', 'env', 'clusters', 'stages']);
const KUSTOMIZATION = /(^|\/)(kustomization\.ya?ml|Kustomization)$/;

/**
 * Reads the layout of a delivery repository: Flux Kustomizations and their paths, else folders with a kustomization
 * under an environment's name. Fault `target_missing` where no environment of the app can be told.
 */
export function proposeConfig({ files, app, image, project }: ProposalInput): Proposal {
  const candidates = [...fluxRoots(files, app), ...folderRoots(files, app)].map((root) => ({
    ...root,
    score: root.score + (mentions(files, root.path, image) ? 2 : 0),
  }));
  const best = new Map<string, Root>();
  for (const root of candidates) {
    const known = best.get(root.environment);
    if (root.score > 0 && (known === undefined || root.score > known.score)) best.set(root.environment, root);
  }
  if (best.size === 0) {
    throw new Fault('target_missing', `no environment of ${app} can be told from the folders of this repository`, {
      hint: `Write a sluice.yaml that names environments and apps.${app}.roots.`,
    });
  }
  const roots = [...best.values()].toSorted(
    (a, b) => rank(a.environment) - rank(b.environment) || a.environment.localeCompare(b.environment),
  );
  const templates = new Set(roots.map((root) => withPlaceholder(root)));
  const uniform = templates.size === 1 ? roots : roots.filter((root) => withPlaceholder(root) === [...templates][0]);
  const left = roots.filter((root) => !uniform.includes(root));
  return write({ roots: uniform, left, template: [...templates][0]!, app, project });
}

interface Chosen {
  readonly roots: readonly Root[];
  /** Roots that follow another pattern. */
  readonly left: readonly Root[];
  readonly template: string;
  readonly app: string;
  readonly project: string | undefined;
}

function write({ roots, left, template, app, project }: Chosen): Proposal {
  const path = commonFolder(roots.map((root) => root.path));
  const lines = ['version: 1', 'environments:'];
  roots.forEach(({ environment }, index) => {
    lines.push(
      `  ${environment}:`,
      ...(index > 0 ? [`    promote_from: ${roots[index - 1]!.environment}`] : []),
      `    clusters: [{ name: ${environment}, context: ${environment} }]`,
    );
  });
  lines.push(
    'apps:',
    `  ${app}:`,
    ...(project === undefined ? [] : [`    project: ${project}`]),
    `    path: ${JSON.stringify(path)}`,
    `    roots: [${JSON.stringify(template)}]`,
    '',
  );
  const text = lines.join('\n');
  parseConfig(text, 'sluice.yaml');
  return {
    text,
    assumptions: [
      ...roots.map((root) => `${root.path} is what Flux builds for ${root.environment}: ${root.from}.`),
      ...(roots.length > 1 ? [`Versions are promoted ${roots.map((root) => root.environment).join(' → ')}.`] : []),
      ...left.map(
        (root) =>
          `${root.path} (${root.environment}) was left out: its place follows another pattern than ${template}.`,
      ),
      'The kubeconfig context of each cluster is called like its environment; name your agents instead.',
    ],
  };
}

function fluxRoots(files: ReadonlyMap<string, string>, app: string): Root[] {
  return [...files].flatMap(([file, text]) => {
    if (!text.includes('kustomize.toolkit.fluxcd.io')) return [];
    return parseAllDocuments(text).flatMap((document) => {
      const object =
        document.errors.length > 0
          ? null
          : (document.toJS({ maxAliasCount: 50 }) as {
              kind?: string;
              metadata?: { name?: string };
              spec?: { path?: string };
            } | null);
      if (object?.kind !== 'Kustomization' || object.spec?.path === undefined) return [];
      const path = clean(object.spec.path);
      const environment = environmentIn(path) ?? environmentIn(posix.dirname(file));
      if (environment === undefined || PARENTS.has(path.split('/')[0]!)) return [];
      const named = object.metadata?.name === app || path.split('/').includes(app);
      return [
        {
          path,
          environment: nameOf(environment),
          from: `the Flux Kustomization ${object.metadata?.name ?? ''} in ${file} has this path`,
          score: named ? 4 : 0.5,
        },
      ];
    });
  });
}

function folderRoots(files: ReadonlyMap<string, string>, app: string): Root[] {
  return [...files.keys()].flatMap((file) => {
    const path = posix.dirname(file);
    const environment = environmentIn(path);
    if (!KUSTOMIZATION.test(file) || environment === undefined || path.startsWith('clusters/')) return [];
    const named = path.split('/').includes(app);
    return [
      {
        path,
        environment: nameOf(environment),
        from: `it has a kustomization${named ? ' and the app’s name' : ''}`,
        score: named ? 3 : 0.25,
      },
    ];
  });
}

/** Does a file at or below the folder, or one that its kustomization names, hold the image's name? */
function mentions(files: ReadonlyMap<string, string>, folder: string, image: string): boolean {
  const seen = new Set<string>();
  const visit = (path: string): boolean => {
    if (seen.has(path) || seen.size > 200) return false;
    seen.add(path);
    return [...files].some(([file, text]) => {
      if (file !== path && posix.dirname(file) !== path) return false;
      if (text.includes(image) || text.includes(posix.basename(image))) return true;
      return (
        KUSTOMIZATION.test(file) &&
        [...text.matchAll(/^\s*-\s+([./\w-]+)\s*$/gm)].some(([, target]) =>
          visit(clean(posix.join(posix.dirname(file), target!))),
        )
      );
    });
  };
  return visit(folder);
}

function environmentIn(path: string): string | undefined {
  const parts = path.split('/');
  return (
    parts.find((part, index) => PARENTS.has(parts[index - 1] ?? '')) ??
    parts.find((part) => ORDER.includes(part.split(/[-_.]/)[0]!))
  );
}

function nameOf(segment: string): string {
  return segment
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .replace(/^-+/, '');
}

function rank(environment: string): number {
  const at = ORDER.indexOf(environment.split('-')[0]!);
  return at < 0 ? ORDER.length : at;
}

function withPlaceholder({ path, environment }: Root): string {
  return path
    .split('/')
    .map((part) => (part === environment ? '{environment}' : part))
    .join('/');
}

function commonFolder(paths: readonly string[]): string {
  const [first = '.', ...others] = paths;
  const parts = first.split('/');
  let length = others.length === 0 ? parts.length - 1 : parts.length;
  for (const other of others)
    while (length > 0 && other.split('/').slice(0, length).join('/') !== parts.slice(0, length).join('/')) length -= 1;
  return parts.slice(0, length).join('/') || '.';
}

function clean(path: string): string {
  return posix.normalize(path).replace(/^\.\//, '').replace(/\/$/, '');
}
