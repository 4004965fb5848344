import { Fault } from '../fault.ts';
import type { Clock } from './clock.ts';
import type { Http, HttpAnswer } from './http.ts';
import { isLoopback, type RegistryCredential } from './registry-credentials.ts';

/** What a request needs. `repository` is `host[:port]/path`. */
export interface RegistryAsk {
  readonly repository: string;
  /** Below `/v2/<path>/`, or a whole path from `/v2/` (a next page). */
  readonly path: string;
  readonly method?: 'GET' | 'HEAD' | 'DELETE';
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
  /** Throws where the answer is damaged; it is then asked for again. */
  readonly check?: (answer: HttpAnswer) => void;
  /** Answers that the caller judges itself, beside 200 and 404. */
  readonly judges?: (answer: HttpAnswer) => boolean;
}

/** Sends one request, with retries and the token flow; answers 200, 404 and what the caller judges. */
export type RegistryRequest = (ask: RegistryAsk) => Promise<HttpAnswer>;

const TRIES = 5;
const LONGEST_WAIT_MS = 30_000;

/**
 * Requests to registries: HTTPS (plain HTTP on loopback), bearer tokens by scope as the registry's challenge says, basic
 * auth where it asks for that, redirects of blobs followed without credentials. Retries network failures, damaged
 * answers, 408, 429 (Retry-After) and 5xx. Faults `token_refused`, `registry_unavailable`.
 */
