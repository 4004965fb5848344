import { service } from './registry-auth.ts';
import type { State } from './state.ts';

/** The registry as GitLab itself uses it: over HTTP, with tokens that it signs for itself. */

const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** A tag with what it points to. */
export interface RegistryTag {
  readonly name: string;
  /** `sha256:…` of the manifest. */
  readonly digest: string;
  readonly configDigest: string;
  /** Sum of the layers, bytes. */
  readonly size: number;
  /** ISO 8601, as the manifest's annotation says; null: it says nothing. */
  readonly createdAt: string | null;
}

async function ask(state: State, repository: string, method: string, path: string): Promise<Response> {
  const now = Math.floor(state.clock.now() / 1000);
  const token = state.signer.sign({
    iss: 'gitlab-issuer',
    aud: service,
    sub: '',
    jti: `${now}-${state.next('registry token')}`,
    iat: now,
    nbf: now - 5,
    exp: now + 300,
    access: [{ type: 'repository', name: repository, actions: ['pull', 'delete', '*'] }],
  });
  return fetch(`http://${state.registry?.host ?? ''}/v2/${repository}/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, accept: manifestTypes },
  });
}

/** Names of a repository's tags, sorted. */
export async function tagNames(state: State, repository: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (let path: string | null = 'tags/list?n=100'; path !== null;) {
    const answer = await ask(state, repository, 'GET', path);
    if (!answer.ok) return names;
    const body = (await answer.json()) as { readonly tags?: readonly string[] | null };
    names.push(...(body.tags ?? []));
    const next: string | undefined = /<[^>]*\/(tags\/list\?[^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1];
    path = next ?? null;
  }
  return names.toSorted();
}

/** One tag, or null where there is none. */
export async function tagOf(state: State, repository: string, name: string): Promise<RegistryTag | null> {
  const answer = await ask(state, repository, 'GET', `manifests/${name}`);
  if (!answer.ok) return null;
  const digest = answer.headers.get('docker-content-digest') ?? '';
  const manifest = (await answer.json()) as {
    readonly config?: { readonly digest?: string };
    readonly layers?: readonly { readonly size?: number }[];
    readonly annotations?: Readonly<Record<string, string>>;
  };
  return {
    name,
    digest,
    configDigest: manifest.config?.digest ?? digest,
    size: (manifest.layers ?? []).reduce((sum, layer) => sum + (layer.size ?? 0), 0),
    createdAt: manifest.annotations?.['org.opencontainers.image.created'] ?? null,
  };
}

/** Removes a tag. */
export async function removeTag(state: State, repository: string, name: string): Promise<boolean> {
  return (await ask(state, repository, 'DELETE', `manifests/${name}`)).ok;
}
