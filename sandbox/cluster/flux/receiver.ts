import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ClusterObject } from '../handle.ts';
import { at, fields, list, spec, status, text } from '../store/object.ts';
import { milliseconds } from './duration.ts';
import { evaluateFilter } from './expression.ts';
import { verifyIdToken } from './id-token.ts';
import { addFinalizer, dropFinalizer, requestedAt } from './source.ts';
import { conditionOf, draftStatus } from './status.ts';
import { type Key, kindOf, type World } from './world.ts';

/** A POST that reached the receiver: the exact request URI, headers in lower case, body. */
export interface HookRequest {
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A Receiver's token ('' for generic-oidc), or why there is none. */
function readToken(world: World, receiver: ClusterObject): { readonly token: string } | { readonly why: string } {
  if (spec(receiver)['type'] === 'generic-oidc') return { token: '' };
  const name = text(at(receiver, 'spec', 'secretRef', 'name'));
  const namespace = receiver.metadata.namespace ?? '';
  const secret = world.store.find(kindOf(world.store, 'Secret'), namespace, name);
  if (!secret)
    return { why: `unable to read token from secret '${namespace}/${name}' error: secrets "${name}" not found` };
  const token = text(fields(secret['data'])['token']);
  if (token === '') return { why: `invalid '${namespace}/${name}' secret data: required fields 'token'` };
  return { token: Buffer.from(token, 'base64').toString('utf8') };
}

/** notification-controller's work on one Receiver: its status.webhookPath. */
export function reconcileReceiver(world: World) {
  return async (key: Key, signal: AbortSignal): Promise<number | null> => {
    const object = world.store.find(key.resource, key.namespace, key.name);
    if (!object) return null;
    if (object.metadata.deletionTimestamp !== undefined) {
      dropFinalizer(world, key);
      return null;
    }
    if (addFinalizer(world, key, object)) return 750;
    const draft = draftStatus(world, key, object, signal);
    const asked = object.metadata.annotations?.[requestedAt];
    if (asked !== undefined) draft.rest['lastHandledReconcileAt'] = asked;
    if (spec(object)['suspend'] === true) {
      await draft.write();
      return null;
    }
    const read = readToken(world, object);
    if ('why' in read) {
      draft.set('Ready', 'False', 'TokenNotFound', read.why);
      draft.set('Reconciling', 'True', 'ProgressingWithRetry', 'Reconciliation in progress');
      delete draft.rest['webhookPath'];
      await draft.write();
      throw new Error(read.why);
    }
    const path = `/hook/${createHash('sha256').update(`${read.token}${key.name}${key.namespace}`).digest('hex')}`;
    draft.rest['webhookPath'] = path;
    draft.rest['observedGeneration'] = object.metadata.generation;
    draft.unset('Reconciling');
    draft.set('Ready', 'True', 'Succeeded', `Receiver initialized for path: ${path}`);
    await draft.write();
    return milliseconds(spec(object)['interval'], 600_000);
  };
}

function isSigned(token: string, given: string, body: string): boolean {
  const [, algorithm = '', hex = ''] = /^(sha1|sha256|sha512)=([0-9a-f]+)$/i.exec(given) ?? [];
  if (algorithm === '') return false;
  const wanted = createHmac(algorithm, token).update(body).digest();
  const actual = Buffer.from(hex, 'hex');
  return wanted.length === actual.length && timingSafeEqual(wanted, actual);
}

/** Claims of an accepted request ({} where there are none), or null when it is refused. */
async function accept(
  world: World,
  receiver: ClusterObject,
  request: HookRequest,
): Promise<Record<string, unknown> | null> {
  const read = readToken(world, receiver);
  const token = 'token' in read ? read.token : null;
  const { headers, body } = request;
  switch (spec(receiver)['type']) {
    case 'generic':
      return {};
    case 'generic-hmac':
      return token !== null && isSigned(token, headers['x-signature'] ?? '', body) ? {} : null;
    case 'gitlab': {
      const events = list(spec(receiver)['events']).map(text);
      const isWanted =
        events.length === 0 || events.some((event) => event.toLowerCase() === headers['x-gitlab-event']?.toLowerCase());
      return headers['x-gitlab-token'] === token && isWanted ? {} : null;
    }
    case 'generic-oidc': {
      const bearer = /^Bearer (.+)$/i.exec(headers['authorization'] ?? '')?.[1] ?? '';
      return verifyIdToken(bearer, list(spec(receiver)['oidcProviders']), world.now, world.locate);
    }
    default:
      return null;
  }
}

interface Aim {
  readonly key: Key;
  readonly object: ClusterObject;
}

/** Objects that a Receiver's resources name. Null when one of them is missing, or `*` comes without labels. */
function aims(world: World, receiver: ClusterObject): readonly Aim[] | null {
  const found: Aim[] = [];
  for (const reference of list(spec(receiver)['resources'])) {
    const resource = world.store.kinds.named(text(at(reference, 'kind')));
    const namespace = text(at(reference, 'namespace')) || (receiver.metadata.namespace ?? '');
    if (!resource) return null;
    const name = text(at(reference, 'name'));
    if (name === '*' && at(reference, 'matchLabels') === undefined) return null;
    const labels = Object.entries(fields(at(reference, 'matchLabels')));
    const matching =
      name === '*'
        ? world.store
            .list(resource, namespace)
            .filter((object) => labels.every(([label, value]) => object.metadata.labels?.[label] === value))
        : [world.store.find(resource, namespace, name)];
    for (const object of matching) {
      if (!object) return null;
      found.push({ object, key: { resource, namespace, name: object.metadata.name } });
    }
  }
  return found;
}

/** Answers a POST to /hook/… with the status code of the real one; its body is always empty. */
export async function answerHook(world: World, request: HookRequest): Promise<number> {
  const receiver = world.store
    .list(kindOf(world.store, 'Receiver'))
    .find((object) => status(object)['webhookPath'] === request.uri);
  if (!receiver) return 404;
  if (spec(receiver)['suspend'] === true || conditionOf(receiver, 'Ready')?.status !== 'True') return 503;
  if (Buffer.byteLength(request.body) > 3 * 1024 * 1024) return 413;
  const claims = await accept(world, receiver, request);
  if (claims === null) return 400;
  const found = aims(world, receiver);
  if (found === null) return 500;
  const isJson = (request.headers['content-type'] ?? '').includes('json');
  try {
    const req: unknown = isJson ? JSON.parse(request.body || '{}') : {};
    const filter = text(spec(receiver)['resourceFilter']);
    const token = `${new Date(world.now()).toISOString().replace('T', ' ').replace('Z', '')} +0000 UTC m=+${performance.now().toFixed(6)}`;
    for (const { key, object } of found) {
      const res = { metadata: object.metadata };
      if (filter !== '' && evaluateFilter(filter, { req, res: { ...res, ...object }, claims }) !== true) continue;
      const annotations = { ...object.metadata.annotations, [requestedAt]: token };
      const { resourceVersion: _version, ...metadata } = object.metadata;
      world.store.update(key.resource, { ...object, metadata: { ...metadata, annotations } });
    }
    return 200;
  } catch {
    return 500;
  }
}