export function registryRequest(options: {
  readonly http: Http;
  readonly clock: Clock;
  readonly credentials: readonly RegistryCredential[];
}): RegistryRequest {
  const { http, clock } = options;
  const authorizations = new Map<string, string>();
  const challenges = new Map<string, string>();

  async function send(ask: RegistryAsk, url: string, headers: Record<string, string>): Promise<HttpAnswer> {
    const { method = 'GET', signal } = ask;
    let answer = await http.request(url, { method, headers, signal });
    let origin = url;
    for (let hops = 0; [301, 302, 303, 307, 308].includes(answer.status) && hops < 5; hops++) {
      const target = new URL(answer.headers.get('location') ?? '', origin);
      const { authorization: _, ...bare } = headers;
      const same = target.origin === new URL(origin).origin;
      if (target.protocol !== 'https:' && !isLoopback(target.host)) throw new Error('redirected to plain HTTP');
      origin = target.href;
      answer = await http.request(origin, { method, headers: same ? headers : bare, signal });
    }
    return answer;
  }

  async function attempt(ask: RegistryAsk): Promise<HttpAnswer> {
    const { host, path } = split(ask.repository);
    const base = `${isLoopback(host) ? 'http' : 'https'}://${host}`;
    const url = ask.path.startsWith('/v2/') ? base + ask.path : `${base}/v2/${path}/${ask.path}`;
    const key = `${host}/${path}`;
    const headers = (): Record<string, string> => {
      const authorization = authorizations.get(key);
      return { ...(ask.accept ? { accept: ask.accept } : {}), ...(authorization ? { authorization } : {}) };
    };
    const credential = options.credentials.find((entry) => entry.host === host);
    const answerTo = async (challenge: string) => {
      const authorization = await authorize(http, { host, path, challenge, credential, signal: ask.signal });
      if (authorization !== null) authorizations.set(key, authorization);
      return authorization !== null;
    };
    // A host that has once asked for a token will ask again: its next repositories cost one request less.
    const known = challenges.get(host);
    if (known !== undefined && !authorizations.has(key)) await answerTo(known);
    const first = await send(ask, url, headers());
    if (first.status !== 401) return first;
    const challenge = first.headers.get('www-authenticate') ?? '';
    challenges.set(host, challenge.replace(/,?scope="[^"]*"/, ''));
    return (await answerTo(challenge)) ? send(ask, url, headers()) : first;
  }

  return async (ask) => {
    for (let tries = 1; ; tries++) {
      let problem: string;
      let wait = 200 * 2 ** tries * (0.5 + clock.random() / 2);
      try {
        const answer = await attempt(ask);
        if (ask.judges?.(answer)) return answer;
        if (answer.status === 401 || answer.status === 403) throw refused(ask.repository, answer);
        if (answer.status === 200 || answer.status === 404) {
          ask.check?.(answer);
          return answer;
        }
        problem = `answered ${answer.status}${registryWords(answer)}`;
        const after = Number(answer.headers.get('retry-after') ?? Number.NaN);
        if (Number.isFinite(after)) wait = Math.min(after * 1000, LONGEST_WAIT_MS);
        if (![408, 429].includes(answer.status) && answer.status < 500) tries = TRIES;
      } catch (error) {
        if (error instanceof Fault) throw error;
        ask.signal?.throwIfAborted();
        problem = error instanceof Error ? describe(error) : String(error);
        if (/CERT|SIGNATURE|ALTNAME/.test(problem)) {
          throw new Fault(
            'registry_unavailable',
            `${ask.repository}: the registry’s certificate is not trusted: ${problem}`,
            {
              hint: 'Name the CA that signed it in SSL_CERT_FILE (a file variable), and check the registry’s name.',
            },
          );
        }
      }
      if (tries >= TRIES) throw new Fault('registry_unavailable', `${ask.repository}: the registry ${problem}`);
      await clock.sleep(wait, ask.signal);
    }
  };
}

/** The Authorization header that a challenge asks for, or null where there is no way. */
async function authorize(
  http: Http,
  asked: {
    readonly host: string;
    readonly path: string;
    readonly challenge: string;
    readonly credential: RegistryCredential | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<string | null> {
  const { credential, challenge } = asked;
  const basic =
    credential && `Basic ${Buffer.from(`${credential.user}:${credential.password.reveal()}`).toString('base64')}`;
  if (/^basic/i.test(challenge)) return basic ?? null;
  const field = (name: string) => new RegExp(`${name}="([^"]*)"`, 'i').exec(challenge)?.[1];
  const realm = field('realm');
  if (!/^bearer/i.test(challenge) || realm === undefined || !URL.canParse(realm)) return null;
  const url = new URL(realm);
  if (url.protocol !== 'https:' && !isLoopback(url.host) && !isLoopback(asked.host)) {
    throw new Fault('token_refused', `${asked.host}: its token service ${url.origin} is plain HTTP`, {
      hint: 'Credentials are sent by HTTPS only: correct the registry’s token realm.',
    });
  }
  const service = field('service');
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', field('scope') ?? `repository:${asked.path}:pull`);
  const answer = await http.request(url.href, {
    headers: basic ? { authorization: basic } : {},
    signal: asked.signal,
  });
  if (answer.status === 401 || answer.status === 403) {
    throw refused(`${asked.host}/${asked.path}`, answer, credential === undefined);
  }
  if (answer.status !== 200) throw new Error(`has a token service that answered ${answer.status}`);
  const { token, access_token } = JSON.parse(text(answer)) as { token?: string; access_token?: string };
  return `Bearer ${token ?? access_token ?? ''}`;
}

function refused(repository: string, answer: HttpAnswer, anonymous = false): Fault {
  const message = `${repository}: the registry answered ${answer.status}${registryWords(answer)}`;
  return new Fault('token_refused', anonymous ? `${message}; no credential is set for it` : message, {
    hint: 'Set CI_REGISTRY_USER/CI_REGISTRY_PASSWORD or SLUICE_REGISTRY_USER/SLUICE_REGISTRY_PASSWORD, and check expiry and scopes (read_registry, write_registry).',
  });
}

/** The registry's own words, shortened. */
export function registryWords(answer: HttpAnswer): string {
  try {
    const { errors } = JSON.parse(text(answer)) as { errors?: { code?: string; message?: string }[] };
    const [first] = errors ?? [];
    return first ? `: ${first.code ?? ''} ${first.message ?? ''}`.trimEnd().slice(0, 300) : '';
  } catch {
    return '';
  }
}

function describe(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  return error.message.startsWith('fetch failed') || code !== ''
    ? `cannot be reached: ${code || cause.message}`
    : error.message;
}

/** `host[:port]/path` in two. */
export function split(repository: string): { readonly host: string; readonly path: string } {
  const slash = repository.indexOf('/');
  return { host: repository.slice(0, slash), path: repository.slice(slash + 1) };
}

function text(answer: HttpAnswer): string {
  return Buffer.from(answer.body).toString();
}
