import type { ControllerName } from '../handle.ts';
import { reconcileHelmRelease } from '../helm/helm-release.ts';
import { resolveHelmChart, resolveHelmRepository } from '../helm/source-helm.ts';
import { fields, spec, status, text } from '../store/object.ts';
import type { Change } from '../store/store.ts';
import { type Controller, createController, type Reconcile } from './controller.ts';
import { chartConsumersOf, consumersOf } from './consumers.ts';
import { reconcileKustomization } from './kustomization.ts';
import { reconcileReceiver } from './receiver.ts';
import { reconcileSource, requestedAt } from './source.ts';
import { resolveGit } from './source-git.ts';
import { resolveOci } from './source-oci.ts';
import { type Key, keyOf, type World } from './world.ts';

/** All controllers of the cluster. */
export interface Controllers {
  get(name: ControllerName): Controller;
  /** Ends the work in flight and looks at everything again, as after a restart of the pod. */
  restart(name: ControllerName): Promise<void>;
  stop(): Promise<void>;
}

/** A controller's name, its kinds and their work. */
export type Duties = Readonly<Record<string, { readonly by: ControllerName; readonly reconcile: Reconcile }>>;

/** Flux's controllers' kinds. */
export function fluxDuties(world: World): Duties {
  /** A HelmRepository of type oci is only an address: nothing is done and no status written. */
  const exceptOci =
    (reconcile: Reconcile): Reconcile =>
    async (key, signal) =>
      spec(world.store.find(key.resource, key.namespace, key.name) ?? nothing)['type'] === 'oci'
        ? null
        : reconcile(key, signal);
  return {
    OCIRepository: { by: 'source-controller', reconcile: reconcileSource(world, resolveOci) },
    HelmRepository: { by: 'source-controller', reconcile: exceptOci(reconcileSource(world, resolveHelmRepository)) },
    HelmChart: { by: 'source-controller', reconcile: reconcileSource(world, resolveHelmChart) },
    HelmRelease: { by: 'helm-controller', reconcile: reconcileHelmRelease(world) },
    GitRepository: { by: 'source-controller', reconcile: reconcileSource(world, resolveGit) },
    Receiver: { by: 'notification-controller', reconcile: reconcileReceiver(world) },
    Kustomization: { by: 'kustomize-controller', reconcile: reconcileKustomization(world) },
  };
}

const nothing = { apiVersion: '', kind: '', metadata: { name: '' } };

/** Would a controller take this change as work? As controller-runtime's predicates: spec, deletion, a new request. */
function isWork({ type, object, before }: Change): boolean {
  if (type !== 'MODIFIED' || before === undefined) return type === 'ADDED';
  return (
    object.metadata.generation !== before.metadata.generation ||
    object.metadata.deletionTimestamp !== before.metadata.deletionTimestamp ||
    object.metadata.annotations?.[requestedAt] !== before.metadata.annotations?.[requestedAt]
  );
}

const revisionOf = (change: Change['before']) => text(fields(change && status(change)['artifact'])['revision']);

/** Starts the controllers over the changes of the store. */
export function startControllers(world: World, duties: Duties): Controllers {
  const names: readonly ControllerName[] = [
    'source-controller',
    'kustomize-controller',
    'helm-controller',
    'notification-controller',
    'workloads',
  ];
  const controllers = new Map(
    names.map((name) => {
      const reconcileOf = (kind: string) => (duties[kind]?.by === name ? duties[kind].reconcile : undefined);
      return [name, createController(name, world, name === 'workloads' ? 64 : 4, reconcileOf)];
    }),
  );
  const get = (name: ControllerName) => controllers.get(name) as Controller;
  const enqueue = (key: Key) => {
    const duty = duties[key.resource.kind];
    if (duty) get(duty.by).enqueue(key);
  };
  const unsubscribe = world.store.subscribe((change) => {
    const { resource, object, before } = change;
    if (change.type !== 'DELETED' && isWork(change)) enqueue(keyOf(resource, object));
    if (!resource.group.startsWith('source.') || change.type === 'DELETED') return;
    const revision = revisionOf(object);
    if (revision === '' || revision === revisionOf(before)) return;
    for (const key of [...consumersOf(world, object, revision), ...chartConsumersOf(world, object)]) enqueue(key);
  });
  return {
    get,
    restart: async (name) => {
      await get(name).reset();
      if (name === 'source-controller') await world.artifacts.forget();
      for (const resource of world.store.kinds.all().filter((one) => duties[one.kind]?.by === name)) {
        for (const object of world.store.list(resource)) enqueue(keyOf(resource, object));
      }
    },
    stop: async () => {
      unsubscribe();
      await Promise.all([...controllers.values()].map((controller) => controller.stop()));
    },
  };
}
