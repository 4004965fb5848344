import { isScalar } from 'yaml';
import type { ImageChange } from '../../app/change.ts';
import { readImage } from '../../app/image.ts';
import { heldBy, keyText, resolve, textOf } from '../document.ts';
import type { ManifestDocument, YAMLMap } from '../document.ts';
import type { Step } from '../path.ts';
import { isVariable, labelOf, offsetOf } from '../slot.ts';
import type { ImageSlot, MapVisit, Write } from '../slot.ts';

/** Keys of one map that name an image in parts. */
export interface PartKeys {
  readonly repository: string;
  readonly registry: string | null;
  readonly tag: string | null;
  readonly digest: string | null;
}

/** Strongest first: where several keys could go with one tag, the first counts. */
const repositoryNames = ['repository', 'repo', 'image', 'name'];

/**
 * The sets of keys by which charts name images in parts: `repository`/`tag`, `image`/`imageTag`,
 * `webImage`/`webImageTag`, `image_repository`/`image_tag`, each with registry and digest (or `sha`). A set without tag
 * and digest counts only for a key `repository`.
 */
export function partKeys(document: ManifestDocument, { map, key: parent }: MapVisit): readonly PartKeys[] {
  const keys = map.items.flatMap((pair) => (isScalar(pair.key) ? [keyText(pair.key)] : []));
  for (const inherited of ['registry', 'repository', 'tag', 'digest']) {
    if (!keys.includes(inherited) && heldBy(document, map, inherited)) keys.push(inherited);
  }
  const plain = (key: string): string => key.replace(/[_-]/g, '').toLowerCase();
  const scalar = (key: string): boolean => {
    const node = resolve(document, heldBy(document, map, key)?.node);
    return node === null || isScalar(node);
  };
  const sets: PartKeys[] = [];
  const used = new Set<string>();
  for (const name of repositoryNames) {
    for (const key of keys.filter((each) => plain(each).endsWith(name) && scalar(each))) {
      const stem = plain(key).slice(0, -name.length);
      const beside = (...endings: readonly string[]): string | null => {
        const wanted = endings.flatMap((ending) => [
          stem + ending,
          plain(key) + ending,
          ...(stem === '' ? [`image${ending}`] : []),
        ]);
        return keys.find((each) => wanted.includes(plain(each)) && scalar(each) && !used.has(each)) ?? null;
      };
      const tag = beside('tag', ...(stem === '' && /image$/i.test(parent) ? ['version'] : []));
      const digest = beside('digest', 'sha');
      if (tag === null && digest === null && key !== 'repository') continue;
      for (const each of [tag, digest]) if (each !== null) used.add(each);
      sets.push({ repository: key, registry: beside('registry'), tag, digest });
    }
  }
  return sets;
}

/** Slot of an image in parts, or null where the repository's text is no bare image name. */
export function partsSlot(document: ManifestDocument, { map, steps }: MapVisit, keys: PartKeys): ImageSlot | null {
  const text = (key: string | null): string =>
    key === null ? '' : textOf(resolve(document, heldBy(document, map, key)?.node)).trim();
  const image = readImage(text(keys.repository));
  if (!image || image.tag !== null || image.digest !== null) return null;
  const registry = text(keys.registry);
  return {
    kind: 'helm-values',
    document,
    host: map,
    names: registry === '' ? [image.name] : [`${registry}/${image.name}`, ...hubNames(registry, image.name)],
    offset: offsetOf(map),
    path: labelOf(document, steps),
    keepsTag: true,
    write: (change) => {
      const variable = [registry, text(keys.tag), text(keys.digest)].find(isVariable);
      if (variable !== undefined) return `the map holds a variable: ${variable}`;
      return [...renamed(change, keys, registry), ...tagged(change, keys, text)].map(([key, after]) =>
        writeKey(document, map, steps, keys.repository, key, after),
      );
    },
  };
}

/** Names without registry mean the same where it is Docker Hub. */
function hubNames(registry: string, name: string): readonly string[] {
  if (!/^(?:(?:index|registry-1)\.)?docker\.io$/.test(registry)) return [];
  return name.startsWith('library/') ? [name, name.slice('library/'.length)] : [name];
}

/** The write of one key of the map; a key that is missing is added beside `beside`. */
export function writeKey(
  document: ManifestDocument,
  map: YAMLMap,
  steps: readonly Step[],
  beside: string,
  key: string,
  after: string,
): Write {
  const path = labelOf(document, [...steps, { type: 'key', key }]);
  const held = heldBy(document, map, key);
  if (!held)
    return {
      type: 'add',
      document,
      map,
      beside: heldBy(document, map, beside)!.pair,
      key,
      path,
      before: '',
      after,
    };
  const before = textOf(resolve(document, held.node)).trim();
  return { type: 'set', document, node: held.node, pair: held.pair, path, before, after };
}

/** Registry and repository of a new name; the registry keeps its key where there is one. */
function renamed(change: ImageChange, keys: PartKeys, registry: string): readonly (readonly [string, string])[] {
  const name = change.newName;
  if (name === undefined) return [];
  if (keys.registry === null || registry === '') return [[keys.repository, name]];
  if (name.startsWith(`${registry}/`)) return [[keys.repository, name.slice(registry.length + 1)]];
  const slash = name.indexOf('/');
  const host = slash === -1 ? '' : name.slice(0, slash);
  const named = /[.:]/.test(host) || host === 'localhost';
  return [
    [keys.registry, named ? host : 'docker.io'],
    [keys.repository, named ? name.slice(slash + 1) : slash === -1 ? `library/${name}` : name],
  ];
}

/**
 * Tag and digest. Without a key for the digest it goes into the tag (`1.2@sha256:…`), which every chart that joins
 * repository and tag by a colon renders as a pinned reference. A digest that the new tag leaves behind is emptied.
 */
export function tagged(
  change: ImageChange,
  keys: PartKeys,
  text: (key: string | null) => string,
): readonly (readonly [string, string])[] {
  if (change.tag === undefined && change.digest === undefined) return [];
  const writes: (readonly [string, string])[] = [];
  const joined = keys.digest === null && change.digest !== undefined;
  const tag = change.tag ?? (joined ? text(keys.tag).split('@')[0] || 'latest' : undefined);
  if (tag !== undefined) writes.push([keys.tag ?? 'tag', joined ? `${tag}@${change.digest}` : tag]);
  if (keys.digest !== null && (change.digest !== undefined || text(keys.digest) !== '')) {
    const bare = /sha$/i.test(keys.digest) || /^[0-9a-f]{64}$/.test(text(keys.digest));
    const digest = change.digest ?? '';
    writes.push([keys.digest, bare ? digest.replace(/^sha\d+:/, '') : digest]);
  }
  return writes;
}
