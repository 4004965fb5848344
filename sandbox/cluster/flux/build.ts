import { existsSync } from 'node:fs';
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import type { ClusterObject } from '../handle.ts';
import { at, type Fields, fields, isFields, list, spec, text } from '../store/object.ts';
import { substitute } from './substitute.ts';
import type { World } from './world.ts';

/** Manifests that cannot be built; the message is the one of `BuildFailed`. */
export class BuildError extends Error {}

const names = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
const kustomizationIn = (folder: string) => names.find((name) => existsSync(join(folder, name)));

/** kustomize's own words for a file that is no YAML. */
async function malformed(world: World, path: string, signal: AbortSignal): Promise<string> {
  const folder = await world.makeFolder('malformed');
  try {
    await copyFile(path, join(folder, 'file.yaml'));
    await writeFile(join(folder, 'kustomization.yaml'), 'resources: [file.yaml]\n');
    const ran = await world.run('kustomize', ['build', '.'], { cwd: folder, signal });
    return /MalformedYAMLError: .*?(?= in File: )/.exec(ran.stderr)?.[0] ?? 'MalformedYAMLError';
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** YAML files that a generated kustomization lists: all below, but folders with a kustomization of their own as such. */
async function scan(world: World, folder: string, root: string, signal: AbortSignal): Promise<string[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const found: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (kustomizationIn(path)) found.push(relative(root, path));
      else found.push(...(await scan(world, path, root, signal)));
    } else if (/\.ya?ml$/.test(entry.name)) {
      const failed = (why: string) => new BuildError(`failed to decode Kubernetes YAML from ${path}: ${why}`);
      const documents = parseAllDocuments(await readFile(path, 'utf8'));
      if (documents.some(({ errors }) => errors.length > 0)) throw failed(await malformed(world, path, signal));
      const objects = documents.map((document): unknown => document.toJS()).filter((object) => object !== null);
      if (objects.some((object) => text(at(object, 'kind')) === '' || text(at(object, 'apiVersion')) === '')) {
        throw failed('missing Resource metadata');
      }
      found.push(relative(root, path));
    }
  }
  return found;
}

/** Writes the kustomization that Flux builds: the one there is, or a generated one, with the fields of the Kustomization's spec. */
async function generate(world: World, object: ClusterObject, folder: string, signal: AbortSignal): Promise<void> {
  const existing = kustomizationIn(folder);
  const file = join(folder, existing ?? 'kustomization.yaml');
  let content: Fields;
  if (existing) {
    const source = await readFile(file, 'utf8');
    try {
      content = fields(parse(source));
    } catch {
      return;
    }
  } else {
    content = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: await scan(world, folder, folder, signal),
    };
  }
  const { targetNamespace, namePrefix, nameSuffix, patches, images, components } = spec(object);
  const added: Fields = {
    ...(targetNamespace === undefined ? {} : { namespace: targetNamespace }),
    ...(namePrefix === undefined ? {} : { namePrefix }),
    ...(nameSuffix === undefined ? {} : { nameSuffix }),
    ...(patches === undefined ? {} : { patches: [...list(content['patches']), ...list(patches)] }),
    ...(images === undefined ? {} : { images: [...list(content['images']), ...list(images)] }),
    ...(components === undefined ? {} : { components: [...list(content['components']), ...list(components)] }),
  };
  if (existing && Object.keys(added).length === 0) return;
  await writeFile(file, stringify({ ...content, ...added }));
}

