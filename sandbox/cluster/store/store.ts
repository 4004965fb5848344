import { randomUUID } from 'node:crypto';
import type { ClusterObject } from '../handle.ts';
import { firstStatus, withDefaults } from './defaults.ts';
import { createKinds, type Kinds, type Resource } from './kinds.ts';
import { type Fields, fields, same } from './object.ts';
import { serverSideApply } from './patch.ts';
import { alreadyExists, badRequest, conflict, expired, notFound } from './status-error.ts';
import { validate } from './validate.ts';

/** One change. `before` is the object it replaced. */
export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: Resource;
  readonly object: ClusterObject;
  readonly before: ClusterObject | undefined;
  readonly version: number;
}

/** Objects of all kinds, versioned like etcd's. All calls act at once; objects given out are never changed afterwards. */
export interface Store {
  readonly kinds: Kinds;
  /** Newest resource version. */
  version(): number;
  list(resource: Resource, namespace?: string | null): readonly ClusterObject[];
  find(resource: Resource, namespace: string | null, name: string): ClusterObject | undefined;
  /** Throws `StatusError` 404. */
  get(resource: Resource, namespace: string | null, name: string): ClusterObject;
  create(resource: Resource, object: ClusterObject, dryRun?: boolean): ClusterObject;
  /** Replaces an object, or its status alone. A no-op makes no new version. */
  update(resource: Resource, object: ClusterObject, part?: 'status', dryRun?: boolean): ClusterObject;
  /** Server-side apply, forced, by a field manager. */
  apply(resource: Resource, object: ClusterObject, manager: string, dryRun?: boolean): ClusterObject;
  /** Deletes, or marks as deleted while there are finalizers. A namespace takes its objects with it. */
  remove(resource: Resource, namespace: string | null, name: string): ClusterObject;
  subscribe(on: (change: Change) => void): () => void;
  /** Changes after a version. Throws `StatusError` 410 when they are no longer kept. */
  since(version: number): readonly Change[];
  compact(): void;
}

const keptChanges = 10_000;
const bucketOf = (resource: Resource) => `${resource.group}/${resource.plural}`;
const keyOf = (namespace: string | null | undefined, name: string) => `${namespace ?? ''}/${name}`;

/** Everything of an object but metadata and status: what `generation` counts. */
function wish(object: ClusterObject): Fields {
  const { metadata: _metadata, status: _status, ...rest } = object;
  return rest;
}

