import type { Http } from './http.ts';

/** HTTP by the platform's fetch; redirects are answers, not followed, so that credentials stay where they were sent. */
export function fetchHttp(): Http {
  return {
    async request(url, { method = 'GET', headers = {}, body, timeoutMs = 30_000, signal } = {}) {
      const limit = AbortSignal.timeout(timeoutMs);
      const answer = await fetch(url, {
        method,
        headers,
        redirect: 'manual',
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : Buffer.from(body) }),
      });
      return { status: answer.status, headers: answer.headers, body: new Uint8Array(await answer.arrayBuffer()) };
    },
  };
}
