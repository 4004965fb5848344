import { refusal, type Answer, type Question } from './answer.ts';
import { created, unsupported } from './blobs.ts';
import { digestOf, type Store } from './store.ts';

interface Descriptor {
  readonly mediaType?: string;
  readonly digest?: string;
}

interface ManifestText {
  readonly mediaType?: string;
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly manifests?: readonly Descriptor[];
}

/**
 * What a registry removes: `all`: tags and manifests (GitLab's since 16.4, CNCF distribution 3 with
 * `storage.delete.enabled`) · `manifests`: by digest alone (CNCF distribution 2) · `nothing`: deletion is not enabled.
 */
export type Deletes = 'all' | 'manifests' | 'nothing';

/** Manifests and tag lists. `allowed`: the only media types that are taken; undefined takes any. */
export function manifestRoutes(store: Store, allowed: readonly string[] | undefined, deletes: Deletes = 'all') {
  async function put(question: Question, repository: string, reference: string): Promise<Answer> {
    const content = await question.body();
    const digest = digestOf(content);
    if (reference.startsWith('sha256:') && reference !== digest) {
      return refusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content', { digest });
    }
    if (!reference.startsWith('sha256:') && !/^\w[\w.-]{0,127}$/.test(reference)) {
      return refusal(400, 'TAG_INVALID', 'manifest tag did not match URI', { tag: reference });
    }
    const text = parse(content);
    if (!text) return refusal(400, 'MANIFEST_INVALID', 'manifest invalid');
    const mediaType = String(question.headers['content-type'] ?? text.mediaType ?? '').split(';')[0] ?? '';
    if (text.mediaType !== undefined && text.mediaType !== mediaType) {
      return refusal(400, 'MANIFEST_INVALID', `media type in manifest is '${text.mediaType}', not '${mediaType}'`);
    }
    const parts = [text.config, ...(text.layers ?? [])].filter((part) => part !== undefined);
    const types = [mediaType, ...parts.map((part) => part.mediaType ?? '')];
    const unknown = allowed && types.find((type) => !allowed.includes(type));
    if (unknown !== undefined) return refusal(400, 'MANIFEST_INVALID', `unknown media type: ${unknown}`);
    for (const part of parts) {
      if (!store.blob(repository, part.digest ?? '')) {
        return refusal(400, 'MANIFEST_BLOB_UNKNOWN', 'blob unknown to registry', part.digest);
      }
    }
    for (const part of text.manifests ?? []) {
      if (!store.manifest(repository, part.digest ?? '')) {
        return refusal(400, 'MANIFEST_BLOB_UNKNOWN', 'manifest unknown to registry', part.digest);
      }
    }
    store.putManifest(repository, reference, mediaType, content);
    return created(`/v2/${repository}/manifests/${digest}`, digest);
  }

  async function manifest(question: Question, repository: string, reference: string): Promise<Answer> {
    if (question.method === 'PUT') return put(question, repository, reference);
    if (question.method === 'DELETE') {
      if (deletes === 'nothing' || (deletes === 'manifests' && !reference.startsWith('sha256:'))) return unsupported();
      return store.removeManifest(repository, reference) ? { status: 202 } : unknownManifest(reference);
    }
    if (question.method !== 'GET' && question.method !== 'HEAD') return unsupported();
    const found = store.manifest(repository, reference);
    if (!found) return unknownManifest(reference);
    const headers = {
      'content-type': found.mediaType,
      'docker-content-digest': found.digest,
      etag: `"${found.digest}"`,
    };
    return { status: 200, headers, body: found.content };
  }

  function tags(question: Question, repository: string): Answer {
    if (question.method !== 'GET') return unsupported();
    if (!store.exists(repository)) return refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry');
    const last = question.url.searchParams.get('last') ?? '';
    const limit = Math.min(Number(question.url.searchParams.get('n') ?? 100), 100);
    const rest = [...store.tags(repository).keys()].filter((tag) => last === '' || tag > last);
    const page = rest.slice(0, limit);
    const next = `/v2/${repository}/tags/list?n=${limit}&last=${encodeURIComponent(page.at(-1) ?? '')}`;
    const headers = rest.length > page.length ? { link: `<${next}>; rel="next"` } : {};
    return { status: 200, headers, body: { name: repository, tags: page } };
  }

  return { manifest, tags };
}

function unknownManifest(reference: string): Answer {
  const detail = reference.startsWith('sha256:') ? `unknown manifest digest ${reference}` : `unknown tag=${reference}`;
  return refusal(404, 'MANIFEST_UNKNOWN', 'manifest unknown', detail);
}

function parse(content: Uint8Array): ManifestText | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(content).toString());
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}
