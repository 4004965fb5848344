import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KEEP_ALIVE_MS } from '../../sandbox/keep-alive.ts';

/** Any object as the API server keeps it. */
export interface StoredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Record<string, unknown> & { name: string; namespace?: string; resourceVersion?: string };
  readonly [field: string]: unknown;
}

/** One request that was seen. */
interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** How a request is answered instead of normally. */
interface Interference {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A Kubernetes API over real HTTP with nothing behind it: objects are what the test puts. Lists (with pages), gets,
 * watches with resource versions, merge patches of annotations, and POSTs answered by `onPost`.
 */
export async function startKubernetes(): Promise<KubernetesDouble> {
  const objects = new Map<string, StoredObject>();
  const log: { version: number; type: string; path: string; object: StoredObject }[] = [];
  const requests: SeenRequest[] = [];
  const watchers = new Set<{ prefix: string; response: ServerResponse }>();
  let version = 100;
  let interfere: (request: SeenRequest) => Interference | 'hang' | undefined = () => undefined;
  let pageSize = 500;

  function collections(object: StoredObject): string[] {
    const root = object.apiVersion.includes('/') ? `/apis/${object.apiVersion}` : `/api/${object.apiVersion}`;
    const plural = `${object.kind.toLowerCase()}${object.kind.endsWith('y') ? '' : 's'}`.replace(/y$/, 'ies');
    return [`${root}/${plural}`, `${root}/namespaces/${object.metadata.namespace}/${plural}`];
  }

  function emit(type: string, object: StoredObject): void {
    const path = collections(object)[1] as string;
    log.push({ version, type, path, object });
    for (const watcher of watchers)
      if (collections(object).includes(watcher.prefix)) watcher.response.write(`${JSON.stringify({ type, object })}\n`);
  }

  function put(object: StoredObject): void {
    version += 1;
    const key = `${collections(object)[1]}/${object.metadata.name}`;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    const known = objects.has(key);
    objects.set(key, stored);
    emit(known ? 'MODIFIED' : 'ADDED', stored);
  }

  function answer(seen: SeenRequest, response: ServerResponse, url: URL): void {
    const send = (code: number, body: unknown) => {
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const path = decodeURIComponent(url.pathname);
    if (seen.method === 'GET' && url.searchParams.get('watch') === 'true') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      const from = Number(url.searchParams.get('resourceVersion'));
      for (const entry of log)
        if (entry.version > from && collections(entry.object).includes(path))
          response.write(`${JSON.stringify({ type: entry.type, object: entry.object })}\n`);
      const watcher = { prefix: path, response };
      watchers.add(watcher);
      response.once('close', () => watchers.delete(watcher));
      return;
    }
    const single = objects.get(path);
    if (seen.method === 'PATCH') {
      if (!single) return send(404, statusObject(404, 'not found'));
      const patch = JSON.parse(seen.body) as { metadata: { annotations: Record<string, string> } };
      put({
        ...single,
        metadata: {
          ...single.metadata,
          annotations: { ...(single.metadata['annotations'] as object), ...patch.metadata.annotations },
        },
      });
      return send(200, objects.get(path));
    }
    if (seen.method !== 'GET') return send(405, statusObject(405, 'method not allowed'));
    if (single) return send(200, single);
    if (
      !/\/(ocirepositories|gitrepositories|kustomizations|helmreleases|helmcharts|receivers|deployments|statefulsets|daemonsets|replicasets|jobs|pods|events)$/.test(
        path,
      )
    )
      return send(404, statusObject(404, 'not found'));
    const all = [...objects.values()].filter((object) => collections(object).includes(path));
    const begin = Number(url.searchParams.get('continue') ?? 0);
    const items = all.slice(begin, begin + pageSize).map(({ kind: _kind, apiVersion: _version, ...rest }) => rest);
    const more = begin + pageSize < all.length ? { continue: String(begin + pageSize) } : {};
    return send(200, { kind: 'List', metadata: { resourceVersion: String(version), ...more }, items });
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request: IncomingMessage, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const seen: SeenRequest = {
        method: request.method ?? '',
        path: request.url ?? '',
        authorization: request.headers.authorization,
        body: Buffer.concat(parts).toString(),
      };
      requests.push(seen);
      const other = interfere(seen);
      if (other === 'hang') return;
      if (other) {
        response.writeHead(other.status, other.headers ?? {});
        response.end(other.body ?? '');
        return;
      }
      answer(seen, response, new URL(seen.path, 'http://localhost'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    requests,
    kubeconfig: kubeconfigFor(url),
    put,
    remove(object) {
      version += 1;
      objects.delete(`${collections(object)[1]}/${object.metadata.name}`);
      emit('DELETED', object);
    },
    interfere: (rule) => void (interfere = rule),
    pages: (size) => void (pageSize = size),
    cutWatches(line) {
      for (const { response } of watchers) {
        if (line !== undefined) response.write(`${line}\n`);
        response.end();
      }
    },
    async watching() {
      // Closed sockets are noticed by the server a moment later.
      for (let turn = 0; turn < 50 && watchers.size > 0; turn += 1)
        await new Promise((resolve) => setTimeout(resolve, 20));
      return watchers.size;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A running double. */
export interface KubernetesDouble {
  readonly url: string;
  readonly requests: SeenRequest[];
  readonly kubeconfig: string;
  put(object: StoredObject): void;
  remove(object: StoredObject): void;
  /** Answers that come before the normal ones; undefined lets a request pass. */
  interfere(rule: (request: SeenRequest) => Interference | 'hang' | undefined): void;
  pages(size: number): void;
  /** Ends all open watches, after writing a last line where one is given. */
  cutWatches(line?: string): void;
  /** How many watches are open, once those being closed are. */
  watching(): Promise<number>;
  stop(): Promise<void>;
}

/** A Kubernetes Status object. */
export function statusObject(code: number, message: string): Record<string, unknown> {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code };
}

/** A kubeconfig with the contexts `team/agents:main` (token) and `other`. */
export function kubeconfigFor(url: string): string {
  return `apiVersion: v1
kind: Config
current-context: other
clusters: [{ name: main, cluster: { server: "${url}", insecure-skip-tls-verify: true } }]
users: [{ name: job, user: { token: "ci:1:job-token-value" } }]
contexts:
  - { name: "team/agents:main", context: { cluster: main, user: job } }
  - { name: other, context: { cluster: main, user: job } }
`;
}
