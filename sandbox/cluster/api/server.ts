import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ApiRequest, FaultRule, RequestRecord } from '../handle.ts';
import { at } from '../store/object.ts';
import { fieldSelector, labelSelector } from '../store/selector.ts';
import { statusBody, StatusError } from '../store/status-error.ts';
import type { Store } from '../store/store.ts';
import { act } from './act.ts';
import { authenticate, impersonated } from './authenticate.ts';
import type { Authorizer, User } from './authorize.ts';
import { discover } from './discovery.ts';
import { review } from './review.ts';
import { readTarget, type Target, verbOf } from './target.ts';
import { streamWatch } from './watch-stream.ts';
import { KEEP_ALIVE_MS } from '../../keep-alive.ts';

/** What scripts change while the server runs. */
export interface ApiState {
  readonly tokens: Map<string, User>;
  readonly watches: Set<() => void>;
  readonly records: RequestRecord[];
  rules: { readonly rule: FaultRule; left: number }[];
  latency: number;
  refusesWatches: boolean;
  isOffline: boolean;
}

/** Forwards a call through the service proxy: namespace, `scheme:service:port`, method, path with query, headers, body. */
export type ServiceProxy = (
  namespace: string,
  service: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string,
) => Promise<{ readonly status: number; readonly body: string }>;

export interface ApiParts {
  readonly store: Store;
  readonly authorizer: Authorizer;
  readonly state: ApiState;
  readonly version: string;
  readonly now: () => number;
  readonly bookmarkEvery: number;
  readonly proxy: ServiceProxy;
}

async function readAll(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

function send(response: ServerResponse, code: number, body: unknown): void {
  const isText = typeof body === 'string';
  response.writeHead(code, { 'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json' });
  response.end(isText ? body : JSON.stringify(body));
}

function demandAccess(authorizer: Authorizer, user: User, verb: string, target: Target): void {
  if (target.type === 'other') return authorizer.demandPath(user, verb, target.path);
  if (target.group === 'authorization.k8s.io' || target.group === 'authentication.k8s.io') {
    if (user.groups.includes('system:authenticated') || user.groups.includes('system:masters')) return undefined;
  }
  const { group, plural, subresource, namespace, name } = target;
  const resource = subresource === null ? plural : `${plural}/${subresource}`;
  const own = group === '' && plural === 'namespaces' ? name : namespace;
  return authorizer.demand(user, { verb, group, resource, namespace: own, name });
}

const reasons: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function scripted(code: number): StatusError {
  const reason = reasons[code] ?? 'InternalError';
  return new StatusError(code, reason, 'an error on the server has prevented the request from succeeding');
}

/** The API over HTTP on a free loopback port. */
export function createApi(parts: ApiParts): Server {
  const { store, state, authorizer } = parts;

  function watch(target: Extract<Target, { type: 'resource' }>, query: URLSearchParams, response: ServerResponse) {
    if (state.refusesWatches)
      throw new StatusError(500, 'InternalError', 'an error on the server has prevented the request from succeeding');
    if (!target.resource) return;
    const isLabelled = labelSelector(query.get('labelSelector'));
    const isNamed = fieldSelector(query.get('fieldSelector'));
    const version = query.get('resourceVersion');
    const sendsInitial = query.get('sendInitialEvents') === 'true';
    const seconds = Number(query.get('timeoutSeconds') ?? 0);
    const cut = streamWatch(
      store,
      {
        resource: target.resource,
        namespace: target.namespace,
        matches: (object) => isLabelled(object) && isNamed(object),
        from: version === null || version === '' || version === '0' || sendsInitial ? null : Number(version),
        bookmarks: query.get('allowWatchBookmarks') === 'true',
        bookmarkEvery: parts.bookmarkEvery,
        marksInitialEnd: sendsInitial,
        lasts: seconds > 0 ? seconds * 1000 : 1_800_000,
      },
      response,
    );
    state.watches.add(cut);
    response.on('close', () => state.watches.delete(cut));
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    user: User,
    url: URL,
    target: Target,
    verb: string,
  ) {
    demandAccess(authorizer, user, verb, target);
    if (target.type === 'other')
      return send(response, 200, discover(url.pathname.replace(/\/$/, ''), store.kinds, parts.version));
    const isCoreService = target.group === '' && target.plural === 'services' && target.subresource === 'proxy';
    const body = ['GET', 'HEAD'].includes(request.method ?? 'GET') ? '' : await readAll(request);
    if (isCoreService && target.namespace !== null && target.name !== null) {
      const headers = Object.fromEntries(
        Object.entries(request.headers).flatMap(([key, value]) =>
          ['authorization', 'host', 'connection', 'content-length', 'transfer-encoding'].includes(key) ||
          value === undefined
            ? []
            : [[key, [value].flat().join(', ')]],
        ),
      );
      const given = await parts.proxy(
        target.namespace,
        target.name,
        request.method ?? 'GET',
        `${target.rest || '/'}${url.search}`,
        headers,
        body,
      );
      return send(response, given.status, given.body);
    }
    if (/^(self)?subject(access)?reviews$/.test(target.plural) && verb === 'create') {
      return send(response, 201, review(target.plural, JSON.parse(body || '{}'), user, authorizer));
    }
    if (!target.resource) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
    if (verb === 'watch') return watch(target, url.searchParams, response);
    const { resource, namespace, name, subresource } = target;
    const contentType = request.headers['content-type'] ?? 'application/json';
    const result = act(store, {
      verb,
      resource,
      namespace,
      name,
      subresource,
      query: url.searchParams,
      contentType,
      body,
    });
    return send(response, result.code, result.body);
  }

  return createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const url = new URL(request.url ?? '/', 'http://cluster');
    const target = readTarget(url.pathname, store.kinds);
    const verb = verbOf(request.method ?? 'GET', target, url.searchParams);
    const resource = target.type === 'resource' ? target.plural : target.path;
    const seen: { -readonly [key in keyof ApiRequest]: ApiRequest[key] } = {
      method: request.method ?? 'GET',
      url: request.url ?? '/',
      verb,
      resource,
      user: '',
    };
    const refuse = (error: unknown) => {
      if (response.headersSent) return response.destroy();
      const known =
        error instanceof StatusError
          ? error
          : new StatusError(500, 'InternalError', `Internal error occurred: ${String(at(error, 'message') ?? error)}`);
      if (known.code === 429) response.setHeader('retry-after', '1');
      return send(response, known.code, statusBody(known));
    };
    const handle = async () => {
      if (state.isOffline) return void request.socket.destroy();
      if (state.latency > 0) await new Promise((resolve) => setTimeout(resolve, state.latency));
      const real = authenticate(request.headers, state.tokens);
      seen.user = real.name;
      const user = impersonated(request.headers, real, authorizer);
      seen.user = user.name;
      const hit = state.rules.find(({ rule, left }) => left > 0 && rule.when(seen));
      if (hit) {
        hit.left -= 1;
        if (hit.rule.answer === 'hang') return undefined;
        if (hit.rule.answer === 'reset') return void request.socket.destroy();
        throw scripted(hit.rule.answer);
      }
      return answer(request, response, user, url, target, verb);
    };
    handle()
      .catch(refuse)
      .finally(() => {
        state.records.push({ ...seen, at: parts.now(), status: response.statusCode });
        if (state.records.length > 50_000) state.records.splice(0, 25_000);
      });
  });
}
