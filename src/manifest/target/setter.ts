import { isScalar, isSeq } from 'yaml';
import type { ImageChange } from '../../app/change.ts';
import { readImage } from '../../app/image.ts';
import { heldBy, keyText, resolve, textOf } from '../document.ts';
import type { ManifestDocument, ManifestFile, Node, Pair, YAMLMap } from '../document.ts';
import { stepInto } from '../path.ts';
import type { Step } from '../path.ts';
import { isVariable, labelOf, mapsBelow, offsetOf, referenceText } from '../slot.ts';
import type { ImageSlot, Write } from '../slot.ts';

/** A value with a Flux marker `# {"$imagepolicy": "<namespace>:<policy>[:tag|:name|:digest]"}` on its line. */
export interface Marked {
  readonly document: ManifestDocument;
  /** `<namespace>:<policy>` */
  readonly policy: string;
  readonly part: 'image' | 'tag' | 'name' | 'digest';
  readonly node: Node;
  readonly pair: Pair<Node, Node | null> | null;
  readonly host: YAMLMap | null;
  readonly path: string;
  readonly text: string;
  /** Names of the image that the value itself or its neighbours tell; none for a lone tag. */
  readonly names: readonly string[];
}

const marker = /#[^\n]*?\{\s*"\$imagepolicy"\s*:\s*"([^":\s]+:[^":\s]+)(?::(tag|name|digest))?"\s*\}/y;

/** Every marked value of a document. */
export function findMarked(file: ManifestFile, document: ManifestDocument): readonly Marked[] {
  if (!file.text.includes('"$imagepolicy"')) return [];
  const found: Marked[] = [];
  const see = (value: unknown, pair: Marked['pair'], host: YAMLMap | null, steps: readonly Step[]): void => {
    const node = value as Node;
    const scalar = resolve(document, node);
    const mark = isScalar(scalar) ? markerAfter(file.text, node.range?.[1] ?? 0) : null;
    if (!mark) return;
    const text = textOf(scalar);
    const names =
      mark.part === 'name'
        ? [text]
        : mark.part === 'image'
          ? [readImage(text)?.name ?? '']
          : host
            ? neighbours(document, host)
            : [];
    found.push({
      document,
      ...mark,
      node,
      pair,
      host,
      path: labelOf(document, steps),
      text,
      names: names.filter((name) => name !== ''),
    });
  };
  for (const { map, steps } of mapsBelow(document.root)) {
    for (const pair of map.items) {
      if (!isScalar(pair.key)) continue;
      const inner: readonly Step[] = [...steps, { type: 'key', key: keyText(pair.key) }];
      see(pair.value, pair as Marked['pair'], map, inner);
      inLists(pair.value, inner);
    }
  }
  if (isSeq(document.root)) inLists(document.root, []);
  return found;

  function inLists(value: unknown, steps: readonly Step[]): void {
    if (!isSeq(value)) return;
    for (const [index, item] of value.items.entries()) {
      const inner = [...steps, stepInto(value.items, index)];
      see(item, null, null, inner);
      inLists(item, inner);
    }
  }
}

/** The marker in the comment of the line, where nothing but closing brackets and a comma stands between. */
function markerAfter(text: string, end: number): { policy: string; part: Marked['part'] } | null {
  let at = end;
  while (/[ \t,\]}]/.test(text[at] ?? '')) at += 1;
  if (text[at] !== '#' || !/[ \t]/.test(text[at - 1] ?? '')) return null;
  marker.lastIndex = at;
  const match = marker.exec(text);
  return match ? { policy: match[1]!, part: (match[2] as Marked['part'] | undefined) ?? 'image' } : null;
}

/** Names that the map around a tag or digest tells: kustomize entries, repository (and registry), full references. */
function neighbours(document: ManifestDocument, map: YAMLMap): readonly string[] {
  const text = (key: string): string => textOf(resolve(document, heldBy(document, map, key)?.node));
  const registry = text('registry');
  const repository = text('repository') || text('repo');
  const joined = repository !== '' && registry !== '' ? `${registry}/${repository}` : repository;
  const entry = ['newName', 'newTag', 'digest', 'tag'].some((key) => heldBy(document, map, key) !== null);
  return [text('newName'), joined, readImage(text('image'))?.name ?? '', entry ? text('name') : ''];
}

/** Marked values as image slots. `namesOf` tells the names of a policy, gathered from all files. */
export function findSetters(
  file: ManifestFile,
  document: ManifestDocument,
  namesOf: (policy: string) => ReadonlySet<string>,
): readonly ImageSlot[] {
  return findMarked(file, document).map((marked) => ({
    kind: 'setter',
    document,
    host: marked.host,
    names: marked.names.length > 0 ? marked.names : [...namesOf(marked.policy)],
    offset: offsetOf(marked.node),
    path: marked.path,
    ...(marked.part !== 'image' && { keepsTag: true }),
    write: (change) => {
      if (isVariable(marked.text)) return `the value holds a variable: ${marked.text}`;
      const old = readImage(marked.text) ?? { name: change.name, tag: null, digest: null };
      const after = {
        image: referenceText(change, old),
        name: change.newName ?? marked.text,
        tag: tagText(change, marked.text),
        digest: change.digest ?? (change.tag === undefined ? marked.text : undefined),
      }[marked.part];
      if (after === undefined) {
        const other = marked.part === 'tag' ? 'tag' : 'digest';
        return `the marker wants a ${other}, and the change has none`;
      }
      return [writeMarked(marked, after)];
    },
  }));
}

/** A tag that held a digest too (`1.2@sha256:…`) keeps that form. */
function tagText(change: ImageChange, old: string): string | undefined {
  if (change.tag === undefined) return change.digest === undefined ? old : undefined;
  return old.includes('@') && change.digest !== undefined ? `${change.tag}@${change.digest}` : change.tag;
}

/** Sets a marked value. */
export function writeMarked(marked: Marked, after: string): Write {
  return {
    type: 'set',
    document: marked.document,
    node: marked.node,
    pair: marked.pair,
    path: marked.path,
    before: marked.text,
    after,
  };
}