function variables(world: World, object: ClusterObject, first: string): Record<string, string> | null {
  const { substitute: direct, substituteFrom } = fields(spec(object)['postBuild']);
  if (direct === undefined && substituteFrom === undefined) return null;
  const values: Record<string, string> = {};
  for (const reference of list(substituteFrom)) {
    const kind = text(at(reference, 'kind'));
    const name = text(at(reference, 'name'));
    const resource = world.store.kinds.named(kind);
    const found = resource && world.store.find(resource, object.metadata.namespace ?? null, name);
    if (!found) {
      if (at(reference, 'optional') === true) continue;
      throw new BuildError(
        `post build failed for '${first}': substitute from '${kind}/${name}' error: ${kind.toLowerCase()}s "${name}" not found`,
      );
    }
    for (const [key, value] of Object.entries(fields(found['data']))) {
      values[key] = kind === 'Secret' ? Buffer.from(text(value), 'base64').toString('utf8') : text(value);
    }
  }
  for (const [key, value] of Object.entries(fields(direct))) values[key] = text(value);
  return values;
}

const idOf = (object: ClusterObject) => {
  const [group, version] = object.apiVersion.includes('/')
    ? object.apiVersion.split('/')
    : ['[noGrp]', object.apiVersion];
  return `${object.kind}.${version}.${group}/${object.metadata.name}`;
};

function replaceVariables(
  source: string,
  values: Record<string, string>,
): { object: ClusterObject; source: string } | null {
  const object = parse(source) as ClusterObject | null;
  if (!object) return null;
  const { labels, annotations } = object.metadata;
  const mark = 'kustomize.toolkit.fluxcd.io/substitute';
  if (labels?.[mark] === 'disabled' || annotations?.[mark] === 'disabled') return { object, source };
  const result = substitute(source, values);
  if (!result.ok)
    throw new BuildError(
      `post build failed for '${idOf(object)}': envsubst error: variable substitution failed: ${result.error}`,
    );
  return { object: parse(result.text) as ClusterObject, source: result.text };
}

/** SOPS values as a controller with the key sees them: decrypted, here to a fixed word. */
function decrypt(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith('ENC[') ? 'decrypted' : value;
  if (Array.isArray(value)) return value.map(decrypt);
  return isFields(value)
    ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, decrypt(inner)]))
    : value;
}

/** The object with `spec.commonMetadata`, and readable when `spec.decryption` is set. */
function finished(owner: ClusterObject, object: ClusterObject): ClusterObject {
  const { labels, annotations } = fields(spec(owner)['commonMetadata']);
  const metadata = {
    ...object.metadata,
    ...(labels === undefined ? {} : { labels: { ...object.metadata.labels, ...(labels as Record<string, string>) } }),
    ...(annotations === undefined
      ? {}
      : { annotations: { ...object.metadata.annotations, ...(annotations as Record<string, string>) } }),
  };
  if (object['sops'] === undefined || spec(owner)['decryption'] === undefined) return { ...object, metadata };
  const { sops: _sops, ...rest } = object;
  return { ...(decrypt(rest) as ClusterObject), metadata };
}

/**
 * Builds `spec.path` below `root` as kustomize-controller does: generated kustomization where there is none, the real
 * kustomize, then variable substitution. `text` is what history's digest counts. Rejects with `BuildError`.
 */
export async function buildManifests(
  world: World,
  object: ClusterObject,
  folder: string,
  signal: AbortSignal,
): Promise<{ readonly objects: readonly ClusterObject[]; readonly text: string }> {
  await generate(world, object, folder, signal);
  const ran = await world.run('kustomize', ['build', '--load-restrictor', 'LoadRestrictionsNone', '.'], {
    cwd: folder,
    signal,
  });
  if (ran.code !== 0) throw new BuildError(`kustomize build failed: ${ran.stderr.trim().replace(/^Error: /, '')}`);
  const sources = ran.stdout.split(/^---\n/m).filter((part) => part.trim() !== '');
  const [head] = sources;
  const values = head === undefined ? null : variables(world, object, idOf(parse(head) as ClusterObject));
  const built = sources.flatMap((source) => {
    const one =
      values === null ? { object: parse(source) as ClusterObject | null, source } : replaceVariables(source, values);
    return one?.object ? [{ object: one.object, source: one.source }] : [];
  });
  const objects = built.map((one) => finished(object, one.object));
  return { objects, text: built.map((one) => one.source).join('---\n') };
}
