import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps, type RequestOptions } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { Fault } from '../fault.ts';
import { isLostConnection } from './connection.ts';

/** One answer of the API server; every status but the agent proxy's own refusals, 401 and unavailability. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

/** Requests to one API server. All reject with Fault `cluster_unavailable` or `token_refused`, or with the signal's reason. */
export interface KubernetesApi {
  read(path: string, signal?: AbortSignal): Promise<ApiAnswer>;
  patch(path: string, body: string, signal?: AbortSignal): Promise<ApiAnswer>;
  post(path: string, headers: Readonly<Record<string, string>>, body: string, signal?: AbortSignal): Promise<ApiAnswer>;
  /** Opens a stream; `reason` where the server did not answer 200 (410 and the like), which only a new list can heal. */
  open(path: string, signal: AbortSignal): Promise<{ readonly body: IncomingMessage } | { readonly reason: string }>;
  /** The body of a 2xx answer as JSON; Fault `cluster_unavailable` for any other. */
  json(answer: ApiAnswer): unknown;
}

/** Answers worth another try at once: too early, HTTP 426 of some agent proxies, rate limit, and gateways without a backend. */
const PASSING = new Set([425, 426, 429, 500, 502, 503, 504]);
const PAUSES_MS = [200, 800] as const;

/** What the agent's proxy itself says begins so (gitlab-agent, internal/module/kubernetes_api/server/proxy.go). */
const AGENT = 'GitLab Agent Server: ';

/** Requests by node:https with what the kubeconfig's current context says; one keep-alive pool. */
export function connectApi(
  name: string,
  config: KubeConfig,
  options: { readonly timeoutMs: number; readonly proxyFor?: ((server: string) => string | undefined) | undefined },
): KubernetesApi {
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Fault('context_missing', `cluster "${name}": its kubeconfig context names no known cluster`);
  const server = cluster.server.replace(/\/+$/, '');
  const plain = server.startsWith('http:');
  const proxyUrl = cluster.proxyUrl ?? options.proxyFor?.(server);
  // The SDK refuses plain http without this flag, which has no other meaning there.
  const settled = { ...cluster, ...(plain ? { skipTLSVerify: true } : {}), ...(proxyUrl ? { proxyUrl } : {}) };
  config.clusters = config.clusters.map((one) => (one.name === cluster.name ? settled : one));
  let pool: RequestOptions['agent'];

  async function send(
    method: string,
    path: string,
    extra: {
      headers?: Readonly<Record<string, string>>;
      body?: string;
      signal?: AbortSignal | undefined;
      stream?: boolean;
    },
  ): Promise<IncomingMessage> {
    extra.signal?.throwIfAborted();
    const auth: RequestOptions = {};
    await config.applyToHTTPSOptions(auth);
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = auth;
    pool ??= proxyUrl
      ? auth.agent
      : plain
        ? new HttpAgent({ keepAlive: true })
        : new HttpsAgent({
            keepAlive: true,
            ...defined({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }),
          });
    const headers: Record<string, string> = {
      accept: 'application/json',
      ...(auth.headers as Record<string, string> | undefined),
      ...extra.headers,
    };
    if (extra.body !== undefined) headers['content-length'] = String(Buffer.byteLength(extra.body));
    return new Promise((resolve, reject) => {
      const outgoing = (plain ? requestHttp : requestHttps)(
        `${server}${path}`,
        {
          ...defined({ auth: auth.auth }),
          method,
          headers,
          agent: pool,
          ...(extra.signal ? { signal: extra.signal } : {}),
        },
        resolve,
      );
      const limit = setTimeout(
        () => outgoing.destroy(new Error(`no answer within ${options.timeoutMs} ms`)),
        options.timeoutMs,
      );
      let answered = false;
      outgoing.once('response', (answer) => {
        answered = true;
        if (extra.stream) clearTimeout(limit);
        else answer.once('close', () => clearTimeout(limit));
      });
      outgoing.once('error', (error) => {
        clearTimeout(limit);
        // The server closed the kept connection while it was not used (nodejs.org/api/http.html#requestreusedsocket).
        if (outgoing.reusedSocket && !answered && isLostConnection(error)) resolve(send(method, path, extra));
        else reject(error);
      });
      outgoing.end(extra.body);
    });
  }

  function unavailable(what: string): Fault {
    return new Fault('cluster_unavailable', `cluster "${name}" (${server}): ${what}`);
  }

  async function attempt(method: string, path: string, extra: Parameters<typeof send>[2]): Promise<ApiAnswer> {
    const answer = await send(method, path, extra);
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    return { status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString() };
  }

  async function ask(method: string, path: string, extra: Parameters<typeof send>[2]): Promise<ApiAnswer> {
    for (let tries = 0; ; tries += 1) {
      const pause = method === 'POST' ? undefined : PAUSES_MS[tries];
      try {
        const answer = await attempt(method, path, extra);
        if (pause === undefined || !PASSING.has(answer.status)) return judge(answer);
      } catch (error) {
        extra.signal?.throwIfAborted();
        if (error instanceof Fault) throw error;
        if (pause === undefined) throw unavailable(textOf(error));
      }
      await delay(pause * (0.5 + Math.random()), undefined, extra.signal ? { signal: extra.signal } : {});
    }
  }

  function judge(answer: ApiAnswer): ApiAnswer {
    const said = statusMessage(answer.body);
    if (said.startsWith(AGENT)) {
      if (answer.status >= 500) throw unavailable(said);
      throw new Fault('token_refused', `cluster "${name}": ${said}`, {
        hint: 'The job’s token must be allowed by the agent’s ci_access, also for this environment and branch, and dies with the job.',
      });
    }
    if (answer.status === 401) {
      throw new Fault('token_refused', `cluster "${name}" (${server}) refused the credential: ${said || 'HTTP 401'}`);
    }
    return answer;
  }

  return {
    read: (path, signal) => ask('GET', path, { signal }),
    patch: (path, body, signal) =>
      ask('PATCH', path, { signal, body, headers: { 'content-type': 'application/merge-patch+json' } }),
    post: (path, headers, body, signal) => ask('POST', path, { signal, body, headers }),
    async open(path, signal) {
      let answer: IncomingMessage;
      try {
        answer = await send('GET', path, { signal, stream: true });
      } catch (error) {
        signal.throwIfAborted();
        throw unavailable(textOf(error));
      }
      if (answer.statusCode === 200) return { body: answer };
      const parts: Buffer[] = [];
      for await (const part of answer) parts.push(part as Buffer);
      const refused = judge({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString() });
      return { reason: `HTTP ${refused.status} ${statusMessage(refused.body)}`.trim() };
    },
    json(answer) {
      if (answer.status >= 200 && answer.status < 300) {
        try {
          return JSON.parse(answer.body);
        } catch {
          throw unavailable(`HTTP ${answer.status} with a body that is not JSON`);
        }
      }
      throw unavailable(`HTTP ${answer.status} ${statusMessage(answer.body) || answer.body.slice(0, 200)}`.trim());
    },
  };
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

/** `message` of a Kubernetes Status object, or ''. */
function statusMessage(body: string): string {
  try {
    const status: unknown = JSON.parse(body);
    if (typeof status === 'object' && status !== null && 'message' in status && typeof status.message === 'string')
      return status.message;
  } catch {
    // Not JSON: a gateway's page.
  }
  return '';
}

/** Network errors of node:http: the code says more than an empty message (AggregateError of happy eyeballs). */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return error.message || code || error.name;
}
