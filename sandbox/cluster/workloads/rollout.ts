import { createHash } from 'node:crypto';
import type { ClusterObject, Workload, WorkloadFate } from '../handle.ts';
import { at, type Fields, fields, list, number, spec, text } from '../store/object.ts';

/** A Deployment, StatefulSet, DaemonSet or Job as the fate rule sees it. */
export function workloadOf(object: ClusterObject): Workload {
  const pod = fields(at(object, 'spec', 'template', 'spec'));
  const containers = [...list(pod['initContainers']), ...list(pod['containers'])];
  return {
    kind: object.kind,
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
    images: containers.map((container) => text(at(container, 'image'))),
    labels: object.metadata.labels ?? {},
    object,
  };
}

const fates: readonly string[] = ['healthy', 'stuck', 'deadline', 'crash'];

/** The default fate: the label `lab/fate`, else `broken`, `crash` or `dead` in an image's tag. */
export function fateByTag(workload: Workload): WorkloadFate {
  const label = workload.labels['lab/fate'] ?? '';
  if (fates.includes(label)) return label as WorkloadFate;
  const tags = workload.images.map((image) => image.replace(/@.*$/, '').replace(/^.*\//, '').split(':')[1] ?? '');
  if (tags.some((tag) => tag.includes('broken'))) return 'stuck';
  if (tags.some((tag) => tag.includes('crash'))) return 'crash';
  return tags.some((tag) => tag.includes('dead')) ? 'deadline' : 'healthy';
}

/** The hash that names a revision of a pod template. */
export function templateHash(object: ClusterObject): string {
  return createHash('sha256')
    .update(JSON.stringify(at(object, 'spec', 'template') ?? {}))
    .digest('hex')
    .slice(0, 10);
}

const condition = (type: string, status: string, reason: string, message: string, time: string) => ({
  type,
  status,
  reason,
  message,
  lastUpdateTime: time,
  lastTransitionTime: time,
});

/** Status while pods are not ready. `replicaSet` is the new one's name. */
export function startingStatus(object: ClusterObject, replicaSet: string, time: string): Fields {
  const wanted = number(spec(object)['replicas'], 1);
  const observed = { observedGeneration: object.metadata.generation };
  const before = fields(object.status);
  const ready = number(before['readyReplicas'], 0);
  switch (object.kind) {
    case 'Deployment':
      return {
        ...observed,
        replicas: ready > 0 ? ready + 1 : wanted,
        updatedReplicas: wanted === 0 ? 0 : ready > 0 ? 1 : wanted,
        ...(ready > 0 ? { readyReplicas: ready, availableReplicas: ready } : {}),
        unavailableReplicas: ready > 0 ? 1 : wanted,
        conditions: [
          ready > 0
            ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', time)
            : condition(
                'Available',
                'False',
                'MinimumReplicasUnavailable',
                'Deployment does not have minimum availability.',
                time,
              ),
          condition('Progressing', 'True', 'ReplicaSetUpdated', `ReplicaSet "${replicaSet}" is progressing.`, time),
        ],
      };
    case 'StatefulSet':
      return {
        ...observed,
        replicas: wanted,
        currentReplicas: 0,
        currentRevision: text(before['currentRevision']) || replicaSet,
        updateRevision: replicaSet,
        readyReplicas: 0,
      };
    case 'DaemonSet':
      return {
        ...observed,
        desiredNumberScheduled: 1,
        currentNumberScheduled: 1,
        updatedNumberScheduled: 1,
        numberReady: 0,
        numberUnavailable: 1,
        numberMisscheduled: 0,
      };
    default:
      return { active: 1, ready: 0, startTime: time };
  }
}

/** Status of a workload that is up. */
export function healthyStatus(object: ClusterObject, replicaSet: string, time: string): Fields {
  const wanted = number(spec(object)['replicas'], 1);
  const observed = { observedGeneration: object.metadata.generation };
  switch (object.kind) {
    case 'Deployment':
      return {
        ...observed,
        replicas: wanted,
        updatedReplicas: wanted,
        readyReplicas: wanted,
        availableReplicas: wanted,
        conditions: [
          condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', time),
          condition(
            'Progressing',
            'True',
            'NewReplicaSetAvailable',
            `ReplicaSet "${replicaSet}" has successfully progressed.`,
            time,
          ),
        ],
      };
    case 'StatefulSet':
      return {
        ...observed,
        replicas: wanted,
        readyReplicas: wanted,
        availableReplicas: wanted,
        currentReplicas: wanted,
        updatedReplicas: wanted,
        currentRevision: replicaSet,
        updateRevision: replicaSet,
      };
    case 'DaemonSet':
      return {
        ...observed,
        desiredNumberScheduled: 1,
        currentNumberScheduled: 1,
        updatedNumberScheduled: 1,
        numberReady: 1,
        numberAvailable: 1,
        numberMisscheduled: 0,
      };
    default:
      return {
        succeeded: 1,
        startTime: time,
        completionTime: time,
        conditions: [{ type: 'Complete', status: 'True', lastProbeTime: time, lastTransitionTime: time }],
      };
  }
}

/** Status of a workload whose deadline is over (a Job: whose retries are used up). */
export function deadStatus(object: ClusterObject, replicaSet: string, time: string): Fields {
  const starting = startingStatus(object, replicaSet, time);
  if (object.kind === 'Deployment') {
    const late = condition(
      'Progressing',
      'False',
      'ProgressDeadlineExceeded',
      `ReplicaSet "${replicaSet}" has timed out progressing.`,
      time,
    );
    return { ...starting, conditions: [...list(starting['conditions']).slice(0, 1), late] };
  }
  if (object.kind !== 'Job') return starting;
  const reason = { reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  return {
    failed: 1,
    startTime: time,
    conditions: [{ type: 'Failed', status: 'True', ...reason, lastProbeTime: time, lastTransitionTime: time }],
  };
}

/** A pod of a workload: running, or with the reason why it does not run. */
export function podStatus(object: ClusterObject, fate: WorkloadFate, time: string): Fields {
  const containers = list(at(object, 'spec', 'template', 'spec', 'containers'));
  const isUp = fate === 'healthy';
  const state = (image: string): Fields => {
    if (isUp) return { running: { startedAt: time } };
    if (fate === 'crash') {
      return { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s restarting failed container' } };
    }
    return { waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image "${image}"` } };
  };
  return {
    phase: isUp ? 'Running' : fate === 'crash' ? 'Running' : 'Pending',
    startTime: time,
    conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
      type,
      status: isUp || type === 'Initialized' || type === 'PodScheduled' ? 'True' : 'False',
      ...(isUp || type === 'Initialized' || type === 'PodScheduled'
        ? {}
        : {
            reason: 'ContainersNotReady',
            message: `containers with unready status: [${containers.map((one) => text(at(one, 'name'))).join(' ')}]`,
          }),
      lastTransitionTime: time,
    })),
    containerStatuses: containers.map((container) => ({
      name: text(at(container, 'name')),
      image: text(at(container, 'image')),
      imageID: '',
      ready: isUp,
      started: isUp,
      restartCount: fate === 'crash' ? 2 : 0,
      state: state(text(at(container, 'image'))),
      ...(fate === 'crash'
        ? { lastState: { terminated: { exitCode: 1, reason: 'Error', startedAt: time, finishedAt: time } } }
        : {}),
    })),
  };
}
