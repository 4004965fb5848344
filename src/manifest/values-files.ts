import { posix } from 'node:path';
import { isMap, isSeq } from 'yaml';
import { heldBy, resolve, textOf } from './document.ts';
import type { ManifestDocument, Node } from './document.ts';
import { isManifestPath, openFile } from './open.ts';
import { holdsText } from './text.ts';

/**
 * Names of the HelmReleases by path of their values files: those of the chart's own source (`valuesFiles`, from the
 * root of the repository), and those that kustomize puts into a ConfigMap or Secret of `valuesFrom`.
 */
export function releasesByFile(files: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const take = (file: string, release: string): void => {
    found.set(file, [...(found.get(file) ?? []), release]);
  };
  const sources = new Map<string, string[]>();
  for (const [path, content] of files) {
    if (!holdsText(content, 'HelmRelease') || !holdsText(content, 'valuesF')) continue;
    for (const document of documentsOf(path, content)) {
      if (document.kind !== 'HelmRelease') continue;
      const spec = below(document, document.root, 'spec');
      const chart = below(document, below(document, spec, 'chart'), 'spec');
      for (const file of itemsOf(document, below(document, chart, 'valuesFiles'))) {
        take(posix.normalize(textOf(file)), document.name);
      }
      for (const source of itemsOf(document, below(document, spec, 'valuesFrom'))) {
        const name = textOf(below(document, source, 'name'));
        sources.set(name, [...(sources.get(name) ?? []), document.name]);
      }
    }
  }
  if (sources.size === 0) return found;
  for (const [path, content] of files) {
    if (!holdsText(content, 'Generator')) continue;
    for (const { name, file } of documentsOf(path, content).flatMap(generatedFiles)) {
      for (const release of sources.get(name) ?? []) take(posix.join(posix.dirname(path), file), release);
    }
  }
  return found;
}

/** Files of a kustomization's generators, each with the name of the ConfigMap or Secret. */
function generatedFiles(document: ManifestDocument): readonly { readonly name: string; readonly file: string }[] {
  return ['configMapGenerator', 'secretGenerator'].flatMap((key) =>
    itemsOf(document, below(document, document.root, key)).flatMap((generator) => {
      const name = textOf(below(document, generator, 'name'));
      return itemsOf(document, below(document, generator, 'files')).map((entry) => ({
        name,
        file: textOf(entry).replace(/^[^=]*=/, ''),
      }));
    }),
  );
}

/** The documents of a file, none where it cannot be read. */
export function documentsOf(path: string, content: Uint8Array): readonly ManifestDocument[] {
  const opened = isManifestPath(path) ? openFile(path, content) : null;
  return opened?.type === 'manifest' ? opened.file.documents : [];
}

function below(document: ManifestDocument, node: Node | null, key: string): Node | null {
  return isMap(node) ? resolve(document, heldBy(document, node, key)?.node) : null;
}

function itemsOf(document: ManifestDocument, node: Node | null): readonly (Node | null)[] {
  return isSeq(node) ? node.items.map((item) => resolve(document, item as Node)) : [];
}
