import type { KubernetesObject } from '../systems/cluster.ts';
import { fieldsOf, itemsOf, numberOf, textOf, type Fields } from './fields.ts';
import { formatObject } from './kinds.ts';
import { conditionOf, oneLine } from './readiness.ts';
import type { WorkloadObject } from './workload.ts';

/** Waiting reasons of a pod that is merely starting. */
const STARTING = new Set(['ContainerCreating', 'PodInitializing']);

/**
 * Why a workload is not healthy, in one line: the waiting reason of one of its containers, a crash, a pod that cannot be
 * scheduled; else the newest warning about the workload or its pods. Undefined where nothing says so.
 */
export function firstCause(
  workload: WorkloadObject,
  pods: readonly KubernetesObject[],
  events: readonly KubernetesObject[],
): string | undefined {
  const subject = formatObject(workload.ref);
  const mine = pods.filter((pod) => belongs(workload, pod)).toSorted((a, b) => created(b).localeCompare(created(a)));
  for (const pod of mine) {
    const trouble = podTrouble(pod);
    if (trouble !== undefined) return oneLine(`${subject}: pod ${pod.metadata.name}: ${trouble}`);
  }
  const names = new Set([workload.ref.name, ...mine.map((pod) => pod.metadata.name)]);
  const warning = events
    .map((event) => event as unknown as Fields)
    .filter((event) => {
      const name = textOf(fieldsOf(event['involvedObject'])['name']) ?? '';
      return event['type'] === 'Warning' && (names.has(name) || name.startsWith(`${workload.ref.name}-`));
    })
    .toSorted((a, b) => lastSeen(b).localeCompare(lastSeen(a)))[0];
  if (!warning) return undefined;
  return oneLine(`${subject}: ${textOf(warning['reason']) ?? 'Warning'}: ${textOf(warning['message']) ?? ''}`);
}

function belongs({ ref, selector }: WorkloadObject, pod: KubernetesObject): boolean {
  if (ref.kind === 'Pod') return pod.metadata.name === ref.name;
  const wanted = Object.entries(selector ?? {});
  // A Job's selector is made by its controller; its pods carry the job's name.
  if (wanted.length === 0) return pod.metadata.name.startsWith(`${ref.name}-`);
  return wanted.every(([key, value]) => pod.metadata.labels?.[key] === value);
}

function podTrouble(pod: KubernetesObject): string | undefined {
  const status = fieldsOf(pod.status);
  const containers = [...itemsOf(status['initContainerStatuses']), ...itemsOf(status['containerStatuses'])].map(
    fieldsOf,
  );
  for (const container of containers) {
    const waiting = fieldsOf(fieldsOf(container['state'])['waiting']);
    const reason = textOf(waiting['reason']);
    if (reason !== undefined && !STARTING.has(reason)) return described(reason, textOf(waiting['message']));
  }
  for (const container of containers) {
    const ended = fieldsOf(fieldsOf(container['state'])['terminated']);
    const code = numberOf(ended['exitCode']);
    if (code !== undefined && code !== 0) return described(textOf(ended['reason']) ?? 'Error', `exit code ${code}`);
  }
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (scheduled?.status === 'False') return described(scheduled.reason || 'Unschedulable', scheduled.message);
  const phase = textOf(status['phase']);
  return phase === 'Failed' ? described(textOf(status['reason']) ?? 'Failed', textOf(status['message'])) : undefined;
}

function described(reason: string, message: string | undefined): string {
  return message ? `${reason}: ${message}` : reason;
}

function created(pod: KubernetesObject): string {
  return textOf((pod.metadata as Fields)['creationTimestamp']) ?? '';
}

/** Times of events are ISO 8601 in UTC, so that text order is time order. */
function lastSeen(event: Fields): string {
  return (
    textOf(event['lastTimestamp']) ??
    textOf(fieldsOf(event['series'])['lastObservedTime']) ??
    textOf(event['eventTime']) ??
    ''
  );
}
