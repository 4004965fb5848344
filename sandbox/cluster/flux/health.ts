import type { ClusterObject } from '../handle.ts';
import { at, fields, number, spec, status } from '../store/object.ts';
import { conditionOf } from './status.ts';

/** kstatus: https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus */
export type Health = 'Current' | 'InProgress' | 'Failed' | 'Terminating' | 'NotFound';

function deployment(object: ClusterObject): Health {
  const now = status(object);
  const wanted = number(spec(object)['replicas'], 1);
  const progressing = conditionOf(object, 'Progressing');
  if (progressing?.reason === 'ProgressDeadlineExceeded') return 'Failed';
  const count = (name: string) => number(now[name], 0);
  if (count('updatedReplicas') < wanted || count('replicas') > count('updatedReplicas')) return 'InProgress';
  if (count('availableReplicas') < count('updatedReplicas') || count('readyReplicas') < wanted) return 'InProgress';
  return conditionOf(object, 'Available')?.status === 'True' ? 'Current' : 'InProgress';
}

function statefulSet(object: ClusterObject): Health {
  const now = status(object);
  const wanted = number(spec(object)['replicas'], 1);
  const isDone = ['replicas', 'readyReplicas', 'currentReplicas'].every((name) => number(now[name], 0) >= wanted);
  return isDone && now['currentRevision'] === now['updateRevision'] ? 'Current' : 'InProgress';
}

function daemonSet(object: ClusterObject): Health {
  const now = status(object);
  const wanted = number(now['desiredNumberScheduled'], -1);
  if (wanted === -1) return 'InProgress';
  const names = ['currentNumberScheduled', 'updatedNumberScheduled', 'numberAvailable', 'numberReady'];
  return names.every((name) => number(now[name], 0) >= wanted) ? 'Current' : 'InProgress';
}

function job(object: ClusterObject): Health {
  if (conditionOf(object, 'Failed')?.status === 'True') return 'Failed';
  if (conditionOf(object, 'Complete')?.status === 'True') return 'Current';
  return at(object, 'status', 'startTime') === undefined ? 'InProgress' : 'Current';
}

function pod(object: ClusterObject): Health {
  const { phase } = fields(object.status);
  if (phase === 'Succeeded') return 'Current';
  if (phase === 'Failed') return 'Failed';
  return phase === 'Running' && conditionOf(object, 'Ready')?.status === 'True' ? 'Current' : 'InProgress';
}

const own: Readonly<Record<string, (object: ClusterObject) => Health>> = {
  'apps/v1/Deployment': deployment,
  'apps/v1/StatefulSet': statefulSet,
  'apps/v1/DaemonSet': daemonSet,
  'batch/v1/Job': job,
  'v1/Pod': pod,
};

/** Health of one object, as Flux judges it. */
export function healthOf(object: ClusterObject | undefined): Health {
  if (!object) return 'NotFound';
  if (object.metadata.deletionTimestamp !== undefined) return 'Terminating';
  const observed = status(object)['observedGeneration'];
  if (typeof observed === 'number' && observed !== object.metadata.generation) return 'InProgress';
  const rule = own[`${object.apiVersion}/${object.kind}`];
  if (rule) return typeof observed === 'number' || ['Job', 'Pod'].includes(object.kind) ? rule(object) : 'InProgress';
  if (conditionOf(object, 'Reconciling')?.status === 'True') return 'InProgress';
  if (conditionOf(object, 'Stalled')?.status === 'True') return 'Failed';
  const ready = conditionOf(object, 'Ready');
  return ready === undefined || ready.status === 'True' ? 'Current' : 'InProgress';
}
