import type { ObjectRef } from '../notify/request.ts';
import type { KubernetesObject } from '../systems/cluster.ts';
import { fieldsOf, itemsOf, textOf } from './fields.ts';
import { keyOf, parseInventoryId, type InventoryEntry } from './kinds.ts';
import {
  conditionOf,
  judged,
  judgeStanding,
  oneLine,
  readFluxObject,
  type Condition,
  type FluxObject,
  type Judgement,
} from './readiness.ts';
import { targetOf } from './source.ts';

/** A Kustomization, as far as its verdict needs. */
export interface KustomizationObject extends FluxObject {
  readonly source: ObjectRef;
  /** spec.path without `./` and trailing slash; '' is the root. */
  readonly path: string;
  readonly lastAttempted: string | undefined;
  readonly lastApplied: string | undefined;
  readonly healthy: Condition | undefined;
  /** Flux itself waits for the health of all that it applied: `wait: true`. */
  readonly waits: boolean;
  /** Keys of objects whose health Flux awaits by `healthChecks`: others may be broken beside them. */
  readonly checked: ReadonlySet<string>;
  /** It applies to another cluster (`spec.kubeConfig`): what its inventory names is not here. */
  readonly remote: boolean;
  /** Newest entry of status.history (Flux ≥ 2.7): its target and reason. */
  readonly newest: { readonly target: string; readonly reason: string } | undefined;
  readonly inventory: readonly InventoryEntry[];
  /** ConfigMaps and Secrets of postBuild.substituteFrom, as `Kind/name`. */
  readonly inputs: readonly string[];
  /** Kustomizations of spec.dependsOn. */
  readonly dependencies: readonly ObjectRef[];
}

/** Reads a Kustomization. */
export function readKustomization(object: KubernetesObject): KustomizationObject {
  const spec = fieldsOf(object.spec);
  const status = fieldsOf(object.status);
  const namespace = object.metadata.namespace ?? '';
  const sourceRef = fieldsOf(spec['sourceRef']);
  const target = (key: string) => {
    const revision = textOf(status[key]);
    return revision === undefined ? undefined : targetOf(revision);
  };
  const newest = fieldsOf(itemsOf(status['history'])[0]);
  const revision = textOf(fieldsOf(newest['metadata'])['revision']);
  return {
    ...readFluxObject(object),
    source: {
      kind: textOf(sourceRef['kind']) ?? '',
      namespace: textOf(sourceRef['namespace']) ?? namespace,
      name: textOf(sourceRef['name']) ?? '',
    },
    path: normalizePath(textOf(spec['path']) ?? ''),
    lastAttempted: target('lastAttemptedRevision'),
    lastApplied: target('lastAppliedRevision'),
    healthy: conditionOf(object, 'Healthy'),
    waits: spec['wait'] === true,
    checked: new Set(
      itemsOf(spec['healthChecks']).map((item) => {
        const check = fieldsOf(item);
        const [kind, name] = [textOf(check['kind']) ?? '', textOf(check['name']) ?? ''];
        return keyOf({ kind, namespace: textOf(check['namespace']) ?? '', name });
      }),
    ),
    remote: spec['kubeConfig'] !== undefined,
    newest:
      revision === undefined
        ? undefined
        : { target: targetOf(revision), reason: textOf(newest['lastReconciledStatus']) ?? '' },
    inventory: itemsOf(fieldsOf(status['inventory'])['entries']).flatMap((entry) => {
      const id = textOf(fieldsOf(entry)['id']);
      return (id === undefined ? undefined : parseInventoryId(id)) ?? [];
    }),
    inputs: itemsOf(fieldsOf(spec['postBuild'])['substituteFrom']).map(inputOf),
    dependencies: itemsOf(spec['dependsOn']).map((one) => ({
      kind: 'Kustomization',
      namespace: textOf(fieldsOf(one)['namespace']) ?? namespace,
      name: textOf(fieldsOf(one)['name']) ?? '',
    })),
  };
}

/** A reference {kind, name} to a ConfigMap or Secret as `Kind/name`. */
export function inputOf(reference: unknown): string {
  const { kind, name } = fieldsOf(reference);
  return `${textOf(kind) ?? ''}/${textOf(name) ?? ''}`;
}

