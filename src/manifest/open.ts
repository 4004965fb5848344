import { isMap } from 'yaml';
import { Fault } from '../fault.ts';
import { eachNode, parseText } from './document.ts';
import type { ManifestFile, Node } from './document.ts';
import { encryptionOf, encryptionOfText } from './encrypted.ts';
import { isFlow } from './scalar.ts';
import { isPairs } from './target/pairs.ts';
import { decodeText } from './text.ts';

/** What a file turns out to be. */
export type Opened =
  | { readonly type: 'manifest'; readonly file: ManifestFile }
  | { readonly type: 'pairs' | 'line' | 'template'; readonly text: string }
  | { readonly type: 'encrypted'; readonly text: string; readonly reason: string; readonly file?: ManifestFile }
  | { readonly type: 'unparsable'; readonly fault: Fault };

/** Does discovery look into the file? Others are taken only by path. */
export function isManifestPath(path: string): boolean {
  return /(?:\.ya?ml|\.json|(?:^|\/)Kustomization)$/i.test(path);
}

/** Decodes and parses a file by its name and content. Never throws a Fault: it is in the answer. */
export function openFile(path: string, content: Uint8Array): Opened {
  try {
    const text = decodeText(path, content);
    if (!isManifestPath(path)) {
      if (path.endsWith('.tpl')) return { type: 'template', text };
      const reason = encryptionOfText(text);
      if (reason !== null) return { type: 'encrypted', text, reason };
      if (/\.(?:env|properties)$|(?:^|\/)\.env/.test(path) || isPairs(text)) return { type: 'pairs', text };
      if (/^\uFEFF?\s*\S[^\r\n]*\s*$/.test(text) && !/:(?:\s|$)/.test(text.trim())) return { type: 'line', text };
    }
    return openManifest(path, text);
  } catch (error) {
    if (error instanceof Fault) return { type: 'unparsable', fault: error };
    if (error instanceof RangeError) {
      return {
        type: 'unparsable',
        fault: new Fault('too_large', 'the file is nested too deep', {
          place: { file: path },
          hint: 'Leave the file out.',
        }),
      };
    }
    throw error;
  }
}

function openManifest(path: string, text: string): Opened {
  let file: ManifestFile;
  try {
    file = parseText(path, text);
  } catch (error) {
    if (error instanceof Fault && error.code === 'manifest_unparsable' && text.includes('{{'))
      return { type: 'template', text };
    throw error;
  }
  if (text.includes('{{') && file.documents.some(({ root }) => hasTemplate(root))) return { type: 'template', text };
  const reason = encryptionOf(file);
  return reason === null ? { type: 'manifest', file } : { type: 'encrypted', text, reason, file };
}

/** `{{ … }}` outside quotes reads as a map whose key is a map: no YAML that people write has that. */
function hasTemplate(root: Node | null): boolean {
  let found = false;
  eachNode(root, (node) => {
    if (isMap(node) && isFlow(node.srcToken) && node.items.some((pair) => isMap(pair.key))) found = true;
  });
  return found;
}
