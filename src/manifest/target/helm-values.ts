import { isMap, isScalar, isSeq } from 'yaml';
import { readImage } from '../../app/image.ts';
import type { ImageChange } from '../../app/change.ts';
import { heldBy, keyText, ownPair, resolve, textOf } from '../document.ts';
import type { Held, ManifestDocument, ManifestFile, Node } from '../document.ts';
import { stepInto } from '../path.ts';
import type { Step } from '../path.ts';
import { isVariable, labelOf, mapsBelow, offsetOf, referenceSlot } from '../slot.ts';
import type { ImageSlot, MapVisit, Write } from '../slot.ts';
import { isKustomization } from './kustomize-images.ts';

const repositoryKeys = ['repository', 'repo', 'image', 'name'];
const tagKeys = ['tag', 'imageTag', 'version'];
const digestKeys = ['digest', 'sha', 'imageDigest'];

/**
 * Images in Helm values, of a HelmRelease (`spec.values`) and of values files (documents that are no Kubernetes object):
 * maps of repository, tag, digest and registry; full references under keys that end with `image`; lists of both.
 */
export function findHelmValues(file: ManifestFile, document: ManifestDocument): readonly ImageSlot[] {
  if (document.kind === 'HelmRelease' && isMap(document.root)) {
    const spec = resolve(document, heldBy(document, document.root, 'spec')?.node);
    const values = isMap(spec) ? resolve(document, heldBy(document, spec, 'values')?.node) : null;
    return slotsBelow(document, values, [
      { type: 'key', key: 'spec' },
      { type: 'key', key: 'values' },
    ]);
  }
  if (isKustomization(file, document) || isObject(document)) return [];
  return slotsBelow(document, document.root, []);
}

/** A Kubernetes object or a patch of one; a values file may have a key `kind` too. */
function isObject({ root, kind, apiVersion }: ManifestDocument): boolean {
  if (kind === '' || !isMap(root)) return false;
  return apiVersion !== '' || ownPair(root, 'metadata') !== undefined || ownPair(root, 'spec') !== undefined;
}

function slotsBelow(document: ManifestDocument, root: Node | null, from: readonly Step[]): readonly ImageSlot[] {
  return mapsBelow(root, from).flatMap((visit) => {
    const parts = partsSlot(document, visit);
    return [...(parts ? [parts] : []), ...references(document, visit, parts !== null)];
  });
}

/** Full references: `image: name:tag`, `sidecarImage: …`, `images: [name:tag]`. */
function references(document: ManifestDocument, visit: MapVisit, parts: boolean): readonly ImageSlot[] {
  return visit.map.items.flatMap((pair) => {
    if (!isScalar(pair.key)) return [];
    const key = keyText(pair.key);
    const steps: readonly Step[] = [...visit.steps, { type: 'key', key }];
    const value = resolve(document, pair.value as Node | null);
    if (isSeq(value) && /images$/i.test(key)) {
      return value.items.flatMap((item, index) => {
        const slot = isScalar(resolve(document, item as Node))
          ? referenceSlot('helm-values', document, null, null, item as Node, [...steps, stepInto(value.items, index)])
          : null;
        return slot ? [slot] : [];
      });
    }
    if (!isScalar(value) || !/image$/i.test(key) || (parts && key === 'image')) return [];
    const slot = referenceSlot('helm-values', document, visit.map, pair as Held['pair'], pair.value as Node, steps);
    return slot ? [slot] : [];
  });
}

