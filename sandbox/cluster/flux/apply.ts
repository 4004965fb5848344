import type { ClusterObject } from '../handle.ts';
import type { Resource } from '../store/kinds.ts';
import { at, groupOf, text, versionOf } from '../store/object.ts';
import { StatusError } from '../store/status-error.ts';
import type { World } from './world.ts';

/** An object that cannot be applied; the message is the one of `ReconciliationFailed`, `helm` is Helm's. */
export class ApplyError extends Error {
  readonly helm: string;
  constructor(message: string, helm: string) {
    super(message);
    this.helm = helm;
  }
}

/** An entry of `status.inventory.entries`. */
export interface InventoryEntry {
  readonly id: string;
  readonly v: string;
}

/** An applied object: its served kind and its name. */
export interface Applied {
  readonly resource: Resource;
  readonly namespace: string | null;
  readonly name: string;
  readonly version: string;
}

/** `Deployment/demo/podinfo`, as Flux writes it in messages. */
function subjectOf(object: ClusterObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? `${object.kind}/${name}` : `${object.kind}/${namespace}/${name}`;
}

/** `<namespace>_<name>_<group>_<kind>`. */
export function inventoryEntry(one: Applied): InventoryEntry {
  return { id: `${one.namespace ?? ''}_${one.name}_${one.resource.group}_${one.resource.kind}`, v: one.version };
}

/** The object that an inventory entry names, or null when its kind is not served. */
function readEntry(world: World, entry: InventoryEntry): Applied | null {
  const [namespace = '', name = '', group = '', kind = ''] = entry.id.split('_');
  const resource = world.store.kinds.all().find((one) => one.group === group && one.kind === kind);
  return resource
    ? { resource, namespace: namespace || null, name: name.replaceAll('__', ':'), version: entry.v }
    : null;
}

const stages = [
  ['CustomResourceDefinition', 'Namespace', 'ClusterRole', 'PriorityClass', 'StorageClass', 'IngressClass'],
];
const order = [
  'Namespace',
  'ResourceQuota',
  'StorageClass',
  'CustomResourceDefinition',
  'ServiceAccount',
  'Role',
  'ClusterRole',
  'RoleBinding',
  'ClusterRoleBinding',
  'ConfigMap',
  'Secret',
  'Service',
  'LimitRange',
  'PriorityClass',
  'Deployment',
  'StatefulSet',
  'CronJob',
  'PodDisruptionBudget',
];
const rank = (object: ClusterObject) => (order.indexOf(object.kind) + order.length + 1) % (order.length + 1);

function refused(object: ClusterObject, error: unknown): ApplyError {
  if (!(error instanceof StatusError)) throw error;
  const subject = subjectOf(object);
  const { namespace, name } = object.metadata;
  const version = object.apiVersion.includes('/') ? object.apiVersion : `/${object.apiVersion}`;
  const helm = `server-side apply failed for object ${namespace ?? ''}/${name} ${version}, Kind=${object.kind}: ${error.message}`;
  if (error.reason === 'NotFound') return new ApplyError(`${subject} not found: ${error.message}\n`, helm);
  const reason = error.reason === '' ? '' : ` (${error.reason})`;
  return new ApplyError(`${subject} dry-run failed${reason}: ${error.message}\n`, helm);
}

function unmatched(object: ClusterObject): ApplyError {
  const { namespace, name } = object.metadata;
  const why = `no matches for kind "${object.kind}" in version "${object.apiVersion}"`;
  const mapping = `resource mapping not found for name: "${name}" namespace: "${namespace ?? ''}" from ""`;
  return new ApplyError(
    `${subjectOf(object)} dry-run failed: ${why}\n`,
    `unable to build kubernetes objects from release manifest: ${mapping}: ${why}\nensure CRDs are installed first`,
  );
}

const mark = 'kustomize.toolkit.fluxcd.io/';

/** Flux's annotations that keep it from applying an object. */
function isLeftAlone({ metadata }: ClusterObject): boolean {
  return metadata.annotations?.[`${mark}reconcile`] === 'disabled' || metadata.annotations?.[`${mark}ssa`] === 'Ignore';
}

/**
 * Applies built objects as Flux does: definitions first, everything else in kind order, all of a stage tried before one
 * is written. `labels` are put on each. `manager` is the field manager. Throws `ApplyError`.
 */
export function applyObjects(
  world: World,
  objects: readonly ClusterObject[],
  labels: Readonly<Record<string, string>>,
  manager: string,
): readonly Applied[] {
  const { store } = world;
  const isDefinition = (object: ClusterObject) => stages[0]?.includes(object.kind) === true;
  const sorted = [...objects].sort((a, b) => rank(a) - rank(b));
  const done: Applied[] = [];
  for (const stage of [sorted.filter(isDefinition), sorted.filter((object) => !isDefinition(object))]) {
    const ready = stage.flatMap((given) => {
      const resource = store.kinds.byKind(given.apiVersion, given.kind);
      if (!resource) {
        throw unmatched(given);
      }
      const { namespace, ...metadata } = given.metadata;
      const placed = resource.namespaced ? { namespace: namespace ?? 'default' } : {};
      const object: ClusterObject = {
        ...given,
        metadata: { ...metadata, ...placed, name: metadata.name, labels: { ...metadata.labels, ...labels } },
      };
      if (isLeftAlone(object)) return [];
      if (resource.kind === 'Secret' && at(object, 'sops', 'mac') !== undefined) {
        const why = `${subjectOf(object)} is SOPS encrypted, configuring decryption is required for this secret to be reconciled`;
        throw new ApplyError(why, why);
      }
      try {
        store.apply(resource, object, manager, true);
      } catch (error) {
        throw refused(object, error);
      }
      return [{ resource, object }];
    });
    for (const { resource, object } of ready) {
      const isKept =
        object.metadata.annotations?.[`${mark}ssa`] === 'IfNotPresent' &&
        store.find(resource, object.metadata.namespace ?? null, object.metadata.name);
      if (!isKept) store.apply(resource, object, manager);
      done.push({
        resource,
        namespace: resource.namespaced ? text(object.metadata.namespace) : null,
        name: object.metadata.name,
        version: versionOf(object.apiVersion),
      });
    }
  }
  return done;
}

/** Deletes what the old inventory has and the new one has not. Objects labelled `prune: disabled` stay. */
export function prune(
  world: World,
  before: readonly InventoryEntry[],
  after: readonly InventoryEntry[],
): readonly Applied[] {
  return before
    .filter((entry) => !after.some((other) => other.id === entry.id))
    .flatMap((entry) => {
      const one = readEntry(world, entry);
      const object = one && world.store.find(one.resource, one.namespace, one.name);
      if (!one || !object) return [];
      if (
        object.metadata.labels?.[`${mark}prune`] === 'disabled' ||
        object.metadata.annotations?.[`${mark}prune`] === 'disabled'
      )
        return [];
      if (groupOf(object.apiVersion) !== one.resource.group) return [];
      world.store.remove(one.resource, one.namespace, one.name);
      return [one];
    });
}
