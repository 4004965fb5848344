import { posix } from 'node:path';
import { isMap, parseAllDocuments } from 'yaml';
import { generatedResources, type Reach } from '../manifest/reach.ts';
import type { Tree } from '../manifest/tree.ts';
import { kustomizationNames } from '../manifest/reach-kustomization.ts';

/** How to build what Flux builds: a folder as it is, or a kustomization of ours beside the tree. */
export type BuildStep =
  | { readonly kind: 'folder' }
  | { readonly kind: 'wrapped'; readonly kustomization: string }
  | { readonly kind: 'empty' };

/**
 * How Flux builds a folder: its kustomization; without one, one that lists the manifests below; with a Kustomization's
 * `spec.components` added. `up` is the way from the wrapping kustomization's folder to the tree's root, e.g. `../tree`.
 */
export function buildStep(tree: Tree, build: Reach['builds'][number], up: string): BuildStep {
  const own = kustomizationNames.some((name) => tree.has(posix.join(build.folder, name)));
  if (own && build.components.length === 0) return { kind: 'folder' };
  const resources = own ? [build.folder] : generatedResources(tree, build.folder);
  const components = build.components.map((component) => posix.join(build.folder, component));
  if (resources.length === 0 && components.length === 0) return { kind: 'empty' };
  const list = (paths: readonly string[]) => paths.map((path) => posix.join(up, path));
  return {
    kind: 'wrapped',
    kustomization: JSON.stringify({ resources: list(resources), components: list(components) }),
  };
}

/** Identities of the objects in rendered YAML: `apiVersion-group/kind namespace/name`, sorted. */
export function objectsIn(yaml: string): readonly string[] {
  const names = new Set<string>();
  for (const document of parseAllDocuments(yaml, { logLevel: 'silent' })) {
    if (document.errors.length > 0 || !isMap(document.contents)) continue;
    const text = (...path: string[]) => {
      const value: unknown = document.getIn(path);
      return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
    };
    const group = text('apiVersion').includes('/') ? text('apiVersion').split('/')[0] : '';
    const namespace = text('metadata', 'namespace');
    const name = `${namespace === '' ? '' : `${namespace}/`}${text('metadata', 'name')}`;
    names.add(`${text('kind')}${group ? `.${group}` : ''} ${name}`);
  }
  return [...names].sort();
}
