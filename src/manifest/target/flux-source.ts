import { isMap } from 'yaml';
import type { ImageChange } from '../../app/change.ts';
import { heldBy, resolve, textOf } from '../document.ts';
import type { ManifestDocument, ManifestFile } from '../document.ts';
import { isVariable, labelOf, offsetOf } from '../slot.ts';
import type { ImageSlot, Write } from '../slot.ts';

/** Keys of `spec.ref` in the order in which Flux obeys them (https://fluxcd.io/flux/components/source/). */
const keysOf = {
  OCIRepository: ['digest', 'semver', 'tag'],
  GitRepository: ['commit', 'name', 'semver', 'tag', 'branch'],
};

/**
 * `spec.ref` of OCIRepository and GitRepository. The source answers to its URL without scheme, user and `.git`:
 * `oci://ghcr.io/org/manifests` to `ghcr.io/org/manifests`. The key in force is the one that changes; a new tag without
 * digest removes the old digest, which would go before it.
 */
export function findFluxSources(_file: ManifestFile, document: ManifestDocument): readonly ImageSlot[] {
  const { kind, root } = document;
  if ((kind !== 'OCIRepository' && kind !== 'GitRepository') || !isMap(root)) return [];
  const spec = resolve(document, heldBy(document, root, 'spec')?.node);
  if (!isMap(spec)) return [];
  const url = textOf(resolve(document, heldBy(document, spec, 'url')?.node));
  const name = sourceName(url);
  const ref = resolve(document, heldBy(document, spec, 'ref')?.node);
  if (name === '') return [];
  return [
    {
      kind: 'flux-source',
      document,
      host: spec,
      names: [name, url],
      ...(kind === 'OCIRepository' && { keepsTag: true }),
      offset: offsetOf(spec),
      path: labelOf(document, [
        { type: 'key', key: 'spec' },
        { type: 'key', key: 'ref' },
      ]),
      write: (change) => {
        if (change.newName !== undefined) return 'the URL of a source is not an image name; set it by path';
        if (!isMap(ref)) return 'the source has no spec.ref';
        const text = (key: string): string => textOf(resolve(document, heldBy(document, ref, key)?.node));
        const standing = keysOf[kind].filter((key) => heldBy(document, ref, key) !== null);
        const variable = standing.map(text).find(isVariable);
        if (variable !== undefined) return `spec.ref holds a variable: ${variable}`;
        const label = (key: string): string =>
          labelOf(
            document,
            ['spec', 'ref', key].map((each) => ({ type: 'key', key: each })),
          );
        const write = (key: string, after: string): Write => {
          const held = heldBy(document, ref, key);
          const beside = ref.items[0] as NonNullable<typeof held>['pair'] | undefined;
          if (held)
            return {
              type: 'set',
              document,
              node: held.node,
              pair: held.pair,
              path: label(key),
              before: text(key),
              after,
            };
          if (!beside) throw new Error('an empty map was not refused');
          return { type: 'add', document, map: ref, beside, key, path: label(key), before: '', after };
        };
        if (ref.items.length === 0) return 'spec.ref is empty';
        if (kind === 'GitRepository') return commitRef(change, standing, write);
        const writes = artifactRef(change, standing, write);
        const stale = change.tag !== undefined && change.digest === undefined ? heldBy(document, ref, 'digest') : null;
        if (!stale) return writes;
        const removal = { type: 'remove', document, map: stale.map, pair: stale.pair, before: text('digest') } as const;
        return [...writes, { ...removal, path: label('digest'), after: '' }];
      },
    },
  ];
}

type WriteKey = (key: string, after: string) => Write;

function artifactRef(change: ImageChange, standing: readonly string[], write: WriteKey): readonly Write[] {
  const writes: Write[] = [];
  if (change.tag !== undefined) {
    writes.push(write(standing.includes('semver') && !standing.includes('tag') ? 'semver' : 'tag', change.tag));
    if (standing.includes('semver') && standing.includes('tag')) writes.push(write('semver', change.tag));
  }
  if (change.digest !== undefined) writes.push(write('digest', change.digest));
  return writes;
}

function commitRef(change: ImageChange, standing: readonly string[], write: WriteKey): readonly Write[] | string {
  if (change.digest !== undefined || change.tag === undefined)
    return 'a GitRepository has no digest; give a tag, branch or commit';
  if (/^[0-9a-f]{40}$/.test(change.tag)) return [write('commit', change.tag)];
  const key = standing[0] ?? 'tag';
  if (key === 'commit' || key === 'name') return `spec.ref.${key} is in force; set it by path`;
  return [write(key, change.tag)];
}

/** `oci://host/path` → `host/path`, `ssh://git@host/path.git` → `host/path`. */
function sourceName(url: string): string {
  return url
    .replace(/^[a-z+]+:\/\//, '')
    .replace(/^[^/@]*@/, '')
    .replace(/\/+$/, '')
    .replace(/\.git$/, '');
}
