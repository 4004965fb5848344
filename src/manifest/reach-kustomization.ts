import { posix } from 'node:path';
import { isMap, parseAllDocuments } from 'yaml';

/** The names that kustomize looks for, in its order (sigs.k8s.io/kustomize/api/konfig `general.go`). */
export const kustomizationNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'] as const;

/**
 * How a file is used, which says what may be inside: `resource`: a file of objects, or a folder with a kustomization ·
 * `component`: a folder with a kustomization · `patch`: objects or parts of them · `plugin`: configuration of a
 * builtin generator or transformer, whose own paths count from `base` · `data`: content that is taken as it is.
 */
export interface Reference {
  readonly use: 'resource' | 'component' | 'patch' | 'plugin' | 'data';
  /** As written, relative to `base`. */
  readonly path: string;
  /** Folder (repository path, '' = root) from which `path` counts. */
  readonly base: string;
}

/** What one kustomization says about other files. */
export interface KustomizationReferences {
  readonly references: readonly Reference[];
  /** Inline patches and plugin configurations, as YAML text. */
  readonly inline: readonly string[];
  /** What can never work in Flux, one sentence each. */
  readonly refused: readonly string[];
  /** The parser's words, where the text is no YAML map. */
  readonly problem: string | null;
}

type Fields = ReadonlyMap<string, unknown>;

/**
 * Every field through which a kustomization in `folder` can reach a local file
 * (github.com/kubernetes-sigs/kustomize api/types `kustomization.go`). Keys count in any case: kustomize decodes with
 * Go's JSON decoder, which ignores case.
 */
export function kustomizationReferences(text: string, folder: string): KustomizationReferences {
  const documents = parseAllDocuments(text, { merge: true, logLevel: 'silent' });
  const document = 'empty' in documents ? undefined : documents.find((one) => one.contents !== null);
  const error = document?.errors[0];
  if (error) return { references: [], inline: [], refused: [], problem: error.message.split('\n')[0] ?? '' };
  if (!document) return { references: [], inline: [], refused: [], problem: null };
  if (!isMap(document.contents)) return { references: [], inline: [], refused: [], problem: 'not a map' };
  const fields = fieldsOf(document.toJS());
  const references: Reference[] = [];
  const inline: string[] = [];
  const add = (use: Reference['use'], paths: readonly string[]) =>
    references.push(...paths.map((path) => ({ use, path, base: folder })));

  for (const name of ['resources', 'bases']) add('resource', strings(fields.get(name)));
  add('component', strings(fields.get('components')));
  for (const name of ['crds', 'configurations']) add('data', strings(fields.get(name)));
  add('data', strings(fieldsOf(fields.get('openapi')).get('path')));
  for (const name of ['generators', 'transformers', 'validators']) {
    for (const entry of strings(fields.get(name))) {
      if (isInline(entry)) {
        inline.push(entry);
        references.push(...pluginReferences(entry, folder));
      } else add('plugin', [entry]);
    }
  }
  for (const entry of strings(fields.get('patchesstrategicmerge'))) {
    if (isInline(entry)) inline.push(entry);
    else add('patch', [entry]);
  }
  for (const name of ['patches', 'patchesjson6902', 'replacements']) {
    for (const entry of list(fields.get(name))) {
      const patch = fieldsOf(entry);
      add('patch', strings(typeof entry === 'string' ? entry : patch.get('path')));
      inline.push(...strings(patch.get('patch')));
    }
  }
  for (const name of ['configmapgenerator', 'secretgenerator']) {
    for (const entry of list(fields.get(name))) add('data', generatorFiles(fieldsOf(entry)));
  }
  const refused = ['helmCharts', 'helmChartInflationGenerator']
    .filter((name) => list(fields.get(name.toLowerCase())).length > 0)
    .map((name) => `${name} cannot work in Flux, which runs kustomize without helm: use a HelmRelease`);
  return { references, inline, refused, problem: null };
}

/**
 * Files that the configuration of builtin generators and transformers (generators:, transformers:, validators:) names.
 * Their paths count from the kustomization that lists the plugin, wherever the configuration itself is.
 */
export function pluginReferences(text: string, base: string): readonly Reference[] {
  const references: Reference[] = [];
  for (const document of parseAllDocuments(text, { merge: true, logLevel: 'silent' })) {
    const fields = document.errors.length > 0 ? fieldsOf(null) : fieldsOf(document.toJS());
    if (fields.get('apiversion') !== 'builtin') continue;
    const replacements = list(fields.get('replacements')).flatMap((entry) => strings(fieldsOf(entry).get('path')));
    const paths = strings(fields.get('paths')).filter((path) => !isInline(path));
    for (const path of [...strings(fields.get('path')), ...paths, ...replacements]) {
      references.push({ use: 'patch', path, base });
    }
    for (const path of generatorFiles(fields)) references.push({ use: 'data', path, base });
  }
  return references;
}

/** `files` are `path` or `key=path`; `env` is the older, singular form of `envs`. */
function generatorFiles(fields: Fields): readonly string[] {
  const files = strings(fields.get('files')).map((entry) => entry.slice(entry.indexOf('=') + 1));
  return [...files, ...strings(fields.get('envs')), ...strings(fields.get('env'))];
}

/** kustomize takes an entry for a file path where it is no YAML object. */
function isInline(entry: string): boolean {
  return parseAllDocuments(entry, { logLevel: 'silent' }).some(
    (document) => document.errors.length === 0 && isMap(document.contents),
  );
}

/**
 * Would kustomize take this for a remote base or file? (api/internal/git `repospec.go`: scheme, `user@host:path`,
 * `github.com/…`.)
 */
export function isRemote(path: string): boolean {
  return /^(?:git::)?(?:(?:ssh|https?|file):\/\/|github\.com[/:]|[a-z][a-z0-9-]*@[^/:]+[/:])/i.test(path);
}

/** Repository path of `path` seen from `base` ('' = root); null where it is absolute or leaves the repository. */
export function resolveInside(base: string, path: string): string | null {
  if (posix.isAbsolute(path)) return null;
  const joined = posix.normalize(posix.join(base || '.', path)).replace(/\/+$/, '');
  if (joined === '..' || joined.startsWith('../')) return null;
  return joined === '.' ? '' : joined;
}

function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Map();
  return new Map(Object.entries(value).map(([key, field]) => [key.toLowerCase(), field]));
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function strings(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((entry) => typeof entry === 'string' && entry !== '');
}
