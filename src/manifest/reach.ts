import { posix } from 'node:path';
import {
  chartDependencies,
  fluxObjects,
  patchedPaths,
  sourcePath,
  type FluxReference,
  type SourceDefinition,
  type SourceRef,
} from './reach-flux.ts';
import {
  isRemote,
  kustomizationNames,
  kustomizationReferences,
  pluginReferences,
  resolveInside,
  type KustomizationReferences,
  type Reference,
} from './reach-kustomization.ts';
import type { Tree } from './tree.ts';

/** What is asked. Roots are the folders that Flux builds. */
export interface ReachInput {
  readonly roots: readonly string[];
  readonly tree: Tree;
  /** Texts known so far, by path; a file that is no UTF-8 text counts as ''. */
  readonly contents: ReadonlyMap<string, string>;
  /**
   * Does a Flux object's `sourceRef` mean the source that the roots come from? `definition` is the source's own
   * object, where it is among the reached files. Default: `mayBeSameSource`.
   */
  readonly sameSource?: (ref: SourceRef, definition: SourceDefinition | null) => boolean;
  /** What the roots were rendered to: Flux objects in it are followed as those in files are. */
  readonly rendered?: readonly string[];
  /** Kustomizations read so far, by path: for callers that ask often about the same contents. */
  readonly read?: Map<string, KustomizationReferences>;
}

/** Something about one file. */
export interface ReachNote {
  readonly file: string;
  readonly message: string;
}

/** What the roots reach, as far as the contents are known. */
export interface Reach {
  readonly files: ReadonlySet<string>;
  /** Of these, the values files that a HelmRelease or HelmChart names. */
  readonly values: ReadonlySet<string>;
  /** Of these, the files that only lie in the folder of a chart: the chart may read them, and mostly does not. */
  readonly lying: ReadonlySet<string>;
  /** Folders whose kustomization is used. */
  readonly folders: ReadonlySet<string>;
  /** Contents still wanted: ask again with them; empty = complete. */
  readonly needs: readonly string[];
  /** Remote references and what was not understood: the files may be too few. */
  readonly unclear: readonly ReachNote[];
  /** What can never work in Flux. */
  readonly refused: readonly ReachNote[];
  /** Every folder that Flux builds: the roots, then those of child Kustomizations, with the components these add. */
  readonly builds: readonly { readonly folder: string; readonly components: readonly string[] }[];
}

/** Only these kinds can hold the repository's own files; '' is a patch that leaves the source out. */
export function mayBeSameSource(ref: SourceRef): boolean {
  return ['', 'OCIRepository', 'GitRepository'].includes(ref.kind);
}

interface Step {
  readonly use: Reference['use'] | 'build' | 'chart' | 'values';
  /** Repository path. */
  readonly path: string;
  /** Where the paths of plugin configurations below count from. */
  readonly plugin: string | null;
}

/**
 * The files that the roots reach: kustomizations with all their fields, and the Flux objects found there. Pure; call
 * again with the contents that `needs` names until it is empty. Names that are not in the tree are passed over: the
 * build itself says what is missing.
 */
