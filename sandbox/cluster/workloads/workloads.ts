import type { ClusterObject, Workload, WorkloadFate } from '../handle.ts';
import type { Reconcile } from '../flux/controller.ts';
import { emit, type Key, kindOf, type World } from '../flux/world.ts';
import { at, type Fields, list, number, spec, text } from '../store/object.ts';
import type { Change } from '../store/store.ts';
import { deadStatus, healthyStatus, podStatus, startingStatus, templateHash, workloadOf } from './rollout.ts';

/** Kinds whose status this controller writes. */
export const workloadKinds: readonly string[] = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'];

/** What kubelet and controller-manager do to workloads. */
export interface WorkloadWorld {
  readonly reconcile: Reconcile;
  /** A new fate rule; the workloads that stand are to be looked at again. */
  decide(fate: (workload: Workload) => WorkloadFate): void;
  /** Removes what a deleted object owned. */
  readonly collect: (change: Change) => void;
}

/** Milliseconds of a real cluster until a pod runs. */
const startTakes = 1_000;

/** `fate` decides what becomes of a workload. */
export function createWorkloads(world: World, fate: (workload: Workload) => WorkloadFate): WorkloadWorld {
  const { store } = world;
  let decide = fate;
  let epoch = 0;
  const seen = new Map<string, { readonly mark: string; readonly isWaitingForDeadline: boolean }>();
  const time = () => new Date(world.now()).toISOString().replace(/\.\d+Z$/, 'Z');

  const write = (key: Key, status: (object: ClusterObject) => Fields) => {
    const now = store.find(key.resource, key.namespace, key.name);
    if (now) store.update(key.resource, { ...now, status: status(now) }, 'status');
  };

  function owned(object: ClusterObject, apiVersion: string, kind: string, name: string, extra: Fields): ClusterObject {
    const resource = kindOf(store, kind);
    const namespace = object.metadata.namespace ?? '';
    const { uid, name: owner } = object.metadata;
    const labels = {
      ...(at(object, 'spec', 'template', 'metadata', 'labels') as Record<string, string>),
      'pod-template-hash': templateHash(object),
    };
    const ownerReferences = [
      {
        apiVersion: object.apiVersion,
        kind: object.kind,
        name: owner,
        uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ];
    return (
      store.find(resource, namespace, name) ??
      store.create(resource, { apiVersion, kind, metadata: { name, namespace, labels, ownerReferences }, ...extra })
    );
  }

  function showPods(object: ClusterObject, result: WorkloadFate): void {
    const hash = templateHash(object);
    const template = at(object, 'spec', 'template');
    const replicaSet =
      object.kind === 'Deployment'
        ? owned(object, 'apps/v1', 'ReplicaSet', `${object.metadata.name}-${hash}`, {
            spec: { replicas: number(spec(object)['replicas'], 1), selector: spec(object)['selector'], template },
          })
        : object;
    const pods = kindOf(store, 'Pod');
    const suffix = object.kind === 'StatefulSet' ? '0' : (object.metadata.uid ?? '').replaceAll('-', '').slice(0, 5);
    const name = object.kind === 'StatefulSet' ? `${object.metadata.name}-0` : `${replicaSet.metadata.name}-${suffix}`;
    const namespace = object.metadata.namespace ?? '';
    if (
      object.kind === 'StatefulSet' &&
      store.find(pods, namespace, name)?.metadata.labels?.['pod-template-hash'] !== hash
    ) {
      if (store.find(pods, namespace, name)) store.remove(pods, namespace, name);
    }
    const pod = owned({ ...replicaSet, spec: { ...spec(object) } }, 'v1', 'Pod', name, { spec: at(template, 'spec') });
    const shown = store.update(pods, { ...pod, status: podStatus(object, result, time()) }, 'status');
    if (result === 'stuck' || result === 'deadline') {
      const image = workloadOf(object).images[0] ?? '';
      emit(world, shown, {
        by: 'kubelet',
        type: 'Warning',
        reason: 'Failed',
        message: `Failed to pull image "${image}": not found`,
      });
      emit(world, shown, {
        by: 'kubelet',
        type: 'Warning',
        reason: 'BackOff',
        message: `Back-off pulling image "${image}"`,
      });
    } else if (result === 'crash') {
      emit(world, shown, {
        by: 'kubelet',
        type: 'Warning',
        reason: 'BackOff',
        message: `Back-off restarting failed container ${text(at(list(at(template, 'spec', 'containers'))[0], 'name'))} in pod ${name}`,
      });
    }
  }

  /** Old ReplicaSets and their pods go when the new one is up. */
  function dropOld(object: ClusterObject): void {
    const hash = templateHash(object);
    const sets = kindOf(store, 'ReplicaSet');
    for (const set of store.list(sets, object.metadata.namespace)) {
      const isOurs = list(set.metadata['ownerReferences']).some((owner) => at(owner, 'uid') === object.metadata.uid);
      if (isOurs && set.metadata.labels?.['pod-template-hash'] !== hash)
        store.remove(sets, set.metadata.namespace ?? null, set.metadata.name);
    }
  }

  async function reconcile(key: Key, signal: AbortSignal): Promise<number | null> {
    const object = store.find(key.resource, key.namespace, key.name);
    if (!object || object.metadata.deletionTimestamp !== undefined) return null;
    const uid = object.metadata.uid ?? '';
    const mark = `${object.metadata.generation}/${epoch}`;
    const before = seen.get(uid);
    const replicaSet = `${object.metadata.name}-${templateHash(object)}`;
    if (before?.mark === mark) {
      if (!before.isWaitingForDeadline) return null;
      seen.set(uid, { mark, isWaitingForDeadline: false });
      write(key, (now) => deadStatus(now, replicaSet, time()));
      return null;
    }
    seen.set(uid, { mark, isWaitingForDeadline: false });
    const result = decide(workloadOf(object));
    write(key, (now) => startingStatus(now, replicaSet, time()));
    await world.sleep(startTakes, signal);
    const now = store.find(key.resource, key.namespace, key.name);
    if (now?.metadata.generation !== object.metadata.generation || now?.metadata.uid !== uid) return 0;
    showPods(object, result);
    if (result === 'healthy') {
      write(key, (standing) => healthyStatus(standing, replicaSet, time()));
      dropOld(object);
      return null;
    }
    if (result === 'deadline') {
      write(key, (standing) => deadStatus(standing, replicaSet, time()));
      return null;
    }
    if (object.kind !== 'Deployment') return null;
    seen.set(uid, { mark, isWaitingForDeadline: true });
    return number(spec(object)['progressDeadlineSeconds'], 600) * 1000;
  }

  return {
    reconcile,
    decide: (rule) => {
      decide = rule;
      epoch += 1;
    },
    collect: (change) => {
      if (change.type !== 'DELETED') return;
      const { uid } = change.object.metadata;
      for (const kind of ['ReplicaSet', 'Pod']) {
        const resource = kindOf(store, kind);
        for (const object of store.list(resource, change.object.metadata.namespace)) {
          const isOwned = list(object.metadata['ownerReferences']).some((owner) => at(owner, 'uid') === uid);
          if (isOwned) store.remove(resource, object.metadata.namespace ?? null, object.metadata.name);
        }
      }
    },
  };
}