/** A repository path in one spelling: no `./`, no slash at either end. */
export function normalizePath(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

/** Reasons that are no failure: a newer revision took over in the middle, a dependency is not there yet, a run goes on. */
const PASSING = new Set(['HealthCheckCanceled', 'DependencyNotReady', 'Progressing', 'ProgressingWithRetry', '']);
/** Failures that say all there is to say about a revision. Others (apply, prune) may be a race with another object. */
const PLAIN = new Set(['BuildFailed', 'HealthCheckFailed']);
/** Failures of the object's own settings, written before any revision is attempted. */
const SETTINGS = new Set(['InvalidCELExpression', 'AccessDenied', 'FeatureGateDisabled']);

/**
 * How a Kustomization stands towards `wanted` targets (ours, and newer ones that may be followed); undefined: it has
 * another source, so that only Ready and generation say something. The order of Flux's writes does not matter: green needs
 * every field at once, red needs the failure to belong to `current`, the revision that the source shows now (default:
 * any of `wanted`): while a newer one is on its way the failure of ours is not the last word.
 */
export function judgeKustomization(
  object: KustomizationObject,
  wanted: ReadonlySet<string> | undefined,
  current?: string,
): Judgement {
  const { ref, ready } = object;
  const standing = judgeStanding(object);
  if (standing) return standing;
  const at = (target: string | undefined) => wanted === undefined || (target !== undefined && wanted.has(target));
  const attempted = at(object.lastAttempted);
  const latest = attempted && (current === undefined || object.lastAttempted === current);
  const applied =
    at(object.lastApplied) && attempted && (wanted === undefined || object.lastApplied === object.lastAttempted);
  const idle = object.reconciling?.status !== 'True';
  if (ready?.status === 'True' && !ready.stale && applied && object.observed && idle) {
    return judged(ref, 'ready', ready.reason, ready.message, { applied: true });
  }
  const failing = ready?.status === 'False' && !ready.stale ? ready : undefined;
  if (failing && SETTINGS.has(failing.reason)) return judged(ref, 'failed', failing.reason, failing.message);
  if (failing?.reason === 'ArtifactFailed') {
    // Comes before lastAttemptedRevision is set: on first deployments, after restarts of the source controller, and for a wrong path.
    return judged(ref, 'progressing', failing.reason, failing.message, { grace: 'artifact' });
  }
  if (failing && latest && !PASSING.has(failing.reason)) {
    // With a source of its own nothing binds the failure to the present spec but the condition's own generation.
    if (wanted === undefined && !failing.present)
      return judged(ref, 'progressing', failing.reason, failing.message, { grace: 'release' });
    return PLAIN.has(failing.reason)
      ? judged(ref, 'failed', failing.reason, failing.message)
      : judged(ref, 'progressing', failing.reason, failing.message, { grace: 'apply' });
  }
  const past = object.newest;
  if (
    wanted !== undefined &&
    latest &&
    ready?.status === 'Unknown' &&
    past &&
    past.target === object.lastAttempted &&
    past.reason.endsWith('Failed')
  ) {
    // Ready goes back to Unknown at every retry; the history keeps what the last run of this revision came to.
    return judged(ref, 'failed', past.reason, failureText(object));
  }
  // With Flux's own health check running the objects are applied.
  const checking = attempted && object.healthy?.status === 'Unknown';
  return judged(ref, 'progressing', ready?.reason ?? 'Pending', waitingText(object, attempted), {
    applied: checking || applied,
    trying: !attempted && ready?.status === 'Unknown',
  });
}

function failureText(object: KustomizationObject): string {
  const healthy = object.healthy;
  return healthy?.status === 'False' && healthy.message
    ? healthy.message
    : 'the last run of this revision failed; Flux is trying again';
}

function waitingText(object: KustomizationObject, attempted: boolean): string {
  const { ready, reconciling } = object;
  if (ready?.status === 'False' && ready.reason === 'DependencyNotReady') return ready.message;
  if (reconciling?.status === 'True' && reconciling.message) return oneLine(reconciling.message);
  return attempted ? 'the wanted revision is being applied' : 'waiting for the wanted revision to be applied';
}
