import { posix } from 'node:path';
import { isMap, parseAllDocuments } from 'yaml';

/** Reference to a Flux source; `kind` and `name` as written, '' where a patch leaves them out. */
export interface SourceRef {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

/** A Flux source that is defined in a manifest. */
export interface SourceDefinition extends SourceRef {
  /** As written, e.g. `oci://registry.example.com/shop/podinfo` or `https://gitlab.example.com/shop/delivery.git`. */
  readonly url: string;
}

/** Paths that a Flux object takes from its source's root. */
export interface FluxReference {
  readonly source: SourceRef;
  /** `build`: a folder that Flux builds · `chart`: a chart folder or archive · `values`: a values file. */
  readonly use: 'build' | 'chart' | 'values';
  readonly path: string;
  /** Components of a Kustomization, relative to `path`. */
  readonly components: readonly string[];
}

/** Flux objects in one text. */
export interface FluxObjects {
  readonly references: readonly FluxReference[];
  readonly sources: readonly SourceDefinition[];
}

/**
 * Finds Flux Kustomizations (`spec.path`, `spec.components`), HelmReleases and HelmCharts (chart, `valuesFiles`) and
 * sources in YAML, in whole objects as well as in strategic merge patches of them. Texts that cannot be parsed give nothing.
 */
export function fluxObjects(text: string): FluxObjects {
  const references: FluxReference[] = [];
  const sources: SourceDefinition[] = [];
  if (!text.includes('toolkit.fluxcd.io')) return { references, sources };
  for (const document of parseAllDocuments(text, { merge: true, logLevel: 'silent' })) {
    if (document.errors.length > 0 || !isMap(document.contents)) continue;
    const value: unknown = document.toJS();
    for (const object of textOf(value, 'kind') === 'List' ? array(field(value, 'items')) : [value]) {
      read(object, references, sources);
    }
  }
  return { references, sources };
}

function read(object: unknown, references: FluxReference[], sources: SourceDefinition[]): void {
  const group = textOf(object, 'apiVersion').split('/')[0];
  const kind = textOf(object, 'kind');
  const spec = field(object, 'spec');
  const namespace = textOf(field(object, 'metadata'), 'namespace');
  const refer = (holder: unknown): SourceRef => {
    const ref = field(holder, 'sourceRef');
    return { kind: textOf(ref, 'kind'), name: textOf(ref, 'name'), namespace: textOf(ref, 'namespace') || namespace };
  };
  if (group === 'kustomize.toolkit.fluxcd.io' && kind === 'Kustomization') {
    const components = array(field(spec, 'components')).filter((one) => typeof one === 'string');
    const path = textOf(spec, 'path');
    // Flux's default for an absent path is the source's root, but a patch that sets other fields leaves it out too.
    const whole = field(spec, 'sourceRef') !== undefined;
    if (path !== '' || whole || components.length > 0) {
      references.push({ source: refer(spec), use: 'build', path: path || '.', components });
    }
  }
  const chart =
    group === 'helm.toolkit.fluxcd.io' && kind === 'HelmRelease'
      ? field(field(spec, 'chart'), 'spec')
      : group === 'source.toolkit.fluxcd.io' && kind === 'HelmChart'
        ? spec
        : undefined;
  if (chart !== undefined) {
    const source = refer(chart);
    const add = (use: 'chart' | 'values', path: unknown) => {
      if (typeof path === 'string' && path !== '') references.push({ source, use, path, components: [] });
    };
    add('chart', textOf(chart, 'chart'));
    for (const path of [...array(field(chart, 'valuesFiles')), field(chart, 'valuesFile')]) add('values', path);
  }
  if (group === 'source.toolkit.fluxcd.io' && kind !== 'HelmChart') {
    sources.push({ kind, name: textOf(field(object, 'metadata'), 'name'), namespace, url: textOf(spec, 'url') });
  }
}

/**
 * The repository path ('' = root) that a Flux object's path means: no `..` leads above the source's root
 * (`securejoin.SecureJoin` in kustomize-controller `kustomization_controller.go`, source-controller `builder_local.go`).
 */
export function sourcePath(path: string): string {
  return posix.normalize(`/${path}`).slice(1).replace(/\/+$/, '');
}

/** Folders that JSON patches (`op`, `path: /spec/path`, `value`) give to Flux Kustomizations. */
export function patchedPaths(text: string): readonly string[] {
  if (!text.includes('/spec/path')) return [];
  return parseAllDocuments(text, { logLevel: 'silent' }).flatMap((document) =>
    document.errors.length > 0
      ? []
      : array(document.toJS()).flatMap((entry) => {
          const value = field(entry, 'value');
          return textOf(entry, 'path') === '/spec/path' && typeof value === 'string' ? [value] : [];
        }),
  );
}

/** Folders of local dependencies (`repository: file://../lib`) in a Chart.yaml, as written. */
export function chartDependencies(text: string): readonly string[] {
  return parseAllDocuments(text, { logLevel: 'silent' }).flatMap((document) =>
    document.errors.length > 0
      ? []
      : array(field(document.toJS(), 'dependencies')).flatMap((entry) => {
          const repository = textOf(entry, 'repository');
          return repository.startsWith('file://') ? [repository.slice('file://'.length)] : [];
        }),
  );
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function textOf(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === 'string' ? found : '';
}

function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