/** `now` gives milliseconds since the epoch, for timestamps. */
export function createStore(now: () => number): Store {
  const kinds = createKinds();
  const buckets = new Map<string, Map<string, ClusterObject>>();
  const applied = new Map<string, ClusterObject>();
  const listeners = new Set<(change: Change) => void>();
  let changes: Change[] = [];
  let version = 1;
  let oldest = 0;

  const bucket = (resource: Resource) => {
    const key = bucketOf(resource);
    const found = buckets.get(key) ?? new Map<string, ClusterObject>();
    buckets.set(key, found);
    return found;
  };
  const find = (resource: Resource, namespace: string | null, name: string) =>
    bucket(resource).get(keyOf(resource.namespaced ? namespace : null, name));
  const get = (resource: Resource, namespace: string | null, name: string) => {
    const found = find(resource, namespace, name);
    if (!found) throw notFound(resource, name);
    return found;
  };

  function record(type: Change['type'], resource: Resource, object: ClusterObject, before?: ClusterObject) {
    version += 1;
    const stamped = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    const key = keyOf(stamped.metadata.namespace, stamped.metadata.name);
    if (type === 'DELETED') {
      bucket(resource).delete(key);
      for (const name of applied.keys()) if (name.startsWith(`${bucketOf(resource)}|${key}|`)) applied.delete(name);
    } else bucket(resource).set(key, stamped);
    if (resource.kind === 'CustomResourceDefinition') {
      if (type === 'DELETED') kinds.forget(stamped);
      else kinds.define(stamped);
    }
    const change: Change = { type, resource, object: stamped, before, version };
    changes.push(change);
    if (changes.length > keptChanges) {
      changes = changes.slice(-keptChanges / 2);
      oldest = (changes[0]?.version ?? 1) - 1;
    }
    for (const listener of listeners) listener(change);
    return stamped;
  }

  function create(resource: Resource, given: ClusterObject, dryRun = false, isApply = false) {
    const generateName = fields(given.metadata)['generateName'];
    const suffix = randomUUID().replaceAll('-', '').slice(0, 5);
    const name = given.metadata?.name ?? (typeof generateName === 'string' ? `${generateName}${suffix}` : undefined);
    if (!name) throw badRequest('name or generateName is required');
    const { namespace: asked, resourceVersion: _version, uid: _uid, ...metadata } = given.metadata;
    const namespace = resource.namespaced ? (asked ?? 'default') : undefined;
    if (namespace !== undefined) get(kinds.named('Namespace') as Resource, null, namespace);
    if (find(resource, namespace ?? null, name)) throw alreadyExists(resource, name);
    const { status: _status, ...wanted } = structuredClone(given);
    const status = resource.status ? firstStatus(resource) : given.status;
    const object = withDefaults(resource, {
      ...wanted,
      metadata: {
        ...metadata,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        uid: randomUUID(),
        creationTimestamp: new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z'),
        ...(resource.status ? { generation: 1 } : {}),
      },
      ...(status === undefined ? {} : { status }),
    });
    validate(resource, object, undefined, isApply);
    return dryRun ? object : record('ADDED', resource, object);
  }

  function update(resource: Resource, given: ClusterObject, part?: 'status', dryRun = false, isApply = false) {
    const { namespace, name, resourceVersion } = given.metadata;
    const before = get(resource, namespace ?? null, name);
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion) {
      throw conflict(resource, name);
    }
    const { status: givenStatus, ...wanted } = structuredClone(given);
    const status = part === 'status' || !resource.status ? givenStatus : before.status;
    const kept = ['uid', 'creationTimestamp', 'generation', 'deletionTimestamp', 'namespace', 'resourceVersion'];
    const fixed = Object.fromEntries(
      kept.flatMap((key) => (key in before.metadata ? [[key, before.metadata[key]]] : [])),
    );
    const { deletionTimestamp: _deleted, ...metadata } = given.metadata;
    let next: ClusterObject = withDefaults(resource, {
      ...(part === 'status' ? before : { ...wanted, metadata: { ...metadata, ...fixed, name } }),
      ...(status === undefined ? {} : { status }),
    });
    if (status === undefined && part !== 'status')
      next = Object.fromEntries(Object.entries(next).filter(([key]) => key !== 'status')) as ClusterObject;
    validate(resource, next, before, isApply);
    if (same(next, before)) return before;
    if (resource.status && part !== 'status' && !same(wish(next), wish(before))) {
      next = { ...next, metadata: { ...next.metadata, generation: (before.metadata.generation ?? 0) + 1 } };
    }
    if (dryRun) return next;
    const isGone = next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0;
    return record(isGone ? 'DELETED' : 'MODIFIED', resource, next, before);
  }

  function apply(resource: Resource, given: ClusterObject, manager: string, dryRun = false) {
    const { status: _status, ...withoutStatus } = given;
    const wanted: ClusterObject = resource.status ? withoutStatus : given;
    const namespace = resource.namespaced ? (given.metadata.namespace ?? 'default') : null;
    const key = `${bucketOf(resource)}|${keyOf(namespace, given.metadata.name)}|${manager}`;
    const before = find(resource, namespace, given.metadata.name);
    const { uid: _uid, resourceVersion: _version, ...metadata } = wanted.metadata;
    const clean = { ...wanted, metadata: { ...metadata, ...(namespace === null ? {} : { namespace }) } };
    const result = before
      ? update(resource, serverSideApply(before, applied.get(key), clean) as ClusterObject, undefined, dryRun, true)
      : create(resource, clean, dryRun, true);
    if (!dryRun) applied.set(key, clean);
    return result;
  }

  function remove(resource: Resource, namespace: string | null, name: string): ClusterObject {
    const before = get(resource, namespace, name);
    if (resource.kind === 'Namespace') {
      for (const other of kinds.all().filter((one) => one.namespaced)) {
        for (const object of bucket(other).values()) {
          if (object.metadata.namespace === name) record('DELETED', other, object, object);
        }
      }
    }
    if (resource.kind === 'CustomResourceDefinition') {
      const { group, names } = fields(before.spec);
      for (const other of kinds.all().filter((one) => one.group === group && one.kind === fields(names)['kind'])) {
        for (const object of bucket(other).values()) record('DELETED', other, object, object);
      }
    }
    if ((before.metadata.finalizers ?? []).length === 0) return record('DELETED', resource, before, before);
    if (before.metadata.deletionTimestamp !== undefined) return before;
    const deletionTimestamp = new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const generation = before.metadata.generation === undefined ? {} : { generation: before.metadata.generation + 1 };
    return record(
      'MODIFIED',
      resource,
      { ...before, metadata: { ...before.metadata, deletionTimestamp, ...generation } },
      before,
    );
  }

  return {
    kinds,
    version: () => version,
    list: (resource, namespace) =>
      [...bucket(resource).values()]
        .filter((object) => !namespace || object.metadata.namespace === namespace)
        .sort((a, b) =>
          keyOf(a.metadata.namespace, a.metadata.name) < keyOf(b.metadata.namespace, b.metadata.name) ? -1 : 1,
        ),
    find,
    get,
    create,
    update,
    apply,
    remove,
    subscribe: (on) => {
      listeners.add(on);
      return () => void listeners.delete(on);
    },
    since: (after) => {
      if (after < oldest) throw expired(after, oldest);
      return changes.filter((change) => change.version > after);
    },
    compact: () => {
      changes = [];
      oldest = version;
    },
  };
}
