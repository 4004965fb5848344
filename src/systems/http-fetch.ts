import { isLostConnection } from './connection.ts';
import type { Http } from './http.ts';

const READS = new Set(['GET', 'HEAD']);

/**
 * HTTP by the platform's fetch; redirects are answers, not followed, so that credentials stay where they were sent.
 * A server may close a kept connection at the moment it is used again: what only reads is then sent once more, which
 * fetch leaves to its caller (https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1).
 */
export function fetchHttp(): Http {
  return {
    async request(url, { method = 'GET', headers = {}, body, timeoutMs = 30_000, signal } = {}) {
      const limit = AbortSignal.timeout(timeoutMs);
      const send = () =>
        fetch(url, {
          method,
          headers,
          redirect: 'manual',
          signal: signal ? AbortSignal.any([signal, limit]) : limit,
          ...(body === undefined ? {} : { body: typeof body === 'string' ? body : Buffer.from(body) }),
        });
      const answer = await send().catch((error: unknown) => {
        if (READS.has(method) && error instanceof Error && isLostConnection(error.cause)) return send();
        throw error;
      });
      return { status: answer.status, headers: answer.headers, body: new Uint8Array(await answer.arrayBuffer()) };
    },
  };
}
