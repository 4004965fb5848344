import { resourceKind, type KnownKind } from '../notify/kinds.ts';
import type { ObjectRef } from '../notify/request.ts';
import type { Clock } from '../systems/clock.ts';
import type { Cluster, KubernetesObject } from '../systems/cluster.ts';
import { firstCause } from './cause.ts';
import { formatObject, isWorkload, watchedKinds, type InventoryEntry, type KindName } from './kinds.ts';
import type { ObjectState, Verdict } from './verdict.ts';
import type { ClusterView } from './view.ts';
import { readWorkload, type WorkloadObject } from './workload.ts';

/** All reading for one explanation ends after this time, unless the caller has less. */
const LIMIT_MS = 5_000;
/** A list serves every explanation for this long. */
const KEPT_MS = 3_000;

/** Reasons that say everything themselves: no workload is to blame. */
const PLAIN = new Set([
  'BuildFailed',
  'ReconciliationFailed',
  'PruneFailed',
  'ArtifactFailed',
  'DependencyNotReady',
  'Suspended',
  'Deleting',
  'Deleted',
  'Forbidden',
]);

/** Adds the first cause to verdicts. */
export interface Explainer {
  /**
   * The verdict, with the workload that is to blame and the reason of its pods where they may be read within `limitMs`.
   * Never rejects.
   */
  explain(verdict: Verdict, limitMs?: number): Promise<Verdict>;
  /** The first cause below objects that are not ready, in one line. Never rejects. */
  cause(objects: readonly ObjectState[]): Promise<string | undefined>;
}

/**
 * Looks below a Kustomization or HelmRelease that is not ready: the workloads of its inventory, their pods, at last the
 * warnings. One list per kind and namespace for all verdicts of a moment; what may not be read is left out.
 */
export function createExplainer(cluster: Cluster, view: ClusterView, clock: Clock, signal: AbortSignal): Explainer {
  const kept = new Map<string, { readonly at: number; readonly items: Promise<readonly KubernetesObject[]> }>();

  function list(kind: KindName, namespace: string, until: AbortSignal): Promise<readonly KubernetesObject[]> {
    const key = `${kind}/${namespace}`;
    const known = kept.get(key);
    if (known && clock.now() - known.at < KEPT_MS) return known.items;
    const items = cluster.list(resourceKind(watchedKinds[kind]), namespace, until).then(
      (answer) => (typeof answer === 'string' ? [] : answer.items),
      () => [],
    );
    kept.set(key, { at: clock.now(), items });
    return items;
  }

  async function workloadsOf(
    entries: readonly InventoryEntry[],
    until: AbortSignal,
  ): Promise<readonly WorkloadObject[]> {
    const groups = Map.groupBy(
      entries.filter((entry) => isWorkload(entry.kind, entry.group)),
      (entry) => `${entry.kind}/${entry.namespace}`,
    );
    const found: WorkloadObject[] = [];
    for (const group of groups.values()) {
      const [{ kind, namespace } = { kind: '', namespace: '' }] = group;
      const names = new Set(group.map((entry) => entry.name));
      const items = await list(kind as KindName, namespace, until);
      found.push(
        ...items.filter((item) => names.has(item.metadata.name)).map((item) => readWorkload({ ...item, kind })),
      );
    }
    return found;
  }

  async function causeOf(objects: readonly ObjectState[], until: AbortSignal): Promise<string | undefined> {
    for (const state of objects) {
      if (state.reason === 'DependencyNotReady') {
        const blocked = view.kustomization(state)?.dependencies.map((ref) => view.kustomization(ref));
        const first = blocked?.find((one) => one?.ready?.status === 'False');
        if (first?.ready) return `${formatObject(first.ref)}: ${first.ready.reason}: ${first.ready.message}`;
      }
      if (state.state === 'ready' || PLAIN.has(state.reason)) continue;
      const own = inventoryOf(state, view);
      for (const entry of own) {
        const child = view.kustomization(entry) ?? view.helmRelease(entry);
        if (child?.ready?.status === 'False')
          return `${formatObject(entry)}: ${child.ready.reason}: ${child.ready.message}`;
      }
      const workloads = await workloadsOf(own, until);
      const bad =
        workloads.find((one) => one.judgement.state === 'failed') ??
        workloads.find((one) => one.judgement.state !== 'ready');
      if (!bad) continue;
      const pods = await list('Pod', bad.ref.namespace, until);
      const said = firstCause(bad, pods, []) ?? firstCause(bad, pods, await list('Event', bad.ref.namespace, until));
      return said ?? `${formatObject(bad.ref)}: ${bad.judgement.message}`;
    }
    return undefined;
  }

  async function cause(objects: readonly ObjectState[], limitMs = LIMIT_MS): Promise<string | undefined> {
    const limit = new AbortController();
    const until = AbortSignal.any([signal, limit.signal]);
    const late = clock.sleep(Math.min(LIMIT_MS, limitMs), until).then(
      () => undefined,
      () => undefined,
    );
    const found = await Promise.race([causeOf(objects, until).catch(() => undefined), late]);
    limit.abort();
    return found;
  }

  return {
    cause: (objects) => cause(objects),
    async explain(verdict, limitMs) {
      const found = await cause(verdict.objects, limitMs);
      if (found === undefined || verdict.message.includes(found)) return verdict;
      return { ...verdict, message: `${verdict.message} (${found})` };
    },
  };
}

/** The object itself where it is a workload, else what it applied. */
function inventoryOf(ref: ObjectRef, view: ClusterView): readonly InventoryEntry[] {
  const known = (watchedKinds as Readonly<Record<string, KnownKind>>)[ref.kind];
  if (known && isWorkload(ref.kind, known.group)) return [{ ...ref, group: known.group }];
  const object = view.kustomization(ref) ?? view.helmRelease(ref);
  return object?.remote === true ? [] : (object?.inventory ?? []);
}
