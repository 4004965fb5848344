import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterObject } from '../handle.ts';
import { at, fields, list, spec, text } from '../store/object.ts';
import { measure, type StoredArtifact } from './artifacts.ts';
import { filterFolder } from './ignore.ts';
import { openRepository, PullError, type Repository } from './registry.ts';
import { newestMatching } from './semver.ts';
import { type Resolve, SourceFailure } from './source.ts';
import { unpack, UnpackError } from './unpack.ts';
import { kindOf, type World } from './world.ts';

/** `user:password` for a registry host from the pull Secret, or null. Throws `SourceFailure` AuthenticationFailed. */
function credentials(world: World, object: ClusterObject, host: string): string | null {
  const name = text(at(object, 'spec', 'secretRef', 'name'));
  if (name === '') return null;
  const namespace = object.metadata.namespace ?? '';
  const secret = world.store.find(kindOf(world.store, 'Secret'), namespace, name);
  const failed = (why: string) =>
    new SourceFailure(
      'AuthenticationFailed',
      `failed to get credential: failed to get secret '${namespace}/${name}': ${why}`,
    );
  if (!secret) throw failed(`secrets "${name}" not found`);
  const encoded = text(fields(secret['data'])['.dockerconfigjson']);
  if (encoded === '') throw failed('invalid docker config: key .dockerconfigjson is missing');
  let auths: Record<string, unknown>;
  try {
    auths = fields(fields(JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')))['auths']);
  } catch {
    throw failed('invalid docker config: it is no JSON');
  }
  const entry = Object.entries(auths).find(
    ([key]) => key.replace(/^https?:\/\//, '').replace(/\/.*$/, '') === host,
  )?.[1];
  if (!entry) return null;
  const { auth, username, password } = fields(entry);
  return text(auth) === '' ? `${text(username)}:${text(password)}` : Buffer.from(text(auth), 'base64').toString('utf8');
}

/** Opens the repository of an oci:// URL with the credentials of `spec.secretRef`. */
export function openOci(world: World, object: ClusterObject, url: string, signal: AbortSignal): Repository {
  const [, host = '', name = ''] = /^oci:\/\/([^/]+)\/(.+?)\/?$/.exec(url) ?? [];
  if (host === '' || name === '') {
    throw new SourceFailure(
      'URLInvalid',
      `invalid URL '${url}': it needs a host and a repository`,
      'FetchFailed',
      true,
    );
  }
  const isPlain =
    spec(object)['insecure'] === true || /^(localhost|127\.0\.0\.1|\[::1\])(:|$)|\.localhost(:|$)/.test(host);
  const shown = `${isPlain ? 'http' : 'https'}://${host}`;
  return openRepository({
    base: world.locate(shown),
    shown,
    name,
    basic: credentials(world, object, host),
    isInsecure: isPlain,
    locate: world.locate,
    signal,
  });
}

async function pickReference(
  repository: Repository,
  object: ClusterObject,
): Promise<{ tag: string | null; reference: string }> {
  const { digest, semver, semverFilter, tag } = fields(at(object, 'spec', 'ref'));
  if (text(digest) !== '') return { tag: null, reference: text(digest) };
  if (text(semver) !== '') {
    const filter = text(semverFilter) === '' ? /./ : new RegExp(text(semverFilter));
    const found = newestMatching(
      (await repository.tags()).filter((one) => filter.test(one)),
      text(semver),
    );
    if (found === null) throw new PullError(`no match found for semver: ${text(semver)}`);
    return { tag: found, reference: found };
  }
  return { tag: text(tag) || 'latest', reference: text(tag) || 'latest' };
}

function pickLayer(object: ClusterObject, manifest: Record<string, unknown>): string {
  const wanted = text(at(object, 'spec', 'layerSelector', 'mediaType'));
  const layers = list(manifest['layers']);
  const failed = (why: string) => new SourceFailure('OCIArtifactLayerOperationFailed', why);
  if (layers.length === 0) throw failed('no layers found in artifact');
  const layer = wanted === '' ? layers[0] : layers.find((one) => at(one, 'mediaType') === wanted);
  if (!layer) throw failed(`failed to find layer with media type '${wanted}' in artifact`);
  return text(at(layer, 'digest'));
}

async function fetchLayer(
  world: World,
  object: ClusterObject,
  repository: Repository,
  manifest: Record<string, unknown>,
): Promise<StoredArtifact> {
  const digest = pickLayer(object, manifest);
  const layer = await repository.blob(digest);
  const folder = await world.makeFolder('artifact');
  if (at(object, 'spec', 'layerSelector', 'operation') === 'copy') {
    const file = `${createHash('sha256').update(digest).digest('hex')}.tgz`;
    await writeFile(join(folder, file), layer);
    return { folder, file, digest: `sha256:${createHash('sha256').update(layer).digest('hex')}`, size: layer.length };
  }
  await unpack(layer, folder);
  const specIgnore = text(spec(object)['ignore']);
  await filterFolder(folder, specIgnore === '' ? null : specIgnore);
  return { folder, file: null, ...(await measure(folder)) };
}

/** Resolves an OCIRepository: digest > semver > tag > latest, then everything by digest. */
export const resolveOci: Resolve = async (world, object, signal) => {
  const url = text(spec(object)['url']);
  const failed = (reason: string, before: string) => (error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof PullError) throw new SourceFailure(reason, `${before}${error.message}`);
    throw error;
  };
  const repository = openOci(world, object, url, signal);
  const { tag, reference } = await pickReference(repository, object).catch(
    failed('ReadOperationFailed', `failed to determine the artifact tag for '${url}': `),
  );
  const { digest, manifest } = await repository
    .manifest(reference)
    .catch(failed('OCIArtifactPullFailed', 'failed to determine artifact digest: '));
  if (list(manifest['manifests']).length > 0) {
    throw new SourceFailure(
      'OCIArtifactPullFailed',
      `failed to pull artifact from '${url}': no child with platform linux/amd64 in index ${url.slice(6)}@${digest}`,
    );
  }
  const annotations = Object.entries(fields(manifest['annotations'])).map(([key, value]) => [key, text(value)]);
  const revision = tag === null ? digest : `${tag}@${digest}`;
  return {
    revision,
    news: `new revision '${revision}' for '${tag === null ? `${url.slice(6)}@${digest}` : `${url.slice(6)}:${tag}`}'`,
    stored: `stored artifact for digest '${revision}'`,
    metadata: Object.fromEntries(annotations) as Record<string, string>,
    observed: { observedIgnore: spec(object)['ignore'], observedLayerSelector: spec(object)['layerSelector'] },
    fetch: () =>
      fetchLayer(world, object, repository, manifest).catch((error: unknown) => {
        if (error instanceof UnpackError) {
          throw new SourceFailure(
            'OCIArtifactLayerOperationFailed',
            `failed to extract layer contents from artifact: ${error.message}`,
          );
        }
        return failed('OCIArtifactPullFailed', `failed to pull artifact from '${url}': `)(error);
      }),
  };
};
