import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { authorize, type Auth } from './access.ts';
import { refusal, type Answer, type Question } from './answer.ts';
import { blobRoutes, unsupported } from './blobs.ts';
import { createFaults, type Fault, type Faults } from './faults.ts';
import { manifestRoutes, type Deletes } from './manifests.ts';
import { createStore, digestOf, type Store } from './store.ts';
import { KEEP_ALIVE_MS } from '../keep-alive.ts';

/** How the registry behaves. */
export interface RegistryOptions {
  /** Default: open to all. */
  readonly auth?: Auth;
  /** The only media types that manifests may hold (`gitlabMediaTypes`); default: any. */
  readonly allowedMediaTypes?: readonly string[];
  /** Default: all. */
  readonly deletes?: Deletes;
  /** Added to every answer. */
  readonly latencyMs?: number;
  readonly port?: number;
  readonly now?: () => number;
  readonly log?: (line: string) => void;
}

/** One request as it comes in. */
export interface Arrival {
  readonly method: string;
  /** With query. */
  readonly path: string;
}

/** One request that was answered. */
export interface Requested extends Arrival {
  readonly status: number;
}

/** A running registry; everything of `Store` is its state. */
export interface RegistryServer extends Store, AsyncDisposable {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  readonly url: string;
  readonly faults: Faults;
  /** Every request, oldest first. */
  readonly requests: readonly Requested[];
  /** Resolves when such a request comes in. */
  seen(wanted: (request: Arrival) => boolean): Promise<void>;
  stop(): Promise<void>;
}

/** An OCI registry (distribution specification v1.1) in this process, on loopback over plain HTTP. */
export async function startRegistry(options: RegistryOptions = {}): Promise<RegistryServer> {
  const store = createStore(options.now ?? Date.now);
  const faults = createFaults();
  const requests: Requested[] = [];
  const waiting = new Set<(request: Arrival) => void>();
  const arrived = (request: Arrival) => waiting.forEach((tell) => tell(request));
  const blobs = blobRoutes(store);
  const manifests = manifestRoutes(store, options.allowedMediaTypes, options.deletes);

  async function route(question: Question): Promise<Answer> {
    const { method, url } = question;
    const authorization = question.headers.authorization;
    const allow = (repository: string | null, actions: readonly string[]) =>
      authorize(options.auth, typeof authorization === 'string' ? authorization : undefined, repository, actions);
    if (url.pathname === '/v2/' || url.pathname === '/v2') return (await allow(null, [])) ?? { status: 200, body: {} };
    const match = /^\/v2\/(.+?)\/(manifests|blobs\/uploads|blobs|tags)\/([^/]*)$/.exec(url.pathname);
    const [, repository = '', kind, last = ''] = match ?? [];
    if (!/^[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/.test(repository)) {
      return refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry');
    }
    const reads = method === 'GET' || method === 'HEAD';
    const actions = method === 'DELETE' ? ['delete'] : reads ? ['pull'] : ['pull', 'push'];
    const refused = await allow(repository, actions);
    if (refused) return refused;
    if (kind === 'manifests') return manifests.manifest(question, repository, decodeURIComponent(last));
    if (kind === 'tags') return last === 'list' ? manifests.tags(question, repository) : unsupported();
    return kind === 'blobs' ? blobs.blob(question, repository, last) : blobs.upload(question, repository, last);
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    const fault = faults.take(method, path);
    const wait = (options.latencyMs ?? 0) + (fault?.delayMs ?? 0);
    arrived({ method, path });
    if (wait > 0) await delay(wait);
    await fault?.until;
    const question: Question = {
      method,
      url: new URL(path, 'http://registry'),
      headers: request.headers,
      body: async () => Buffer.concat(await request.toArray()),
    };
    const answer =
      fault?.status === undefined
        ? await route(question)
        : { status: fault.status, headers: fault.headers ?? {}, body: fault.body ?? '' };
    requests.push({ method, path, status: answer.status });
    options.log?.(`${method} ${path} ${answer.status}`);
    send(request, response, answer, fault);
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      options.log?.(`${request.method} ${request.url} ${String(error)}`);
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the registry has no port');
  const host = `127.0.0.1:${address.port}`;
  const stop = async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  const seen = (wanted: (request: Arrival) => boolean) =>
    new Promise<void>((resolve) => {
      const tell = (request: Arrival) => {
        if (!wanted(request)) return;
        waiting.delete(tell);
        resolve();
      };
      waiting.add(tell);
    });
  return { ...store, seen, host, url: `http://${host}`, faults, requests, stop, [Symbol.asyncDispose]: stop };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer, fault: Fault | undefined): void {
  if (fault?.damage === 'reset') {
    response.destroy();
    return;
  }
  const { body } = answer;
  const json = body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array);
  let bytes = body instanceof Uint8Array ? body : Buffer.from(json ? JSON.stringify(body) : String(body ?? ''));
  if (fault?.damage === 'bytes') bytes = Buffer.from(digestOf(bytes));
  response.writeHead(answer.status, {
    'docker-distribution-api-version': 'registry/2.0',
    'content-length': bytes.byteLength,
    ...(json ? { 'content-type': 'application/json' } : {}),
    ...answer.headers,
  });
  if (request.method === 'HEAD') response.end();
  else if (fault?.damage === 'half') {
    response.write(bytes.subarray(0, Math.floor(bytes.byteLength / 2)), () => response.destroy());
  } else response.end(bytes);
  request.resume();
}
