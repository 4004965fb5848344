import { isMap, isSeq } from 'yaml';
import { heldBy, resolve, textOf } from '../document.ts';
import type { ManifestDocument, ManifestFile, Node, YAMLMap } from '../document.ts';
import { stepInto } from '../path.ts';
import type { Step } from '../path.ts';
import { isVariable, labelOf, mapsBelow, offsetOf } from '../slot.ts';
import type { ImageSlot, Write } from '../slot.ts';

/** Is the document a kustomization, by kind or, where it has none, by file name? */
export function isKustomization(file: ManifestFile, document: ManifestDocument): boolean {
  if (document.kind !== '') {
    return (
      /^(?:Kustomization|Component)$/.test(document.kind) &&
      !document.apiVersion.startsWith('kustomize.toolkit.fluxcd.io/')
    );
  }
  return /(?:^|\/)(?:kustomization\.ya?ml|Kustomization)$/.test(file.path);
}

/**
 * `images:` of a kustomization, of a Flux Kustomization (`spec.images`) and of a HelmRelease's post renderers.
 * An entry answers to its `name` and to its `newName`. A new tag without digest removes the entry's digest and the
 * other way round, since kustomize would join the old one to the new. A `newTag` that holds a digest (`1.2@sha256:…`,
 * which kustomize takes as it is) keeps that form.
 */
export function findKustomizeImages(file: ManifestFile, document: ManifestDocument): readonly ImageSlot[] {
  if (!isMap(document.root)) return [];
  const key = (name: string): Step => ({ type: 'key', key: name });
  if (isKustomization(file, document)) return entries(document, document.root, [key('images')]);
  const spec = resolve(document, heldBy(document, document.root, 'spec')?.node);
  if (!isMap(spec)) return [];
  if (document.kind === 'Kustomization') return entries(document, spec, [key('spec'), key('images')]);
  if (document.kind !== 'HelmRelease') return [];
  const renderers = heldBy(document, spec, 'postRenderers')?.node ?? null;
  return mapsBelow(renderers, [key('spec'), key('postRenderers')])
    .filter((visit) => visit.key === 'kustomize')
    .flatMap((visit) => entries(document, visit.map, [...visit.steps, key('images')]));
}

function entries(document: ManifestDocument, holder: YAMLMap, steps: readonly Step[]): readonly ImageSlot[] {
  const list = resolve(document, heldBy(document, holder, 'images')?.node);
  if (!isSeq(list)) return [];
  return list.items.flatMap((item, index) => {
    const map = resolve(document, item as Node);
    const slot = isMap(map) ? entrySlot(document, map, [...steps, stepInto(list.items, index)]) : null;
    return slot ? [slot] : [];
  });
}

function entrySlot(document: ManifestDocument, map: YAMLMap, steps: readonly Step[]): ImageSlot | null {
  const held = (key: string) => heldBy(document, map, key);
  const text = (key: string): string => textOf(resolve(document, held(key)?.node)).trim();
  const name = text('name');
  if (name === '') return null;
  const newName = text('newName');
  const label = (key: string): string => labelOf(document, [...steps, { type: 'key', key }]);
  const set = (key: string, after: string): Write | null => {
    const old = held(key);
    return old && { type: 'set', document, node: old.node, pair: old.pair, path: label(key), before: text(key), after };
  };
  return {
    kind: 'kustomize-images',
    document,
    host: map,
    names: newName === '' ? [name] : [newName, name],
    offset: offsetOf(map),
    path: labelOf(document, steps),
    write: (change) => {
      const variable = ['newName', 'newTag', 'digest'].map(text).find(isVariable);
      if (variable !== undefined) return `the entry holds a variable: ${variable}`;
      const [oldTag, joined] = text('newTag').split('@');
      const whole =
        joined === undefined || change.digest === undefined ? null : `${change.tag ?? oldTag}@${change.digest}`;
      const wanted: [string, string | undefined][] = [
        ['newName', change.newName],
        ['newTag', whole ?? change.tag],
        ['digest', whole === null ? change.digest : undefined],
      ];
      const writes: Write[] = [];
      let beside = held('name')!.pair;
      for (const [key, after] of wanted) {
        const old = held(key);
        const pinned = change.tag !== undefined || change.digest !== undefined;
        if (after !== undefined && !(key === 'newName' && after === name && newName === '')) {
          const write = set(key, after) ?? {
            type: 'add',
            document,
            map,
            beside,
            key,
            path: label(key),
            before: '',
            after,
          };
          writes.push(write);
        } else if (old && key !== 'newName' && pinned && text(key) !== '') {
          writes.push({
            type: 'remove',
            document,
            map: old.map,
            pair: old.pair,
            path: label(key),
            before: text(key),
            after: '',
          });
          continue;
        }
        if (old && old.map === map) beside = old.pair;
      }
      return writes;
    },
  };
}
