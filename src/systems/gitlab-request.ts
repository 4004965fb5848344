import { createRequesterFn } from '@gitbeaker/requester-utils';
import type { FormattedResponse, RequesterType, ResourceOptions } from '@gitbeaker/requester-utils';
import pRetry from 'p-retry';
import type { Secret } from '../secret.ts';
import type { Clock } from './clock.ts';
import { GitLabRefusal, refusalWords } from './gitlab-refusal.ts';

/** How requests are sent and tried again. */
export interface RequestSettings {
  readonly token: Secret;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal | undefined;
  /** Tries in all, the first included. */
  readonly tries: number;
  /** Limit of one try, body included. */
  readonly tryTimeoutMs: number;
  /** Longest wait that GitLab may ask for between two tries. */
  readonly patienceMs: number;
}

interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/**
 * gitbeaker's request function with our own rules, since its own waits milliseconds where it means seconds, retries
 * every method, and leaks the token in its errors. GET and PUT are tried again on 429, 502, 503, 504 and network
 * failures; POST only where GitLab surely did nothing (429, the status lock's 409, no connection). Rejects with
 * `GitLabRefusal`, or with the signal's reason.
 */
export function createRequester(settings: RequestSettings): (options: ResourceOptions) => RequesterType {
  return createRequesterFn(
    (_, options) => Promise.resolve(options),
    (endpoint, options = {}) => {
      const prefix = String(options['prefixUrl']);
      const url = new URL(endpoint, prefix.endsWith('/') ? prefix : `${prefix}/`);
      if (/(^|\/)\.{1,2}(\/|$)/.test(endpoint)) throw new Error(`not an address of GitLab's API: ${endpoint}`);
      url.search = typeof options['searchParams'] === 'string' ? options['searchParams'] : '';
      return retrying(settings, {
        method: String(options['method']),
        url,
        headers: options['headers'] as Record<string, string>,
        body: typeof options['body'] === 'string' ? options['body'] : undefined,
      });
    },
  );
}

function retrying(settings: RequestSettings, outgoing: Outgoing): Promise<FormattedResponse> {
  const { clock, signal, tries } = settings;
  return pRetry(() => once(settings, outgoing, outgoing.url, 3), {
    retries: tries - 1,
    minTimeout: 0,
    ...(signal ? { signal } : {}),
    // The waiting is done here, by the clock that was handed in; p-retry itself waits no time.
    onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
      if (retriesLeft === 0 || !worthRetrying(settings, outgoing, error)) return;
      await clock.sleep((error as GitLabRefusal).waitMs ?? backoff(attemptNumber, clock.random()), signal);
    },
    shouldRetry: ({ error }) => worthRetrying(settings, outgoing, error),
  });
}

/** Full jitter over 0.5, 1, 2, 4 … 8 seconds, never less than a tenth of a second. */
function backoff(attempt: number, random: number): number {
  return Math.round(100 + random * Math.min(8000, 500 * 2 ** (attempt - 1)));
}

function worthRetrying(settings: RequestSettings, outgoing: Outgoing, error: unknown): boolean {
  if (!(error instanceof GitLabRefusal)) return false;
  if (error.waitMs !== null && error.waitMs > settings.patienceMs) return false;
  if (error.status === 429) return true;
  if (outgoing.method === 'POST') return error.untouched || isStatusLock(outgoing, error);
  return [0, 502, 503, 504].includes(error.status);
}

/**
 * GitLab serialises updates of one commit's statuses; who does not get the lock in time is answered 409, or 400 where
 * it was the pipeline's lock (create_commit_status_service.rb).
 */
function isStatusLock(outgoing: Outgoing, refusal: GitLabRefusal): boolean {
  if (!/\/statuses\/[0-9a-f]+$/.test(outgoing.url.pathname)) return false;
  return refusal.status === 409 || (refusal.status === 400 && /obtain.*lock|another update/i.test(refusal.words));
}

async function once(
  settings: RequestSettings,
  outgoing: Outgoing,
  url: URL,
  redirects: number,
): Promise<FormattedResponse> {
  const request = `${outgoing.method} ${url.origin}${url.pathname}`;
  const limit = AbortSignal.timeout(settings.tryTimeoutMs);
  const signal = settings.signal ? AbortSignal.any([settings.signal, limit]) : limit;
  let response: Response;
  let text: string;
  try {
    // undici forwards custom headers such as PRIVATE-TOKEN to wherever a redirect leads, hence 'manual'.
    response = await settings.fetch(url, {
      method: outgoing.method,
      headers: outgoing.headers,
      redirect: 'manual',
      signal,
      ...(outgoing.body === undefined ? {} : { body: outgoing.body }),
    });
    text = await response.text();
  } catch (error) {
    settings.signal?.throwIfAborted();
    const words = limit.aborted ? `no answer within ${settings.tryTimeoutMs / 1000} s` : networkWords(error);
    throw new GitLabRefusal({
      status: 0,
      request,
      words: refusalWords(words, settings.token),
      untouched: neverSent(error),
    });
  }
  if (response.ok)
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: parseBody(text, request) as FormattedResponse['body'],
    };
  const target = redirectTarget(response, url);
  if (target?.origin === url.origin && outgoing.method === 'GET' && redirects > 0)
    return once(settings, outgoing, target, redirects - 1);
  throw new GitLabRefusal({
    status: response.status,
    request,
    words: target
      ? `it points to ${target.origin}${target.pathname}; name that address`
      : refusalWords(text, settings.token),
    waitMs: askedWait(response, settings.clock.now()),
    untouched: response.status === 429,
  });
}

function redirectTarget(response: Response, url: URL): URL | null {
  const location = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
  return location !== null && URL.canParse(location, url) ? new URL(location, url) : null;
}

function parseBody(text: string, request: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new GitLabRefusal({ status: 0, request, words: 'the answer is no JSON; is this GitLab?', untouched: false });
  }
}

/**
 * Retry-After counts seconds (or is a date); RateLimit-Reset is an absolute second of the server's clock, so it is read
 * against the answer's own Date. Answers 429 without either header exist.
 */
function askedWait(response: Response, now: number): number | null {
  const after = response.headers.get('retry-after')?.trim();
  if (after !== undefined && /^\d+$/.test(after)) return Number(after) * 1000;
  const sent = Date.parse(response.headers.get('date') ?? '');
  const serverNow = Number.isNaN(sent) ? now : sent;
  if (after !== undefined && !Number.isNaN(Date.parse(after))) return Math.max(0, Date.parse(after) - serverNow);
  const reset = response.headers.get('ratelimit-reset');
  if (response.status !== 429 || reset === null || !/^\d+$/.test(reset)) return null;
  return Math.max(0, Number(reset) * 1000 - serverNow);
}

function networkWords(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || codeOf(cause) : 'the connection failed';
}

function neverSent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'].includes(codeOf(cause));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
