import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '../../src/systems/cluster.ts';

/** A refusal of the API server. */
class ApiRefusal extends Error {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** A small Kubernetes client for tests: JSON verbs, server-side apply and watches, with one token. */
export interface Kube {
  /** Any request; every HTTP status is an answer. */
  raw(
    method: string,
    path: string,
    body?: string,
    type?: string,
  ): Promise<{ readonly status: number; readonly text: string }>;
  /** Rejects with `ApiRefusal`, like the methods below. */
  get<T = KubernetesObject>(path: string): Promise<T>;
  merge(path: string, patch: unknown): Promise<void>;
  remove(path: string): Promise<void>;
  /** Server-side apply of an object, or of all documents of a YAML text, in order. */
  apply(objects: string | object): Promise<void>;
  /** API path of an object: "/apis/<group>/<version>/namespaces/<namespace>/<plural>/<name>". */
  path(apiVersion: string, kind: string, namespace: string | undefined, name: string): Promise<string>;
  /** Calls back for every event of a list path (with or without query) until the returned function is called. */
  watch(path: string, on: (type: string, object: unknown) => void): () => void;
  close(): void;
}

/** Connects to `url` with a bearer token; `ca` is PEM text, unused for plain HTTP. */
export function connectKube(options: { readonly url: string; readonly token: string; readonly ca: string }): Kube {
  const { url, token, ca } = options;
  const isPlain = url.startsWith('http:');
  const request = isPlain ? httpRequest : httpsRequest;
  const agent = isPlain ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true, ca });
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
  const plurals = new Map<string, { readonly plural: string; readonly namespaced: boolean }>();

  function raw(method: string, target: string, body?: string, type = 'application/json') {
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const send = {
        method,
        agent,
        timeout: 20_000,
        headers: body === undefined ? headers : { ...headers, 'content-type': type },
      };
      const outgoing = request(url + target, send, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${target}: no answer in 20 s`)));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  async function call<T>(method: string, target: string, body?: string, type?: string): Promise<T> {
    const { status, text } = await raw(method, target, body, type);
    if (status >= 300) throw new ApiRefusal(`${method} ${target}: ${status} ${text.slice(0, 600)}`, status);
    return (text.startsWith('{') ? JSON.parse(text) : text) as T;
  }

  async function path(apiVersion: string, kind: string, namespace: string | undefined, name: string): Promise<string> {
    const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const key = `${apiVersion} ${kind}`;
    if (!plurals.has(key)) {
      const list = await call<{ resources: { name: string; kind: string; namespaced: boolean }[] }>('GET', base);
      for (const resource of list.resources) {
        if (!resource.name.includes('/'))
          plurals.set(`${apiVersion} ${resource.kind}`, { plural: resource.name, namespaced: resource.namespaced });
      }
    }
    const found = plurals.get(key);
    if (!found) throw new ApiRefusal(`${key} is not served`, 404);
    return `${base}${found.namespaced ? `/namespaces/${namespace ?? 'default'}` : ''}/${found.plural}/${name}`;
  }

  async function apply(objects: string | object): Promise<void> {
    const all =
      typeof objects === 'string'
        ? parseAllDocuments(objects).map((document) => document.toJS() as KubernetesObject | null)
        : [objects as KubernetesObject];
    for (const object of all) {
      if (!object) continue;
      const { name, namespace } = object.metadata;
      const target = await path(object.apiVersion ?? '', object.kind ?? '', namespace, name);
      await call(
        'PATCH',
        `${target}?fieldManager=lab&force=true`,
        JSON.stringify(object),
        'application/apply-patch+yaml',
      );
    }
  }

  function watch(list: string, on: (type: string, object: unknown) => void): () => void {
    let stopped = false;
    let current: ReturnType<typeof request> | undefined;
    const again = () => {
      if (!stopped) setTimeout(open, 100);
    };
    const open = () => {
      if (stopped) return;
      current = request(`${url}${list}${list.includes('?') ? '&' : '?'}watch=1`, { ca, headers }, (answer) => {
        let rest = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          const lines = (rest + part).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) {
            if (!line || stopped) continue;
            const event = JSON.parse(line) as { type: string; object: unknown };
            on(event.type, event.object);
          }
        });
        answer.on('error', () => {});
        answer.on('close', again);
      });
      current.on('error', again);
      current.end();
    };
    open();
    return () => {
      stopped = true;
      current?.destroy();
    };
  }

  return {
    raw,
    get: (target) => call('GET', target),
    merge: async (target, patch) => {
      await call('PATCH', target, JSON.stringify(patch), 'application/merge-patch+json');
    },
    remove: async (target) => {
      await call('DELETE', target);
    },
    apply,
    path,
    watch,
    close: () => agent.destroy(),
  };
}
