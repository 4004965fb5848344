import { normalizeUrl } from '../notify/source-address.ts';
import type { ObjectRef } from '../notify/request.ts';
import type { KubernetesObject, WatchEvent } from '../systems/cluster.ts';
import { readHelmChart, readHelmRelease, type HelmChartObject, type HelmReleaseObject } from './helmrelease.ts';
import { keyOf, type KindName } from './kinds.ts';
import { readKustomization, type KustomizationObject } from './kustomization.ts';
import { textOf } from './fields.ts';
import { readSource, type SourceObject } from './source.ts';
import { readWorkload, type WorkloadObject } from './workload.ts';

/** What may be read of a kind. `freshAt`: when the newest finished list was begun; -1 before the first. */
interface Access {
  readonly state: 'pending' | 'listed' | 'forbidden' | 'missing';
  readonly freshAt: number;
}

/** What consumes a source. */
export type Consumer = KustomizationObject | HelmReleaseObject;

/** One parsed object of any kind that is read. */
type Entry = SourceObject | Consumer | HelmChartObject | WorkloadObject;

const PENDING: Access = { state: 'pending', freshAt: -1 };

/** What is known of a cluster: parsed objects with the indexes that decisions need. Kept by watches, read by `settle`. */
export interface ClusterView {
  /** Counts changes. */
  readonly version: () => number;
  replace(kind: KindName, namespace: string | null, items: readonly KubernetesObject[], begunAt: number): void;
  apply(kind: KindName, event: Exclude<WatchEvent, { type: 'gone' }>): void;
  refuse(kind: KindName, namespace: string | null, state: 'forbidden' | 'missing'): void;
  /** Access to a kind in one namespace, or in all (null). Where all may be read, so may each. */
  access(kind: KindName, namespace: string | null): Access;
  sourcesAt(normalizedUrl: string): readonly SourceObject[];
  source(ref: ObjectRef): SourceObject | undefined;
  consumersOf(source: ObjectRef): readonly Consumer[];
  kustomization(ref: ObjectRef): KustomizationObject | undefined;
  helmRelease(ref: ObjectRef): HelmReleaseObject | undefined;
  helmChart(ref: ObjectRef): HelmChartObject | undefined;
  workload(ref: ObjectRef): WorkloadObject | undefined;
  workloads(): Iterable<WorkloadObject>;
}

/** An empty view. */
export function createView(): ClusterView {
  const entries = new Map<string, Entry>();
  const versions = new Map<string, number>();
  const byKind = new Map<KindName, Set<string>>();
  const accesses = new Map<string, Access>();
  const byUrl = new Map<string, Map<string, SourceObject>>();
  const bySource = new Map<string, Map<string, Consumer>>();
  const workloads = new Map<string, WorkloadObject>();
  let version = 0;

  function into<T>(index: Map<string, Map<string, T>>, at: string, key: string, value: T | undefined): void {
    const bucket = index.get(at) ?? new Map<string, T>();
    if (value === undefined) bucket.delete(key);
    else bucket.set(key, value);
    if (bucket.size === 0) index.delete(at);
    else index.set(at, bucket);
  }

  function enter(kind: KindName, entry: Entry, add: boolean): void {
    if (kind === 'OCIRepository' || kind === 'GitRepository') {
      const source = entry as SourceObject;
      const url = textOf(source.raw.spec?.['url']);
      if (url !== undefined) into(byUrl, normalizeUrl(url), entry.key, add ? source : undefined);
    } else if (kind === 'Kustomization' || kind === 'HelmRelease') {
      const consumer = entry as Consumer;
      into(bySource, keyOf(consumer.source), entry.key, add ? consumer : undefined);
    } else if (kind !== 'HelmChart') {
      if (add) workloads.set(entry.key, entry as WorkloadObject);
      else workloads.delete(entry.key);
    }
  }

  function drop(kind: KindName, key: string): void {
    const old = entries.get(key);
    if (old) enter(kind, old, false);
    entries.delete(key);
    versions.delete(key);
    byKind.get(kind)?.delete(key);
  }

  function put(kind: KindName, object: KubernetesObject): string {
    const entry = read(kind, object);
    const old = entries.get(entry.key);
    if (old) enter(kind, old, false);
    entries.set(entry.key, entry);
    versions.set(entry.key, Number(object.metadata.resourceVersion) || 0);
    enter(kind, entry, true);
    const keys = byKind.get(kind) ?? new Set<string>();
    keys.add(entry.key);
    byKind.set(kind, keys);
    return entry.key;
  }

  const scope = (kind: KindName, namespace: string | null) => `${kind}/${namespace ?? ''}`;
  const get = (ref: ObjectRef) => entries.get(keyOf(ref));

  return {
    version: () => version,
    replace(kind, namespace, items, begunAt) {
      const kept = new Set(items.map((item) => put(kind, item)));
      for (const key of byKind.get(kind) ?? []) {
        if (!kept.has(key) && (namespace === null || entries.get(key)?.ref.namespace === namespace)) drop(kind, key);
      }
      accesses.set(scope(kind, namespace), { state: 'listed', freshAt: begunAt });
      version += 1;
    },
    apply(kind, event) {
      const { metadata } = event.object;
      const key = keyOf({ kind, namespace: metadata.namespace ?? '', name: metadata.name });
      // Two watches may serve one object: the slower one must not bring an older state back.
      if (Number(metadata.resourceVersion) < (versions.get(key) ?? 0)) return;
      if (event.type === 'deleted') drop(kind, key);
      else put(kind, event.object);
      version += 1;
    },
    refuse(kind, namespace, state) {
      accesses.set(scope(kind, namespace), { state, freshAt: -1 });
      version += 1;
    },
    access(kind, namespace) {
      const all = accesses.get(scope(kind, null));
      if (namespace === null || all?.state === 'listed' || all?.state === 'missing') return all ?? PENDING;
      return accesses.get(scope(kind, namespace)) ?? PENDING;
    },
    sourcesAt: (url) => [...(byUrl.get(url)?.values() ?? [])],
    source: (ref) => get(ref) as SourceObject | undefined,
    consumersOf: (source) => [...(bySource.get(keyOf(source))?.values() ?? [])],
    kustomization: (ref) => get(ref) as KustomizationObject | undefined,
    helmRelease: (ref) => get(ref) as HelmReleaseObject | undefined,
    helmChart: (ref) => get(ref) as HelmChartObject | undefined,
    workload: (ref) => get(ref) as WorkloadObject | undefined,
    workloads: () => workloads.values(),
  };
}

function read(kind: KindName, raw: KubernetesObject): Entry {
  const object = raw.kind === kind ? raw : { ...raw, kind };
  if (kind === 'OCIRepository' || kind === 'GitRepository') return readSource(object);
  if (kind === 'Kustomization') return readKustomization(object);
  if (kind === 'HelmRelease') return readHelmRelease(object);
  if (kind === 'HelmChart') return readHelmChart(object);
  return readWorkload(object);
}