/** A map that names the image in parts. */
function partsSlot(document: ManifestDocument, visit: MapVisit): ImageSlot | null {
  const { map, steps } = visit;
  const held = (key: string) => heldBy(document, map, key);
  const scalar = (key: string): string => textOf(resolve(document, held(key)?.node));
  const first = (keys: readonly string[]): string | undefined =>
    keys.find((key) => isScalarOrEmpty(document, held(key)));
  const tagKey = first(tagKeys.filter((key) => key !== 'version' || /image$/i.test(visit.key)));
  const digestKey = first(digestKeys);
  const imageMap = /image$/i.test(visit.key);
  const repositoryKey = repositoryKeys.find(
    (key) =>
      scalar(key) !== '' &&
      (tagKey !== undefined || digestKey !== undefined || (imageMap && key !== 'name') || key === 'repository'),
  );
  if (repositoryKey === undefined) return null;
  const whole = readImage(scalar(repositoryKey));
  if (!whole || whole.tag !== null || whole.digest !== null) {
    if (repositoryKey === 'image' || !whole) return null;
    const old = held(repositoryKey)!;
    return referenceSlot('helm-values', document, map, old.pair, old.node, [
      ...steps,
      { type: 'key', key: repositoryKey },
    ]);
  }
  if (repositoryKey === 'image' && tagKey === undefined && digestKey === undefined) return null;
  const registry = scalar('registry');
  const label = (key: string): string => labelOf(document, [...steps, { type: 'key', key }]);
  const set = (key: string, after: string): Write => {
    const old = held(key)!;
    return { type: 'set', document, node: old.node, pair: old.pair, path: label(key), before: scalar(key), after };
  };
  return {
    kind: 'helm-values',
    document,
    host: map,
    names: [registry === '' ? whole.name : `${registry}/${whole.name}`],
    offset: offsetOf(map),
    path: labelOf(document, steps),
    keepsTag: true,
    write: (change) => {
      const variable = [registry, tagKey && scalar(tagKey), digestKey && scalar(digestKey)].find(
        (text) => text && isVariable(text),
      );
      if (variable !== undefined) return `the map holds a variable: ${variable}`;
      const writes: Write[] = [];
      if (change.newName !== undefined) writes.push(...renamed(change.newName));
      if (change.tag === undefined && change.digest === undefined) return writes;
      const { tag, digest } = tagAndDigest(change, tagKey ? scalar(tagKey) : '', digestKey !== undefined);
      if (tag !== undefined) {
        writes.push(
          tagKey === undefined
            ? {
                type: 'add',
                document,
                map,
                beside: held(repositoryKey)!.pair,
                key: 'tag',
                path: label('tag'),
                before: '',
                after: tag,
              }
            : set(tagKey, tag),
        );
      }
      if (digestKey !== undefined) {
        const old = scalar(digestKey);
        const bare = digestKey === 'sha' || /^[0-9a-f]{64}$/.test(old);
        const after = digest === undefined ? '' : bare ? digest.replace(/^sha\d+:/, '') : digest;
        if (after !== '' || old !== '') writes.push(set(digestKey, after));
      }
      return writes;
    },
  };

  /** Registry and repository of a new name; the registry keeps its key where there is one. */
  function renamed(name: string): readonly Write[] {
    if (registry === '') return [set(repositoryKey!, name)];
    if (name.startsWith(`${registry}/`)) return [set(repositoryKey!, name.slice(registry.length + 1))];
    const slash = name.indexOf('/');
    const host = slash === -1 ? '' : name.slice(0, slash);
    return /[.:]/.test(host) || host === 'localhost'
      ? [set('registry', host), set(repositoryKey!, name.slice(slash + 1))]
      : [set('registry', 'docker.io'), set(repositoryKey!, slash === -1 ? `library/${name}` : name)];
  }
}

/**
 * Tag and digest to write. Without a key for the digest it goes into the tag (`1.2@sha256:…`), which every chart that
 * joins repository and tag by a colon renders as a pinned reference.
 */
function tagAndDigest(
  change: ImageChange,
  oldTag: string,
  digestKey: boolean,
): { tag: string | undefined; digest: string | undefined } {
  if (digestKey) return { tag: change.tag, digest: change.digest };
  if (change.digest === undefined) return { tag: change.tag, digest: undefined };
  const at = oldTag.indexOf('@');
  const tag = change.tag ?? (at === -1 ? oldTag : oldTag.slice(0, at));
  return { tag: `${tag === '' ? 'latest' : tag}@${change.digest}`, digest: undefined };
}

/** Is there such a key, and no map or list behind it? */
function isScalarOrEmpty(document: ManifestDocument, held: Held | null): boolean {
  if (!held) return false;
  const node = resolve(document, held.node);
  return node === null || isScalar(node);
}
