import { posix } from 'node:path';
import type { ClusterSettings, Pair } from '../../config/config.ts';
import { normalizeUrl } from '../../notify/source-address.ts';
import { adoptedKustomization } from './adopt.ts';
import { record, type ManifestObject } from './documents.ts';
import {
  documentsText,
  fluxKustomization,
  gitSource,
  ociSource,
  receiverObject,
  type NewObject,
} from './flux-objects.ts';
import { namespaceOf, sourceRefOf } from './layout.ts';
import { rightsObjects, type Subject } from './rights.ts';

/** One cluster and what is delivered to it. */
export interface ClusterPart {
  readonly settings: ClusterSettings;
  readonly pairs: readonly Pair[];
}

/** What a cluster's files are made from. */
export interface ClusterInput extends ClusterPart {
  readonly files: ReadonlyMap<string, string>;
  readonly objects: readonly ManifestObject[];
  /** The delivery repository, for `source: git`. */
  readonly delivery: { readonly url: string; readonly branch: string };
  readonly subjects: readonly Subject[];
}

/** A file that is wanted: its whole text. */
export interface WantedFile {
  readonly path: string;
  readonly text: string;
}

/** The Flux objects, the Receiver and the rights of one cluster: files, and how existing ones would have to change. */
export function clusterFiles(input: ClusterInput): readonly WantedFile[] {
  const { settings, pairs } = input;
  const folder = clusterFolder(input);
  const sources: { kind: string; name: string; namespace: string }[] = [];
  const adopted = new Map<string, string>();
  const wanted: WantedFile[] = [];
  const many = new Set(pairs.map(({ environment }) => environment.name)).size > 1;
  const shared: NewObject[] = [];
  for (const pair of pairs) {
    for (const artifact of pair.artifacts) {
      const label = many ? `${artifact.name}-${pair.environment.name}` : artifact.name;
      const made: NewObject[] = [];
      const source = sourceOf(input, pair, artifact.repository, label, made, shared);
      if (!sources.some((one) => one.kind === source.kind && one.name === source.name))
        sources.push({ ...source, namespace: pair.namespace });
      artifact.roots.forEach((root, index) => {
        const standing = standingKustomization(input, root, settings.name, pair.environment.name);
        if (standing === undefined) {
          const namespace = namespaceOf(input.files, root);
          if (namespace !== null && !input.objects.some((one) => one.kind === 'Namespace' && one.name === namespace))
            made.unshift({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
          made.push(fluxKustomization(index === 0 ? label : `${label}-${index + 1}`, pair.namespace, source, root));
          return;
        }
        const ref = sourceRefOf(standing);
        if (ref.kind === source.kind && ref.name === source.name) return;
        const before = adopted.get(standing.file) ?? input.files.get(standing.file) ?? '';
        const after = adoptedKustomization(before, standing.name, source);
        if (after !== null) adopted.set(standing.file, after);
      });
      if (made.length > 0) {
        const taken = input.files.has(`${folder}/${label}.yaml`);
        wanted.push({ path: `${folder}/${label}${taken ? '-artifact' : ''}.yaml`, text: documentsText(made) });
      }
    }
  }
  if (shared.length > 0) wanted.unshift({ path: `${folder}/delivery.yaml`, text: documentsText(shared) });
  const { receiver } = settings;
  if (
    receiver !== null &&
    receiver.type === 'generic-hmac' &&
    !input.objects.some(
      (one) => one.kind === 'Receiver' && one.name === receiver.name && posix.dirname(one.file).startsWith(folder),
    )
  )
    wanted.push({
      path: `${folder}/sluice-receiver.yaml`,
      text: documentsText([receiverObject(receiver.name, receiver.namespace, sources)]),
    });
  const proxied = receiver !== null && receiver.url === null ? { namespace: receiver.namespace } : null;
  if (
    !input.objects.some(
      (one) => one.kind === 'ClusterRole' && one.name === 'sluice-watch' && posix.dirname(one.file).startsWith(folder),
    )
  )
    wanted.push({ path: `${folder}/sluice-rbac.yaml`, text: documentsText(rightsObjects(input.subjects, proxied)) });
  const listing = listed(input.files, folder, wanted);
  return [...wanted, ...[...adopted].map(([path, text]) => ({ path, text })), ...(listing === null ? [] : [listing])];
}

/** Where a cluster's Flux objects are, or would be: the folder of those there are, else `clusters/<cluster>`. */
export function clusterFolder({ settings, pairs, files, objects }: ClusterInput): string {
  const names = [settings.name, ...new Set(pairs.map(({ environment }) => environment.name))];
  const folders = new Set([...files.keys()].map((file) => posix.dirname(file)));
  const named = names
    .map((name) => `clusters/${name}`)
    .find((folder) => [...folders].some((one) => one === folder || one.startsWith(`${folder}/`)));
  if (named !== undefined) return named;
  const standing = objects.find(
    (one) =>
      one.apiVersion.startsWith('kustomize.toolkit.fluxcd.io/') &&
      posix
        .dirname(one.file)
        .split('/')
        .some((part) => names.includes(part)),
  );
  return standing === undefined ? `clusters/${settings.name}` : posix.dirname(standing.file);
}

/** The source that delivers an artifact: one of the repository's objects, or a new one, which is added to `made`. */
function sourceOf(
  { objects, delivery }: ClusterInput,
  pair: Pair,
  repository: string,
  label: string,
  made: NewObject[],
  shared: NewObject[],
): { readonly kind: string; readonly name: string } {
  const kind = pair.source === 'oci' ? 'OCIRepository' : 'GitRepository';
  const wanted = normalizeUrl(pair.source === 'oci' ? repository : delivery.url);
  const found = objects.find(({ spec, ...one }) => {
    const ref = record(spec['ref']);
    const reference = pair.source === 'oci' ? ref['tag'] === pair.tag : ref['branch'] === delivery.branch;
    return one.kind === kind && reference && typeof spec['url'] === 'string' && normalizeUrl(spec['url']) === wanted;
  });
  if (found) return { kind, name: found.name };
  if (pair.source === 'oci') {
    made.push(ociSource(label, pair, repository));
    return { kind, name: label };
  }
  if (shared.length === 0) shared.push(gitSource('delivery', pair.namespace, delivery.url, delivery.branch));
  return { kind, name: 'delivery' };
}

/** The Flux Kustomization of the repository that builds a root in this cluster. */
function standingKustomization(
  { objects }: ClusterInput,
  root: string,
  cluster: string,
  environment: string,
): ManifestObject | undefined {
  const clean = (path: unknown) =>
    typeof path === 'string' ? path.replace(/^(\.?\/)+/, '').replace(/\/+$/, '') || '.' : '';
  const mine = objects.filter(
    (one) =>
      one.kind === 'Kustomization' &&
      one.apiVersion.startsWith('kustomize.toolkit.fluxcd.io/') &&
      clean(one.spec['path']) === root,
  );
  // A root without the environment's name is built in several clusters: each has its own object.
  return mine.length <= 1
    ? mine[0]
    : mine.find(({ file }) => file.split('/').some((part) => part === cluster || part === environment));
}

/** A kustomization of the folder must list new files: its text with them, or null where there is none. */
function listed(files: ReadonlyMap<string, string>, folder: string, wanted: readonly WantedFile[]): WantedFile | null {
  const path = [`${folder}/kustomization.yaml`, `${folder}/kustomization.yml`].find((one) => files.has(one));
  const text = path === undefined ? undefined : files.get(path);
  if (path === undefined || text === undefined) return null;
  const names = wanted.filter((one) => posix.dirname(one.path) === folder).map((one) => posix.basename(one.path));
  const added = names.filter((name) => !text.includes(name));
  const head = /^resources:[ \t]*\n((?:[ \t]*#.*\n|[ \t]*-.*\n?)*)/m.exec(text);
  if (added.length === 0 || head === null) return null;
  const indent = /^([ \t]*)-/m.exec(head[1] ?? '')?.[1] ?? '  ';
  const end = head.index + head[0].length;
  const before = text.slice(0, end);
  const lines = added.map((name) => `${indent}- ${name}\n`).join('');
  return { path, text: `${before}${before.endsWith('\n') ? '' : '\n'}${lines}${text.slice(end)}` };
}