export function reach(input: ReachInput): Reach {
  const { tree, contents, sameSource = mayBeSameSource } = input;
  const files = new Set<string>();
  const values = new Set<string>();
  const lying = new Set<string>();
  const folders = new Set<string>();
  const needs = new Set<string>();
  const unclear = new Map<string, ReachNote>();
  const refused = new Map<string, ReachNote>();
  const builds = new Map<string, { folder: string; components: readonly string[] }>();
  const found: { file: string; reference: FluxReference }[] = [];
  const sources: SourceDefinition[] = [];
  const visited = new Set<string>();
  const queue: Step[] = [];

  const note = (notes: Map<string, ReachNote>, file: string, message: string) =>
    notes.set(`${file}\n${message}`, { file, message });
  const push = (step: Step) => {
    const key = `${step.use}\n${step.path}\n${step.plugin ?? ''}`;
    if (!visited.has(key)) queue.push(step);
    visited.add(key);
  };
  const read = (path: string): string | undefined => {
    const text = contents.get(path);
    if (text === undefined) needs.add(path);
    return text;
  };
  const build = (folder: string, components: readonly string[]) => {
    const key = `${folder}\n${components.join('\n')}`;
    if (builds.has(key)) return;
    builds.set(key, { folder, components });
    push({ use: 'build', path: folder, plugin: null });
  };

  const follow = (file: string, reference: Reference, plugin: string | null) => {
    const path = resolveInside(reference.base, reference.path);
    const isFile = path !== null && tree.has(path);
    const mayBeRemote = !isFile && isRemote(reference.path);
    if (mayBeRemote) note(unclear, file, `${reference.path} is remote`);
    // kustomize-controller reads nothing outside of the source (fluxcd/pkg/kustomize `filesys/fs_secure.go`).
    else if (path === null) note(refused, file, `${reference.path} leaves the repository: Flux reads nothing there`);
    if (path !== null && (!mayBeRemote || tree.isDirectory(path)))
      push({ use: reference.use, path, plugin: reference.use === 'plugin' ? reference.base : plugin });
  };

  const scan = (file: string, text: string) => {
    const objects = fluxObjects(text);
    sources.push(...objects.sources);
    for (const reference of objects.references) found.push({ file, reference });
    const source = { kind: '', name: '', namespace: '' };
    for (const path of patchedPaths(text)) {
      found.push({ file, reference: { source, use: 'build', path, components: [] } });
    }
  };

  const enterKustomization = (folder: string, plugin: string | null): boolean => {
    const present = kustomizationNames.map((name) => posix.join(folder, name)).filter((path) => tree.has(path));
    for (const file of present) {
      files.add(file);
      folders.add(folder);
      const text = read(file);
      if (text === undefined) continue;
      const known = input.read?.get(file) ?? kustomizationReferences(text, folder);
      input.read?.set(file, known);
      const { references, inline, refused: never, problem } = known;
      if (problem !== null) note(unclear, file, `not understood: ${problem}`);
      for (const message of never) note(refused, file, message);
      for (const reference of references) follow(file, reference, plugin);
      for (const part of inline) scan(file, part);
    }
    return present.length > 0;
  };

  const visit = (step: Step) => {
    if (step.use === 'chart') {
      if (tree.has(step.path)) files.add(step.path);
      for (const path of tree.isDirectory(step.path) ? tree.below(step.path) : []) {
        if (!files.has(path) && !isOfChart(path.slice(step.path.length + 1))) lying.add(path);
        files.add(path);
      }
      const chart = posix.join(step.path, 'Chart.yaml');
      for (const path of tree.has(chart) ? chartDependencies(read(chart) ?? '') : []) {
        push({ use: 'chart', path: sourcePath(posix.join(step.path, path)), plugin: null });
      }
      return;
    }
    if (tree.has(step.path)) {
      if (step.use === 'component' || step.use === 'build') return;
      files.add(step.path);
      lying.delete(step.path);
      if (step.use === 'values') values.add(step.path);
      if (step.use === 'data' || step.use === 'values') return;
      const text = read(step.path);
      if (text === undefined) return;
      scan(step.path, text);
      if (step.plugin !== null) {
        for (const reference of pluginReferences(text, step.plugin)) follow(step.path, reference, null);
      }
      return;
    }
    if (!tree.isDirectory(step.path) || step.use === 'patch' || step.use === 'data' || step.use === 'values') return;
    if (enterKustomization(step.path, step.plugin) || step.use !== 'build') return;
    for (const path of generatedResources(tree, step.path)) push({ use: 'resource', path, plugin: null });
  };

  for (const text of input.rendered ?? []) scan('the build', text);
  for (const root of input.roots) build(resolveInside('', root) ?? root, []);
  for (let drained = false; !drained;) {
    for (let step = queue.pop(); step; step = queue.pop()) visit(step);
    if (needs.size > 0) break; // a source's definition may still be unread
    for (const { file, reference } of found.splice(0)) {
      const definition = definitionOf(reference.source, sources);
      if (!sameSource(reference.source, definition)) continue;
      const path = sourcePath(reference.path);
      if (/\$\{/.test([reference.path, ...reference.components].join())) {
        note(unclear, file, `${reference.path} holds a variable`);
      } else if (reference.use !== 'build') push({ use: reference.use, path, plugin: null });
      else if (tree.isDirectory(path)) {
        build(path, reference.components);
        for (const component of reference.components) {
          follow(file, { use: 'component', path: component, base: path }, null);
        }
      }
    }
    drained = queue.length === 0;
  }
  return {
    files,
    values,
    lying,
    folders,
    needs: [...needs].sort(),
    unclear: [...unclear.values()],
    refused: [...refused.values()],
    builds: [...builds.values()],
  };
}

/** Does Helm itself read the file of a chart's folder (https://helm.sh/docs/topics/charts/#the-chart-file-structure)? */
function isOfChart(path: string): boolean {
  return /^(?:values\.yaml|Chart\.(?:yaml|lock)|requirements\.(?:yaml|lock)|(?:templates|charts|crds)\/.*)$/.test(path);
}

/**
 * What Flux lists in the kustomization that it generates for a folder without one: folders below that have a
 * kustomization, and every other `.yaml` and `.yml` file (github.com/fluxcd/pkg/kustomize `kustomize_generator.go`,
 * `scanManifests`). Repository paths, sorted.
 */
export function generatedResources(tree: Tree, folder: string): readonly string[] {
  const resources = new Set<string>();
  for (const path of tree.below(folder)) {
    const inside = folder === '' ? path : path.slice(folder.length + 1);
    const parents = inside.split('/').slice(0, -1);
    const stop = parents
      .map((_, index) => posix.join(folder, ...parents.slice(0, index + 1)))
      .find((parent) => kustomizationNames.some((name) => tree.has(`${parent}/${name}`)));
    if (stop !== undefined) resources.add(stop);
    else if (/\.ya?ml$/.test(path)) resources.add(path);
  }
  return [...resources].sort();
}

function definitionOf(ref: SourceRef, sources: readonly SourceDefinition[]): SourceDefinition | null {
  const named = sources.filter((source) => source.kind === ref.kind && source.name === ref.name);
  const exact = named.find((source) => source.namespace === ref.namespace);
  return exact ?? named.find((source) => source.namespace === '' || ref.namespace === '') ?? null;
}
