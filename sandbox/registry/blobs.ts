import { randomUUID } from 'node:crypto';
import { refusal, type Answer, type Question } from './answer.ts';
import { digestOf, type Store } from './store.ts';

/** Blobs and their uploads, whole or in chunks; a cross-repository mount is declined by starting an upload. */
export function blobRoutes(store: Store) {
  const uploads = new Map<string, { readonly repository: string; readonly parts: Uint8Array[] }>();
  const size = (parts: readonly Uint8Array[]) => parts.reduce((sum, part) => sum + part.byteLength, 0);

  function finish(repository: string, content: Uint8Array, digest: string): Answer {
    if (digestOf(content) !== digest) {
      return refusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content', { digest });
    }
    store.putBlob(repository, content);
    return created(`/v2/${repository}/blobs/${digest}`, digest);
  }

  function progress(repository: string, id: string, status: number): Answer {
    const length = size(uploads.get(id)?.parts ?? []);
    const headers = {
      location: `/v2/${repository}/blobs/uploads/${id}`,
      'docker-upload-uuid': id,
      range: `0-${Math.max(0, length - 1)}`,
    };
    return { status, headers };
  }

  async function upload(question: Question, repository: string, id: string): Promise<Answer> {
    const { method, url } = question;
    const digest = url.searchParams.get('digest');
    if (id === '') {
      if (method !== 'POST') return unsupported();
      if (digest !== null) return finish(repository, await question.body(), digest);
      const fresh = randomUUID();
      uploads.set(fresh, { repository, parts: [] });
      return progress(repository, fresh, 202);
    }
    const found = uploads.get(id);
    if (found?.repository !== repository) return refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
    if (method === 'GET') return progress(repository, id, 204);
    if (method === 'DELETE') {
      uploads.delete(id);
      return { status: 204 };
    }
    if (method !== 'PATCH' && method !== 'PUT') return unsupported();
    const start = /^(?:bytes )?(\d+)-/.exec(String(question.headers['content-range'] ?? ''))?.[1];
    if (start !== undefined && Number(start) !== size(found.parts)) return progress(repository, id, 416);
    found.parts.push(await question.body());
    if (method === 'PATCH') return progress(repository, id, 202);
    if (digest === null) return refusal(400, 'DIGEST_INVALID', 'digest missing');
    uploads.delete(id);
    return finish(repository, Buffer.concat(found.parts), digest);
  }

  function blob(question: Question, repository: string, digest: string): Answer {
    if (!store.exists(repository)) return refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry');
    const content = store.blob(repository, digest);
    if (!content) return refusal(404, 'BLOB_UNKNOWN', 'blob unknown to registry', { digest });
    if (question.method === 'DELETE') {
      store.removeBlob(repository, digest);
      return { status: 202 };
    }
    if (question.method !== 'GET' && question.method !== 'HEAD') return unsupported();
    const headers = {
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
    };
    const range = /^bytes=(\d+)-(\d*)$/.exec(String(question.headers['range'] ?? ''));
    if (!range) return { status: 200, headers, body: content };
    const [from, to] = [Number(range[1]), range[2] === '' ? content.byteLength - 1 : Number(range[2])];
    if (from >= content.byteLength || from > to) return { status: 416, headers };
    const content_range = `bytes ${from}-${Math.min(to, content.byteLength - 1)}/${content.byteLength}`;
    return { status: 206, headers: { ...headers, 'content-range': content_range }, body: content.slice(from, to + 1) };
  }

  return { upload, blob };
}

/** 405, as registries answer methods that they do not have. */
export function unsupported(): Answer {
  return refusal(405, 'UNSUPPORTED', 'The operation is unsupported.');
}

/** 201 with the headers that clients check. */
export function created(location: string, digest: string): Answer {
  return { status: 201, headers: { location, 'docker-content-digest': digest } };
}
