import type { ObjectRef } from '../notify/request.ts';
import { hasChart, isBuiltFrom, judgeHelmRelease, type HelmReleaseObject } from './helmrelease.ts';
import { isWorkload, keyOf, watchedKinds, type InventoryEntry, type KindName } from './kinds.ts';
import { judgeKustomization, type KustomizationObject } from './kustomization.ts';
import { judged, judgeStanding, type Judgement } from './readiness.ts';
import { targetOf, type SourceObject } from './source.ts';
import type { ClusterView, Consumer } from './view.ts';

/** A kind that must be read before a decision: in all namespaces (null) or one, listed at `after` or later. */
export interface Need {
  readonly kind: KindName;
  readonly namespace: string | null;
  readonly after: number;
}

/** An object that was asked to take up new inputs: what `status.lastHandledReconcileAt` was before, and the answer. */
export interface Asked {
  readonly before: string | undefined;
  readonly answer: 'pending' | 'done' | 'forbidden' | 'missing';
}

/** What the walk needs to know. */
export interface ChainInput {
  readonly view: ClusterView;
  readonly sources: readonly SourceObject[];
  readonly roots: readonly Consumer[];
  /** Revisions that count as ours. */
  readonly wanted: ReadonlySet<string>;
  readonly health: 'workloads' | 'applied';
  readonly asked: ReadonlyMap<string, Asked>;
  /** Our own revision, and whether its commit touches these paths (joined by line breaks). */
  readonly ours: string;
  readonly touched: ReadonlyMap<string, boolean>;
  /** When something was first seen without a break. */
  readonly since: (what: string) => number;
  /** What is remembered between looks; `completed <key>` for jobs that were seen to have completed. */
  readonly seen: Set<string>;
  /** Has it been seen without a break for so many milliseconds? */
  readonly stoodFor: (what: string, ms: number) => boolean;
}

/**
 * All that takes part, judged, from the source's consumers down; `asks` are objects whose inputs may have changed,
 * `touches` paths of which must be known whether our commit touches them.
 */
export interface Chain {
  readonly judgements: readonly Judgement[];
  readonly needs: readonly Need[];
  readonly asks: readonly ObjectRef[];
  readonly touches: readonly string[];
}

/**
 * Walks from the consumers of a source through their inventories. Descendants are judged once the object that applies
 * them is ready at the wanted revision, against lists begun after that was seen: watches of different kinds are not
 * ordered, so an older state of a child would else pass for the new one.
 */
