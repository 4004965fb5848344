/** An OCI registry: manifests are read in process, artifacts are pushed by the ORAS CLI. */

/** A manifest as it stands in the registry. */
export interface RegistryManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly config: { readonly mediaType: string; readonly digest: string; readonly size: number } | null;
  readonly layers: readonly { readonly mediaType: string; readonly digest: string; readonly size: number }[];
}

/**
 * What came of a removal. `unsupported`: the registry removes nothing this way (tags: CNCF distribution 2; at all: where
 * `storage.delete.enabled` is not set) · `protected`: a rule of the project for protected or immutable tags forbids it.
 */
export type Removal = 'removed' | 'missing' | 'unsupported' | 'protected';

/**
 * Repositories are written `host[:port]/path`. Reads answer null for "not found". Rejects with `Fault`
 * `token_refused` (401, 403), `registry_unavailable` (network, 429, 5xx after retries), `registry_refused` (media type,
 * quota, tag rules), `tool_missing` (oras).
 */
export interface Registry {
  manifest(repository: string, reference: string, signal?: AbortSignal): Promise<RegistryManifest | null>;
  /** Digest that a tag resolves to (HEAD; works for images and indexes of any kind), or null. */
  resolve(repository: string, reference: string, signal?: AbortSignal): Promise<string | null>;
  blob(repository: string, digest: string, signal?: AbortSignal): Promise<Uint8Array | null>;
  tags(repository: string, signal?: AbortSignal): Promise<readonly string[]>;
  /** Pushes one image of an OCI image layout (`layout` folder, its ref name) under the tags, in order, the moving tag last. */
  push(
    layout: string,
    refName: string,
    repository: string,
    tags: readonly string[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** Moves a tag to a manifest that is in the repository. */
  tag(repository: string, digest: string, tag: string, signal?: AbortSignal): Promise<void>;
  /** Removes a tag alone, or (by digest) a manifest with all its tags. */
  remove(repository: string, reference: string, signal?: AbortSignal): Promise<Removal>;
}
