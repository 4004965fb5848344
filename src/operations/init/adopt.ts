import { isMap, isScalar, parseAllDocuments } from 'yaml';
import type { Document } from 'yaml';

/**
 * A file's text with its Flux Kustomization pointed to another source, waiting for what it applies; everything else stays
 * byte for byte. null: the object is not there, or written in a way that only a person can change.
 */
export function adoptedKustomization(
  text: string,
  name: string,
  source: { readonly kind: string; readonly name: string },
): string | null {
  const document = parseAllDocuments(text).find(
    (one) => one.get('kind') === 'Kustomization' && one.getIn(['metadata', 'name']) === name,
  ) as Document | undefined;
  if (!document) return null;
  const edits: { readonly start: number; readonly end: number; readonly text: string }[] = [];
  const replace = (path: readonly string[], value: string): boolean => {
    const node = document.getIn(path, true);
    if (!isScalar(node) || !node.range) return false;
    edits.push({ start: node.range[0], end: node.range[1], text: value });
    return true;
  };
  if (!replace(['spec', 'sourceRef', 'kind'], source.kind) || !replace(['spec', 'sourceRef', 'name'], source.name))
    return null;
  if (document.getIn(['spec', 'wait']) !== true && !replace(['spec', 'wait'], 'true')) {
    const spec = document.get('spec', true);
    const first = isMap(spec) && !spec.flow ? spec.items[0]?.key : undefined;
    if (!isScalar(first) || !first.range) return null;
    const start = first.range[0];
    const indent = start - (text.lastIndexOf('\n', start - 1) + 1);
    edits.push({ start, end: start, text: `wait: true\n${' '.repeat(indent)}` });
  }
  return edits
    .toSorted((a, b) => b.start - a.start)
    .reduce((result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end), text);
}
