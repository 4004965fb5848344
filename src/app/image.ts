import { Fault } from '../fault.ts';
import type { ImageChange } from './change.ts';

/** An image reference, split. */
export interface ImageReference {
  /** Everything before tag and digest, as written: `ghcr.io/org/app`, `registry:5000/app`, `nginx`. */
  readonly name: string;
  readonly tag: string | null;
  /** `<algorithm>:<hex>` */
  readonly digest: string | null;
}

const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const host = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?$/;

/** Is the first path component a registry host? Docker's rule: it has a dot or a port, or is `localhost`. */
function isHost(first: string): boolean {
  return /[.:[]/.test(first) || first === 'localhost';
}

/**
 * Splits a reference by position alone: the digest begins at `@`, the tag at the first `:` after the last `/`.
 * Offsets are those of the tag's and digest's first character in `text`, or -1.
 */
function split(text: string): {
  name: string;
  tag: string | null;
  digest: string | null;
  tagAt: number;
  digestAt: number;
} {
  const at = text.indexOf('@');
  const head = at === -1 ? text : text.slice(0, at);
  const colon = head.indexOf(':', head.lastIndexOf('/') + 1);
  return {
    name: colon === -1 ? head : head.slice(0, colon),
    tag: colon === -1 ? null : head.slice(colon + 1),
    digest: at === -1 ? null : text.slice(at + 1),
    tagAt: colon === -1 ? -1 : colon + 1,
    digestAt: at === -1 ? -1 : at + 1,
  };
}

function refuse(whole: string, offset: number, problem: string): never {
  throw new Fault('image_reference', `image ${JSON.stringify(whole)}, character ${offset + 1}: ${problem}`);
}

/** Fault `image_reference` where `tag`, which stands at `offset` of what was given, is no tag. */
export function checkTag(whole: string, tag: string, offset: number): void {
  if (tag === '') refuse(whole, offset, 'the tag is empty');
  const wrong = tag.search(/[^A-Za-z0-9_.-]/);
  if (wrong !== -1) refuse(whole, offset + wrong, `${JSON.stringify(tag[wrong])} cannot stand in a tag`);
  if (!/^[A-Za-z0-9_]/.test(tag)) refuse(whole, offset, 'a tag begins with a letter, a digit or "_"');
  if (!tagPattern.test(tag)) refuse(whole, offset + 128, 'a tag has at most 128 characters');
}

/** As `checkTag`, for a digest. */
export function checkDigest(whole: string, digest: string, offset: number): void {
  if (!digestPattern.test(digest))
    refuse(whole, offset, 'a digest is "sha256:" and 64 hexadecimal digits (lower case)');
}

/** As `checkTag`, for a name. */
export function checkName(whole: string, name: string, offset: number): void {
  if (name === '') refuse(whole, offset, 'the image name is empty');
  const wrong = name.search(/[^A-Za-z0-9._:/[\]-]/);
  if (wrong !== -1) refuse(whole, offset + wrong, `${JSON.stringify(name[wrong])} cannot stand in an image name`);
  if (name.length > 255) refuse(whole, offset + 255, 'an image name has at most 255 characters');
  let position = 0;
  const parts = name.split('/');
  for (const [index, part] of parts.entries()) {
    const registry = index === 0 && parts.length > 1 && isHost(part);
    if (part === '') refuse(whole, offset + position, 'a component of the image name is empty');
    if (registry ? !host.test(part) : !component.test(part)) {
      const upper = registry ? -1 : part.search(/[A-Z]/);
      if (upper !== -1) refuse(whole, offset + position + upper, 'the path of an image is lower case');
      refuse(
        whole,
        offset + position,
        `${JSON.stringify(part)} is not a valid ${registry ? 'registry host' : 'path component'}`,
      );
    }
    position += part.length + 1;
  }
}

/** Parses a full reference. Fault `image_reference` with the position of the first wrong character. */
export function parseImage(text: string): ImageReference {
  const parts = split(text);
  checkName(text, parts.name, 0);
  if (parts.tag !== null) checkTag(text, parts.tag, parts.tagAt);
  if (parts.digest !== null) checkDigest(text, parts.digest, parts.digestAt);
  return { name: parts.name, tag: parts.tag, digest: parts.digest };
}

/** The reference that a manifest holds, or null where the text is none (a variable, a template, a sentence). */
export function readImage(text: string): ImageReference | null {
  const parts = split(text);
  if (parts.name === '' || parts.name.length > 255 || /[^A-Za-z0-9._:/[\]-]/.test(parts.name)) return null;
  if (parts.tag !== null && !tagPattern.test(parts.tag)) return null;
  if (parts.digest !== null && !/^[a-z0-9+._-]+:[0-9a-f]{32,}$/.test(parts.digest)) return null;
  return { name: parts.name, tag: parts.tag, digest: parts.digest };
}

/** `name[:tag][@digest]` */
export function formatImage(image: ImageReference): string {
  return `${image.name}${image.tag === null ? '' : `:${image.tag}`}${image.digest === null ? '' : `@${image.digest}`}`;
}

/**
 * Reads `NAME=[NEWNAME][:TAG][@DIGEST]`, or a full reference `NAME[:TAG][@DIGEST]`, as in `--image`. NAME before `=` is
 * whatever the manifests call the image, so it may be a placeholder in capitals. Fault `image_reference`.
 */
export function parseImageFlag(text: string): ImageChange {
  const equals = text.indexOf('=');
  const left = equals === -1 ? text : text.slice(equals + 1);
  const offset = equals + 1;
  const parts = split(left);
  if (equals !== -1) {
    const name = text.slice(0, equals);
    if (name === '') refuse(text, 0, 'the image name is empty');
    const wrong = name.search(/[^A-Za-z0-9._:/[\]-]/);
    if (wrong !== -1) refuse(text, wrong, `${JSON.stringify(name[wrong])} cannot stand in an image name`);
    const colon = split(name).tagAt;
    if (colon !== -1) refuse(text, colon - 1, 'a tag cannot stand before "="');
    if (left === '') refuse(text, offset, 'a new name, a tag or a digest must follow "="');
  }
  if (equals === -1 || parts.name !== '') checkName(text, parts.name, offset);
  if (parts.tag !== null) checkTag(text, parts.tag, offset + parts.tagAt);
  if (parts.digest !== null) checkDigest(text, parts.digest, offset + parts.digestAt);
  if (equals === -1 && parts.tag === null && parts.digest === null) {
    refuse(text, text.length, 'a tag or a digest must follow the name');
  }
  const name = equals === -1 ? parts.name : text.slice(0, equals);
  return {
    name,
    ...(equals !== -1 && parts.name !== '' && parts.name !== name && { newName: parts.name }),
    ...(parts.tag !== null && { tag: parts.tag }),
    ...(parts.digest !== null && { digest: parts.digest }),
  };
}

/**
 * The name in full, for telling near candidates only: `nginx` → `docker.io/library/nginx`. Matching is by the name as
 * written, because kustomize and the charts compare text.
 */
export function fullName(name: string): string {
  const [first = '', ...rest] = name.split('/');
  if (rest.length === 0) return `docker.io/library/${name}`;
  if (!isHost(first)) return `docker.io/${name}`;
  if (first === 'index.docker.io' || first === 'registry-1.docker.io') return fullName(rest.join('/'));
  if (first === 'docker.io' && rest.length === 1) return `docker.io/library/${rest[0]}`;
  return name;
}

/** The last path component, e.g. `app` of `ghcr.io/org/app`: the shortest text by which a file can hold the image. */
export function baseName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** The name without its registry host: `org/app` of `ghcr.io/org/app`, `app` of `registry:5000/app`, else all of it. */
export function withoutHost(name: string): string {
  const slash = name.indexOf('/');
  return slash !== -1 && isHost(name.slice(0, slash)) ? name.slice(slash + 1) : name;
}
