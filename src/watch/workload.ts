import type { ObjectRef } from '../notify/request.ts';
import type { KubernetesObject } from '../systems/cluster.ts';
import { fieldsOf, numberOf, textOf } from './fields.ts';
import { keyOf } from './kinds.ts';
import { conditionOf, judged, type Judgement } from './readiness.ts';

/** A workload, judged when it is read: its state depends on nothing but itself. */
export interface WorkloadObject {
  readonly ref: ObjectRef;
  readonly key: string;
  readonly judgement: Judgement;
  /** Labels that its pods carry; undefined for pods themselves. */
  readonly selector: Readonly<Record<string, string>> | undefined;
}

/** Reads and judges a workload by the rules of kstatus (fluxcd/cli-utils pkg/kstatus/status; jobs must complete, fluxcd/pkg ssa). */
export function readWorkload(object: KubernetesObject): WorkloadObject {
  const ref: ObjectRef = {
    kind: object.kind ?? '',
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
  };
  const labels = fieldsOf(fieldsOf(fieldsOf(object.spec)['selector'])['matchLabels']);
  return {
    ref,
    key: keyOf(ref),
    judgement: judgeWorkload(object, ref),
    selector: ref.kind === 'Pod' ? undefined : (labels as Record<string, string>),
  };
}

function judgeWorkload(object: KubernetesObject, ref: ObjectRef): Judgement {
  const current = (message: string) => judged(ref, 'ready', 'Current', message, { applied: true });
  const progress = (reason: string, message: string) => judged(ref, 'progressing', reason, message, { applied: true });
  const failed = (reason: string, message: string) => judged(ref, 'failed', reason, message, { applied: true });
  if (object.metadata.deletionTimestamp !== undefined) return progress('Terminating', 'the object is being deleted');
  const status = fieldsOf(object.status);
  const spec = fieldsOf(object.spec);
  const seen = numberOf(status['observedGeneration']);
  if (seen !== undefined && seen !== object.metadata.generation)
    return progress('Unobserved', 'the new generation has not been looked at yet');
  const count = (key: string) => numberOf(status[key]) ?? 0;
  const replicas = numberOf(spec['replicas']) ?? 1;
  const reach = (key: string, wanted: number, what: string) =>
    count(key) < wanted ? progress('Progressing', `${count(key)} of ${wanted} ${what}`) : undefined;

  if (ref.kind === 'Deployment') {
    const progressing = conditionOf(object, 'Progressing');
    if (progressing?.reason === 'ProgressDeadlineExceeded') return failed(progressing.reason, progressing.message);
    if (seen === undefined) return progress('Progressing', 'no status yet');
    return (
      reach('replicas', replicas, 'replicas created') ??
      reach('updatedReplicas', replicas, 'replicas updated') ??
      (count('replicas') > count('updatedReplicas')
        ? progress('Progressing', `${count('replicas') - count('updatedReplicas')} old replicas to end`)
        : undefined) ??
      reach('availableReplicas', count('updatedReplicas'), 'replicas available') ??
      reach('readyReplicas', replicas, 'replicas ready') ??
      (progressing &&
      progressing.reason !== 'NewReplicaSetAvailable' &&
      numberOf(spec['progressDeadlineSeconds']) !== 2 ** 31 - 1
        ? progress('Progressing', 'the rollout is not finished')
        : undefined) ??
      (conditionOf(object, 'Available')?.status === 'True'
        ? current(`${replicas} replicas ready`)
        : progress('Progressing', 'not available yet'))
    );
  }
  if (ref.kind === 'StatefulSet') {
    const strategy = fieldsOf(spec['updateStrategy']);
    if (strategy['type'] === 'OnDelete') return current('updates on deletion');
    if (seen === undefined) return progress('Progressing', 'no status yet');
    const partition = numberOf(fieldsOf(strategy['rollingUpdate'])['partition']) ?? 0;
    return (
      reach('replicas', replicas, 'replicas created') ??
      reach('readyReplicas', replicas, 'replicas ready') ??
      (partition > 0
        ? reach('updatedReplicas', Math.max(0, replicas - partition), 'replicas updated')
        : (reach('currentReplicas', replicas, 'replicas current') ??
          (status['updateRevision'] === status['currentRevision']
            ? undefined
            : progress('Progressing', 'the rollout is not finished')))) ??
      current(`${replicas} replicas ready`)
    );
  }
  if (ref.kind === 'DaemonSet') {
    if (seen === undefined) return progress('Progressing', 'no status yet');
    const wanted = numberOf(status['desiredNumberScheduled']);
    if (wanted === undefined) return progress('Progressing', 'not scheduled yet');
    return (
      reach('currentNumberScheduled', wanted, 'pods scheduled') ??
      reach('updatedNumberScheduled', wanted, 'pods updated') ??
      reach('numberAvailable', wanted, 'pods available') ??
      reach('numberReady', wanted, 'pods ready') ??
      current(`${wanted} pods ready`)
    );
  }
  if (ref.kind === 'ReplicaSet') {
    const failure = conditionOf(object, 'ReplicaFailure');
    if (failure?.status === 'True') return progress(failure.reason || 'ReplicaFailure', failure.message);
    if (seen === undefined) return progress('Progressing', 'no status yet');
    return (
      reach('fullyLabeledReplicas', replicas, 'replicas labelled') ??
      reach('availableReplicas', replicas, 'replicas available') ??
      reach('readyReplicas', replicas, 'replicas ready') ??
      current(`${replicas} replicas ready`)
    );
  }
  if (ref.kind === 'Job') {
    const failure = conditionOf(object, 'Failed');
    if (failure?.status === 'True') return failed(failure.reason || 'Failed', failure.message);
    if (conditionOf(object, 'Complete')?.status === 'True') return current('the job has completed');
    if (conditionOf(object, 'Suspended')?.status === 'True') return current('the job is suspended');
    return progress('Progressing', 'the job is running');
  }
  const phase = textOf(status['phase']);
  if (phase === 'Succeeded') return current('the pod has completed');
  if (phase === 'Failed') return failed('Failed', textOf(status['message']) ?? 'the pod has failed');
  if (phase === 'Running' && conditionOf(object, 'Ready')?.status === 'True') return current('the pod is ready');
  return progress('Progressing', 'the pod is not ready');
}
