import type { ImageChange } from '../app/change.ts';
import { baseName, withoutHost } from '../app/image.ts';
import { isManifestPath, openFile } from './open.ts';
import { findReleaseImages } from './target/lone-tag.ts';
import type { ReleaseImage } from './target/lone-tag.ts';
import { findMarked } from './target/setter.ts';
import { holdsName, holdsText } from './text.ts';
import { documentsOf, releasesByFile } from './values-files.ts';

/** What the bare texts of all files tell about one image change: a cheap look, so that few files are parsed. */
export interface Mentions {
  /** Can the file hold a target of the change at all? */
  in(path: string, content: Uint8Array): boolean;
  /** Names that the values marked with this policy (`<namespace>:<policy>`) tell, in all files that name the image. */
  readonly namesOf: (policy: string) => ReadonlySet<string>;
  /** Names of the HelmReleases that take this file for their values. */
  readonly releasesOf: (path: string) => readonly string[];
  /** Images in the values of the HelmRelease of this name, in all files, where one of them is the image. */
  readonly imagesOf: (release: string) => readonly ReleaseImage[];
  /** Does a repository with this address, scheme left out, stand in one of the files? */
  hasAddress(path: string): boolean;
}

const marker = '"$imagepolicy"';
const release = 'HelmRelease';

/** Looks for the change in the texts of `files`. */
export function mentionsOf(files: ReadonlyMap<string, Uint8Array>, change: ImageChange): Mentions {
  const names = [...new Set([change.name, change.newName ?? change.name])];
  const direct = (path: string, content: Uint8Array): boolean => names.some((name) => mentions(path, content, name));
  const marked = once(() =>
    [...files].filter(([path, content]) => holdsText(content, marker) && direct(path, content)),
  );
  const policies = once(() => [...new Set(marked().flatMap(([, content]) => policiesIn(content)))]);
  const table = once(() => namesByPolicy(marked()));
  const valued = once(() => releasesByFile(files));
  const releasesOf = (path: string): readonly string[] => valued().get(path) ?? [];
  const releases = once(() => imagesByRelease(files, names, direct, releasesOf));
  const addresses = new Map<string, boolean>();
  return {
    in: (path, content) =>
      direct(path, content) ||
      (holdsText(content, marker) && policies().some((policy) => holdsText(content, `"${policy}:`))) ||
      (holdsText(content, release) && [...releases().keys()].some((name) => holdsText(content, name))) ||
      releasesOf(path).some((name) => releases().has(name)),
    releasesOf,
    imagesOf: (name) => releases().get(name) ?? [],
    namesOf: (policy) => table().get(policy) ?? new Set(),
    hasAddress(path) {
      const known = addresses.get(path) ?? [...files.values()].some((content) => holdsText(content, `://${path}`));
      addresses.set(path, known);
      return known;
    },
  };
}

/**
 * A registry may stand apart from the rest of a name, a chart's name apart from its source's, and JSON may escape
 * slashes.
 */
function mentions(path: string, content: Uint8Array, name: string): boolean {
  return (
    holdsName(content, withoutHost(name)) ||
    ((path.endsWith('.json') || holdsText(content, 'chart')) && holdsName(content, baseName(name)))
  );
}

/** Policies (`<namespace>:<policy>`) that the bare text names. */
export function policiesIn(content: Uint8Array): readonly string[] {
  const text = new TextDecoder().decode(content);
  return [...text.matchAll(/"\$imagepolicy"\s*:\s*"([^":\s]+:[^":\s]+)/g)].map((match) => match[1]!);
}

function namesByPolicy(files: readonly (readonly [string, Uint8Array])[]): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  for (const [path, content] of files) {
    const opened = isManifestPath(path) ? openFile(path, content) : null;
    if (opened?.type !== 'manifest') continue;
    for (const each of opened.file.documents.flatMap((document) => findMarked(opened.file, document))) {
      const known = names.get(each.policy) ?? new Set();
      for (const name of each.names) known.add(name);
      names.set(each.policy, known);
    }
  }
  return names;
}

/** The images of every HelmRelease that has one of the names in one of the files. */
function imagesByRelease(
  files: ReadonlyMap<string, Uint8Array>,
  names: readonly string[],
  direct: (path: string, content: Uint8Array) => boolean,
  releasesOf: (path: string) => readonly string[],
): ReadonlyMap<string, readonly ReleaseImage[]> {
  const imagesIn = (fits: (path: string, content: Uint8Array) => boolean): readonly ReleaseImage[] =>
    [...files].flatMap(([path, content]) => {
      const releases = releasesOf(path);
      if (!holdsText(content, release) && releases.length === 0) return [];
      if (!fits(path, content)) return [];
      return documentsOf(path, content).flatMap((document) => findReleaseImages(document, releases));
    });
  if (files.size < 2) return new Map();
  const own = imagesIn(direct).filter((image) => names.some((name) => image.names.includes(name)));
  const wanted = [...new Set(own.map((image) => image.release))].filter((name) => name !== '');
  if (wanted.length === 0) return new Map();
  const all = imagesIn((path, content) =>
    wanted.some((name) => releasesOf(path).includes(name) || holdsText(content, name)),
  );
  return Map.groupBy(
    all.filter((image) => wanted.includes(image.release)),
    (image) => image.release,
  );
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}