export function walkChain(input: ChainInput): Chain {
  const { view, wanted } = input;
  const judgements: Judgement[] = [];
  const needs: Need[] = [];
  const asks: ObjectRef[] = [];
  const touches: string[] = [];
  const visited = new Set<string>();
  const ours = new Map(input.sources.map((source) => [source.key, source]));
  /** Everything that the chain applied so far, as `Kind/namespace/name`. */
  const applied = new Set<string>();
  const queue: { readonly consumer: Consumer; readonly after: number }[] = input.roots.map((consumer) => ({
    consumer,
    after: 0,
  }));
  const releases: { readonly release: HelmReleaseObject; readonly after: number }[] = [];

  /** Is the kind readable there, and listed late enough? If not, the judgement says why. */
  function unread(kind: KindName, ref: ObjectRef, after: number): Judgement | undefined {
    const access = view.access(kind, ref.namespace);
    if (access.state === 'forbidden')
      return judged(
        ref,
        'unknown',
        'Forbidden',
        `no right to list ${describeKind(kind)} in namespace ${ref.namespace}`,
      );
    if (access.state === 'missing')
      return judged(ref, 'unknown', 'Missing', `the cluster does not know ${describeKind(kind)}`);
    if (access.state === 'listed' && access.freshAt >= after) return undefined;
    needs.push({ kind, namespace: ref.namespace, after });
    return judged(ref, 'progressing', 'Reading', 'waiting for its state to be read');
  }

  /** Inputs (ConfigMaps, Secrets) change neither generation nor revision: ask, then await the answer. */
  function awaitInputs(object: Consumer): Judgement | undefined {
    const { ref } = object;
    const input_ = object.inputs.find((one) => {
      const [kind = '', name = ''] = one.split('/');
      return applied.has(keyOf({ kind, namespace: ref.namespace, name }));
    });
    if (input_ === undefined) return undefined;
    const asked = input.asked.get(object.key);
    if (!asked) asks.push(ref);
    if (!asked || asked.answer === 'pending' || (asked.answer === 'done' && object.handled === asked.before))
      return judged(ref, 'progressing', 'InputsChanged', `asked to take up ${input_.replace('/', ' ')}`);
    if (asked.answer === 'done') return undefined;
    return judged(
      ref,
      'unknown',
      asked.answer === 'forbidden' ? 'Forbidden' : 'Missing',
      `whether it took up ${input_.replace('/', ' ')} cannot be told: no right to patch ${describeKind(ref.kind as KindName)}`,
    );
  }

  function descend(
    object: Consumer,
    inventory: readonly InventoryEntry[],
    judgeWorkloads: boolean,
    checked: ReadonlySet<string> = new Set(),
  ): void {
    const after = input.since(`ready ${object.key}`);
    for (const entry of inventory) applied.add(keyOf(entry));
    for (const entry of inventory) {
      const ref: ObjectRef = { kind: entry.kind, namespace: entry.namespace, name: entry.name };
      const key = keyOf(ref);
      if (visited.has(key)) continue;
      if (isFlux(entry, 'Kustomization') || isFlux(entry, 'HelmRelease')) {
        const kind = entry.kind as 'Kustomization' | 'HelmRelease';
        // Children of the same kind come in the same stream, in order.
        const missing = unread(kind, ref, kind === object.ref.kind ? 0 : after);
        const child = kind === 'Kustomization' ? view.kustomization(ref) : view.helmRelease(ref);
        if (missing || !child) {
          visited.add(key);
          judgements.push(
            missing ?? judged(ref, 'progressing', 'NotFound', 'it was applied but is not there', { grace: 'gone' }),
          );
        } else queue.push({ consumer: child, after });
      } else if (judgeWorkloads && isWorkload(entry.kind, entry.group) && !checked.has(key)) {
        visited.add(key);
        judgements.push(unread(entry.kind, ref, after) ?? judgeWorkload(ref));
      }
    }
  }

  /** A job may be removed as soon as it has ended (ttlSecondsAfterFinished), well or not. */
  function judgeWorkload(ref: ObjectRef): Judgement {
    const found = view.workload(ref)?.judgement;
    const completed = `completed ${keyOf(ref)}`;
    if (found?.state === 'ready' && ref.kind === 'Job') input.seen.add(completed);
    if (found) return found;
    if (input.seen.has(completed))
      return judged(ref, 'ready', 'Completed', 'the job has completed, and is gone', { applied: true });
    const text = 'it was applied but is not there';
    return ref.kind === 'Job'
      ? judged(ref, 'progressing', 'NotFound', `${text}: whether the job ended well cannot be told`, {
          grace: 'gone',
          becomes: 'unknown',
        })
      : judged(ref, 'progressing', 'NotFound', text, { grace: 'gone' });
  }

  function visitKustomization(object: KustomizationObject, after: number): void {
    const source = ours.get(keyOf(object.source));
    const own = source ? undefined : changedSource(object.source, after);
    if (own && 'state' in own && !object.suspended && !object.deleting) return void judgements.push(own);
    const target = own && 'target' in own ? own.target : undefined;
    const revisions = source ? wanted : target === undefined ? undefined : new Set([target]);
    let judgement = judgeKustomization(object, revisions, source?.target);
    if (judgement.state === 'ready') judgement = awaitInputs(object) ?? judgement;
    judgements.push(judgement);
    if (judgement.state !== 'ready') return;
    if (object.remote)
      return seeNothingOf(
        object,
        object.inventory.filter((entry) => !object.checked.has(keyOf(entry))),
      );
    descend(object, object.inventory, input.health === 'workloads' && !object.waits, object.checked);
  }

  /** What was applied to another cluster is not seen from here: only Flux's own waiting there says something. */
  function seeNothingOf(object: Consumer, inventory: readonly InventoryEntry[]): void {
    const unseen = inventory.some(
      (entry) =>
        isFlux(entry, 'Kustomization') ||
        isFlux(entry, 'HelmRelease') ||
        (input.health === 'workloads' && isWorkload(entry.kind, entry.group)),
    );
    if (object.waits || !unseen) return;
    const why =
      'it applies to another cluster (spec.kubeConfig), which is not seen from here, and does not wait for it';
    judgements.push(judged(object.ref, 'unknown', 'AnotherCluster', why, { applied: true }));
  }

  /**
   * The source of a descendant, where our own revision applied it: it must have settled before what it feeds can be
   * judged. Undefined for sources that are none of ours.
   */
  function changedSource(ref: ObjectRef, after: number): SourceObject | Judgement | undefined {
    if (!applied.has(keyOf(ref)) || (ref.kind !== 'OCIRepository' && ref.kind !== 'GitRepository')) return undefined;
    const missing = unread(ref.kind, ref, after);
    if (missing) return missing;
    const source = view.source(ref);
    if (!source) return judged(ref, 'progressing', 'NotFound', 'it was applied but is not there', { grace: 'gone' });
    const standing = judgeStanding(source);
    if (standing) return standing;
    const { ready, reconciling } = source;
    if (source.observed && ready?.status === 'True' && !ready.stale && reconciling?.status !== 'True') return source;
    const failing = ready?.status === 'False' && !ready.stale;
    return judged(
      ref,
      'progressing',
      ready?.reason ?? 'Pending',
      ready?.message ?? 'waiting for its artifact',
      failing ? { grace: 'fetch' } : {},
    );
  }

  function visitHelmRelease(release: HelmReleaseObject, after: number): void {
    const chart = release.suspended || release.deleting ? false : chartState(release, after);
    if (typeof chart !== 'boolean') return void judgements.push(chart);
    let judgement = judgeHelmRelease(release, chart);
    if (judgement.state === 'ready') judgement = missedChange(release) ?? awaitInputs(release) ?? judgement;
    judgements.push(judgement);
    if (judgement.state !== 'ready' || input.health !== 'workloads' || release.waits) return;
    if (release.remote) return seeNothingOf(release, release.inventory ?? []);
    if (release.inventory) return descend(release, release.inventory, true);
    const why = 'the release does not wait for its workloads and lists no inventory (Flux ≥ 2.8 does)';
    judgements.push(judged(release.ref, 'unknown', 'NotWaited', why, { applied: true }));
  }

  /**
   * A chart from git is packaged anew only when its version changes (source-controller, internal/helm/chart): what our
   * commit changed inside a chart that stands since before our commit came is not deployed, however ready all is. The
   * times compared are both the cluster's.
   */
  function missedChange(release: HelmReleaseObject): Judgement | undefined {
    const chart = release.chart && view.helmChart(release.chart);
    const source = ours.get(keyOf(release.source));
    if (!chart || chart.byRevision || source?.target !== input.ours || source.ref.kind !== 'GitRepository')
      return undefined;
    if (!chart.storedAt || !source.storedAt || chart.storedAt >= source.storedAt) return undefined;
    const paths = chart.paths.join('\n');
    const touched = input.touched.get(paths);
    if (touched === false) return undefined;
    if (touched === undefined) {
      touches.push(paths);
      return judged(release.ref, 'progressing', 'Reading', 'looking whether the commit changed the chart');
    }
    const why = `the commit changed ${chart.paths.join(', ')}, but not the chart’s version (${chart.revision}), so Flux does not deploy it: raise the version, or set reconcileStrategy: Revision`;
    return judged(release.ref, 'failed', 'ChartVersionUnchanged', why);
  }

  /** Has the chart that is wanted arrived in the release? A judgement where that cannot be told yet. */
  function chartState(release: HelmReleaseObject, after: number): boolean | Judgement {
    const source = ours.get(keyOf(release.source)) ?? changedSource(release.source, after);
    if (!source) return true;
    if ('state' in source) return source;
    if (release.source.kind === 'OCIRepository')
      return source.revision !== undefined && hasChart(release, source.revision);
    // From git: the HelmChart says which commit it was built from.
    if (!release.chart) return judged(release.ref, 'progressing', 'ChartNotReady', 'waiting for its HelmChart');
    const missing = unread('HelmChart', release.chart, after);
    if (missing) return missing;
    const chart = view.helmChart(release.chart);
    if (chart?.builtFrom === undefined || chart.revision === undefined) return false;
    const built = targetOf(chart.builtFrom);
    const isWanted = ours.has(source.key) ? wanted.has(built) : built === source.target;
    return isWanted && isBuiltFrom(chart, built, input.stoodFor) && hasChart(release, chart.revision);
  }

  for (let next = queue.shift(); next; next = queue.shift()) {
    const { consumer } = next;
    if (visited.has(consumer.key)) continue;
    visited.add(consumer.key);
    if (consumer.ref.kind === 'Kustomization') visitKustomization(consumer as KustomizationObject, next.after);
    else releases.push({ release: consumer as HelmReleaseObject, after: next.after });
    if (queue.length === 0) for (const { release, after } of releases.splice(0)) visitHelmRelease(release, after);
  }
  return { judgements, needs, asks, touches };
}

function isFlux(entry: InventoryEntry, kind: 'Kustomization' | 'HelmRelease'): boolean {
  return entry.kind === kind && entry.group === watchedKinds[kind].group;
}

/** A kind for messages about rights: "deployments (apps)". */
export function describeKind(kind: KindName): string {
  const known = watchedKinds[kind];
  return `${known.plural} (${known.group || 'core'})`;
}
