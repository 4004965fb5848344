import type { ObjectRef } from '../notify/request.ts';
import type { KubernetesObject } from '../systems/cluster.ts';
import { fieldsOf, itemsOf, numberOf, textOf } from './fields.ts';
import { keyOf } from './kinds.ts';
import type { ObjectState } from './verdict.ts';

/** A Kubernetes condition. */
export interface Condition {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  /** It was written for an older generation of the object. */
  readonly stale: boolean;
  /** It says that it was written for the present generation; not all writers say. */
  readonly present: boolean;
}

/** What all Flux objects have in common, parsed once for each change. */
export interface FluxObject {
  readonly ref: ObjectRef;
  readonly key: string;
  readonly deleting: boolean;
  readonly suspended: boolean;
  /** metadata.generation equals status.observedGeneration. While an object fails this lags, so it proves green, never red. */
  readonly observed: boolean;
  readonly ready: Condition | undefined;
  readonly reconciling: Condition | undefined;
  readonly stalled: Condition | undefined;
  /** status.lastHandledReconcileAt: somebody's request was looked at, whatever came of it. */
  readonly handled: string | undefined;
}

/** Reads the common part. */
export function readFluxObject(object: KubernetesObject): FluxObject {
  const status = fieldsOf(object.status);
  const generation = object.metadata.generation;
  const ref: ObjectRef = {
    kind: object.kind ?? '',
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
  };
  return {
    ref,
    key: keyOf(ref),
    deleting: object.metadata.deletionTimestamp !== undefined,
    suspended: fieldsOf(object.spec)['suspend'] === true,
    observed: generation === undefined || numberOf(status['observedGeneration']) === generation,
    ready: conditionOf(object, 'Ready'),
    reconciling: conditionOf(object, 'Reconciling'),
    stalled: conditionOf(object, 'Stalled'),
    handled: textOf(status['lastHandledReconcileAt']),
  };
}

/** One condition of an object, by type. */
export function conditionOf(object: KubernetesObject, type: string): Condition | undefined {
  const generation = object.metadata.generation;
  for (const item of itemsOf(fieldsOf(object.status)['conditions'])) {
    const fields = fieldsOf(item);
    if (fields['type'] !== type) continue;
    const status = fields['status'];
    const seen = numberOf(fields['observedGeneration']);
    return {
      status: status === 'True' || status === 'False' ? status : 'Unknown',
      reason: textOf(fields['reason']) ?? '',
      message: oneLine(textOf(fields['message']) ?? ''),
      stale: seen !== undefined && generation !== undefined && seen > 0 && seen < generation,
      present: seen !== undefined && seen === generation,
    };
  }
  return undefined;
}

/** Texts of conditions may hold line breaks and run to kilobytes. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > 1000 ? `${line.slice(0, 999)}…` : line;
}

/** How one object stands towards what is wanted. */
export interface Judgement {
  readonly ref: ObjectRef;
  readonly state: ObjectState['state'];
  readonly reason: string;
  readonly message: string;
  /** The wanted revision is applied (not necessarily healthy). */
  readonly applied: boolean;
  /** Set where `state` is `progressing` and staying so means failure. */
  readonly grace?: Grace;
  /** What it is when it has outlasted its patience; default `failed`. */
  readonly becomes?: 'unknown';
  /** A run is under way that has not got as far as the wanted revision. */
  readonly trying?: boolean;
}

/** Kinds of patience, see `Patience`. */
export type Grace = 'fetch' | 'artifact' | 'apply' | 'release' | 'gone';

/** A judgement. */
export function judged(
  ref: ObjectRef,
  state: Judgement['state'],
  reason: string,
  message: string,
  more: Partial<Pick<Judgement, 'applied' | 'grace' | 'becomes' | 'trying'>> = {},
): Judgement {
  return { ref, state, reason, message, applied: false, ...more };
}

/** Deletion and suspension come before everything else: nothing will happen to such an object. */
export function judgeStanding(object: FluxObject): Judgement | undefined {
  if (object.deleting) return judged(object.ref, 'failed', 'Deleting', 'the object is being deleted');
  if (object.suspended)
    return judged(object.ref, 'suspended', 'Suspended', 'reconciliation is suspended (spec.suspend)');
  return undefined;
}
