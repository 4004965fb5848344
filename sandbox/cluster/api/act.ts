import { parse } from 'yaml';
import type { ClusterObject } from '../handle.ts';
import type { Resource } from '../store/kinds.ts';
import { fields, isFields, text } from '../store/object.ts';
import { jsonPatch, mergePatch } from '../store/patch.ts';
import { fieldSelector, labelSelector } from '../store/selector.ts';
import { badRequest, StatusError } from '../store/status-error.ts';
import type { Store } from '../store/store.ts';

/** A request for objects, already authorised. */
export interface ObjectRequest {
  readonly verb: string;
  readonly resource: Resource;
  readonly namespace: string | null;
  readonly name: string | null;
  readonly subresource: string | null;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly body: string;
}

/** Status code and body of an answer. */
export interface Answer {
  readonly code: number;
  readonly body: Record<string, unknown> | ClusterObject;
}

function readBody(request: ObjectRequest): unknown {
  try {
    return request.contentType.includes('yaml') ? parse(request.body) : JSON.parse(request.body || '{}');
  } catch {
    throw badRequest('error decoding the body: it is neither JSON nor YAML');
  }
}

function readObject(request: ObjectRequest): ClusterObject {
  const { resource, namespace, name } = request;
  const given = fields(readBody(request));
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
  if (given['kind'] !== undefined && (given['kind'] !== resource.kind || given['apiVersion'] !== apiVersion)) {
    throw badRequest(`the object provided is unrecognized (must be of type ${resource.kind})`);
  }
  const metadata = fields(given['metadata']);
  const stated = text(metadata['namespace']);
  if (namespace !== null && stated !== '' && stated !== namespace) {
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
  }
  if (name !== null && metadata['name'] !== undefined && metadata['name'] !== name) {
    throw badRequest(`the name of the object (${text(metadata['name'])}) does not match the name on the URL (${name})`);
  }
  return {
    ...given,
    apiVersion,
    kind: resource.kind,
    metadata: { ...metadata, ...(name === null ? {} : { name }), ...(namespace === null ? {} : { namespace }) },
  } as ClusterObject;
}

function patched(store: Store, request: ObjectRequest, before: ClusterObject): ClusterObject {
  const body = readBody(request);
  const result = request.contentType.startsWith('application/json-patch+json')
    ? jsonPatch(before, body)
    : mergePatch(before, body);
  if (!isFields(result)) throw badRequest('a patch must give an object');
  const { resourceVersion: wanted } = fields(fields(body)['metadata']);
  const metadata = { ...fields(result['metadata']), resourceVersion: wanted ?? before.metadata.resourceVersion };
  return { ...result, metadata } as unknown as ClusterObject;
}

function listed(store: Store, request: ObjectRequest): Answer {
  const { resource, namespace, query } = request;
  const isLabelled = labelSelector(query.get('labelSelector'));
  const isNamed = fieldSelector(query.get('fieldSelector'));
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
  const items = store.list(resource, namespace).filter((object) => isLabelled(object) && isNamed(object));
  const limit = Number(query.get('limit') ?? 0);
  const start = Number(Buffer.from(query.get('continue') ?? '', 'base64url').toString('utf8') || 0);
  const page = limit > 0 ? items.slice(start, start + limit) : items.slice(start);
  const left = items.length - start - page.length;
  const next = { continue: Buffer.from(String(start + page.length)).toString('base64url'), remainingItemCount: left };
  const metadata = { resourceVersion: String(store.version()), ...(left > 0 ? next : {}) };
  return { code: 200, body: { kind: `${resource.kind}List`, apiVersion, metadata, items: page } };
}

/** Does what the verb says to the store. Throws `StatusError`. */
export function act(store: Store, request: ObjectRequest): Answer {
  const { verb, resource, namespace, name, query } = request;
  const isDry = query.get('dryRun') === 'All';
  const part = request.subresource === 'status' && resource.status ? 'status' : undefined;
  if (request.subresource !== null && part === undefined) {
    throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
  }
  switch (verb) {
    case 'list':
      return listed(store, request);
    case 'get':
      return { code: 200, body: store.get(resource, namespace, name ?? '') };
    case 'create':
      return { code: 201, body: store.create(resource, readObject(request), isDry) };
    case 'update':
      return { code: 200, body: store.update(resource, readObject(request), part, isDry) };
    case 'patch': {
      if (request.contentType.startsWith('application/apply-patch')) {
        const manager = query.get('fieldManager');
        if (!manager)
          throw badRequest(
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
          );
        const isNew = store.find(resource, namespace, name ?? '') === undefined;
        const object = readObject(request);
        if (part === 'status') {
          const before = store.get(resource, namespace, name ?? '');
          return {
            code: 200,
            body: store.update(resource, mergePatch(before, { status: object.status }) as ClusterObject, part, isDry),
          };
        }
        return { code: isNew ? 201 : 200, body: store.apply(resource, object, manager, isDry) };
      }
      if (!/^application\/((strategic-)?merge-patch|json-patch)\+json/.test(request.contentType)) {
        throw new StatusError(
          415,
          'UnsupportedMediaType',
          'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
        );
      }
      const before = store.get(resource, namespace, name ?? '');
      return { code: 200, body: store.update(resource, patched(store, request, before), part, isDry) };
    }
    case 'delete':
      return {
        code: 200,
        body: isDry ? store.get(resource, namespace, name ?? '') : store.remove(resource, namespace, name ?? ''),
      };
    case 'deletecollection': {
      const answer = listed(store, request);
      const items = fields(answer.body)['items'] as readonly ClusterObject[];
      for (const object of items) store.remove(resource, object.metadata.namespace ?? null, object.metadata.name);
      return answer;
    }
    default:
      throw new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
  }
}
