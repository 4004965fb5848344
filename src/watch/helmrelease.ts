import type { ObjectRef } from '../notify/request.ts';
import type { KubernetesObject } from '../systems/cluster.ts';
import { digestOfRevision } from '../revision.ts';
import { fieldsOf, itemsOf, numberOf, textOf } from './fields.ts';
import { parseInventoryId, type InventoryEntry } from './kinds.ts';
import { inputOf, normalizePath } from './kustomization.ts';
import { judged, judgeStanding, readFluxObject, type FluxObject, type Judgement } from './readiness.ts';

/** A HelmRelease, as far as its verdict needs. */
export interface HelmReleaseObject extends FluxObject {
  /** The chart's source: of chartRef (an OCIRepository or HelmChart), or of the chart template. */
  readonly source: ObjectRef;
  /** The HelmChart made from the chart template, once known. */
  readonly chart: ObjectRef | undefined;
  /** Path of the chart in a GitRepository, normalized; undefined otherwise. */
  readonly chartPath: string | undefined;
  readonly attemptedGeneration: boolean;
  /** Chart version, with `+<12 hex>` of the digest for OCI charts. */
  readonly lastAttempted: string | undefined;
  /** The controller writes the whole revision (`staging@sha256:…`) unless the tag is a version. */
  readonly lastAttemptedDigest: string | undefined;
  readonly newest: { readonly version: string; readonly status: string } | undefined;
  /** Flux itself waits for the workloads (neither install nor upgrade says `disableWait`). */
  readonly waits: boolean;
  /** It installs into another cluster (`spec.kubeConfig`). */
  readonly remote: boolean;
  /** status.inventory (Flux ≥ 2.8); undefined where the controller does not write it. */
  readonly inventory: readonly InventoryEntry[] | undefined;
  /** ConfigMaps and Secrets of valuesFrom, as `Kind/name`. */
  readonly inputs: readonly string[];
}

/** Reads a HelmRelease. */
export function readHelmRelease(object: KubernetesObject): HelmReleaseObject {
  const spec = fieldsOf(object.spec);
  const status = fieldsOf(object.status);
  const namespace = object.metadata.namespace ?? '';
  const template = fieldsOf(fieldsOf(spec['chart'])['spec']);
  const reference = fieldsOf(spec['chartRef'] ?? template['sourceRef']);
  const source: ObjectRef = {
    kind: textOf(reference['kind']) ?? '',
    namespace: textOf(reference['namespace']) ?? namespace,
    name: textOf(reference['name']) ?? '',
  };
  const [chartNamespace, chartName] = (textOf(status['helmChart']) ?? '').split('/');
  const newest = fieldsOf(itemsOf(status['history'])[0]);
  const chartPath = textOf(template['chart']);
  const inventory = fieldsOf(status['inventory'])['entries'];
  return {
    ...readFluxObject(object),
    source,
    chart:
      source.kind === 'HelmChart'
        ? source
        : chartNamespace && chartName
          ? { kind: 'HelmChart', namespace: chartNamespace, name: chartName }
          : undefined,
    chartPath: source.kind === 'GitRepository' && chartPath !== undefined ? normalizePath(chartPath) : undefined,
    attemptedGeneration:
      object.metadata.generation === undefined ||
      numberOf(status['lastAttemptedGeneration']) === object.metadata.generation,
    lastAttempted: textOf(status['lastAttemptedRevision']),
    lastAttemptedDigest: digestOfRevision(textOf(status['lastAttemptedRevisionDigest']) ?? ''),
    newest:
      textOf(newest['status']) === undefined
        ? undefined
        : { version: textOf(newest['chartVersion']) ?? '', status: textOf(newest['status']) ?? '' },
    waits: fieldsOf(spec['install'])['disableWait'] !== true && fieldsOf(spec['upgrade'])['disableWait'] !== true,
    remote: spec['kubeConfig'] !== undefined,
    inventory: Array.isArray(inventory)
      ? inventory.flatMap((entry) => {
          const id = textOf(fieldsOf(entry)['id']);
          return (id === undefined ? undefined : parseInventoryId(id)) ?? [];
        })
      : undefined,
    inputs: itemsOf(spec['valuesFrom']).map(inputOf),
  };
}

/** A HelmChart: which revision of its source was looked at last, and the chart that stands. */
export interface HelmChartObject extends FluxObject {
  readonly source: ObjectRef;
  readonly builtFrom: string | undefined;
  /** The chart's version; with `reconcileStrategy: Revision` and `+<12 hex>` of the commit. */
  readonly revision: string | undefined;
  readonly byRevision: boolean;
  /** When the chart was packaged (RFC 3339, UTC, by the cluster's clock). */
  readonly storedAt: string | undefined;
  /** What it is packaged of: the chart's folder and values files, repository paths. */
  readonly paths: readonly string[];
}

/** Reads a HelmChart. */
export function readHelmChart(object: KubernetesObject): HelmChartObject {
  const spec = fieldsOf(object.spec);
  const sourceRef = fieldsOf(spec['sourceRef']);
  const status = fieldsOf(object.status);
  return {
    ...readFluxObject(object),
    source: {
      kind: textOf(sourceRef['kind']) ?? '',
      namespace: object.metadata.namespace ?? '',
      name: textOf(sourceRef['name']) ?? '',
    },
    builtFrom: textOf(status['observedSourceArtifactRevision']),
    revision: textOf(fieldsOf(status['artifact'])['revision']),
    byRevision: spec['reconcileStrategy'] === 'Revision',
    storedAt: textOf(fieldsOf(status['artifact'])['lastUpdateTime']),
    paths: [spec['chart'], ...itemsOf(spec['valuesFiles'])].flatMap((path) => {
      const text = textOf(path);
      return text === undefined ? [] : [normalizePath(text)];
    }),
  };
}

/** Times (milliseconds) within which the fields of one object may contradict each other. */
const FIELDS_SETTLE_MS = 1_500;

/**
 * Does the chart that stands come from this commit? source-controller writes `observedSourceArtifactRevision` first, then
 * Ready, then the artifact, some ten milliseconds apart: beside the new commit stands the old chart for a while. A chart
 * by revision names its commit; of another the fields count when they have stood together for `FIELDS_SETTLE_MS`.
 */
export function isBuiltFrom(
  chart: HelmChartObject,
  commit: string,
  stoodFor: (what: string, ms: number) => boolean,
): boolean {
  if (chart.revision === undefined) return false;
  if (chart.byRevision) return chart.revision.endsWith(`+${commit.slice(0, 12)}`);
  const idle = chart.reconciling?.status !== 'True' && chart.ready?.status === 'True' && chart.observed;
  return idle && stoodFor(`chart ${chart.key} ${commit} ${chart.revision}`, FIELDS_SETTLE_MS);
}

/** Has the release taken up this chart revision? For OCI the digest is compared, else the version. */
export function hasChart(release: HelmReleaseObject, revision: string): boolean {
  const digest = digestOfRevision(revision);
  if (digest === undefined) return release.lastAttempted === revision;
  if (release.lastAttemptedDigest !== undefined) return release.lastAttemptedDigest === digest;
  return release.lastAttempted?.endsWith(`+${digest.slice('sha256:'.length, 'sha256:'.length + 12)}`) ?? false;
}

/** Reasons that say "not yet" rather than "no". */
const PASSING = new Set([
  'SourceNotReady',
  'DependencyNotReady',
  'Progressing',
  'ArtifactFailed',
  'HealthCheckCanceled',
  '',
]);

/**
 * How a HelmRelease stands. `arrived` says whether what it is made of (chart, values) is the wanted; until then neither
 * green nor red counts. A failure is final only when the release is stalled: before that Flux retries or rolls back, and
 * after a rollback the workloads are healthy at the old version while Ready stays False. A release that is not being
 * worked on and stays failed counts after a grace.
 */
export function judgeHelmRelease(release: HelmReleaseObject, arrived: boolean): Judgement {
  const { ref, ready } = release;
  const standing = judgeStanding(release);
  if (standing) return standing;
  const busy = release.reconciling?.status === 'True';
  if (!arrived) return judged(ref, 'progressing', 'Pending', 'waiting for the chart and values wanted');
  const failing = ready?.status === 'False' && !ready.stale ? ready : undefined;
  const { stalled } = release;
  if (stalled?.status === 'True' && !stalled.stale && (release.attemptedGeneration || stalled.present)) {
    const cause = failing ?? stalled;
    return judged(
      ref,
      'failed',
      cause.reason,
      [stalled.message, cause.message]
        .filter((text, index, all) => text !== '' && all.indexOf(text) === index)
        .join(': '),
    );
  }
  const deployed =
    release.newest === undefined ||
    (release.newest.status === 'deployed' &&
      (release.lastAttempted === undefined || sameVersion(release.newest.version, release.lastAttempted)));
  if (
    ready?.status === 'True' &&
    !ready.stale &&
    !busy &&
    release.observed &&
    release.attemptedGeneration &&
    deployed
  ) {
    return judged(ref, 'ready', ready.reason, ready.message, { applied: true });
  }
  if (failing && !busy && release.attemptedGeneration && !PASSING.has(failing.reason)) {
    return judged(ref, 'progressing', failing.reason, failing.message, { grace: 'release' });
  }
  const text = failing?.message ?? (busy ? release.reconciling?.message : ready?.message) ?? '';
  return judged(ref, 'progressing', failing?.reason ?? ready?.reason ?? 'Pending', text || 'waiting for the release');
}

/**
 * Chart versions carry the digest or commit that they were made from as build metadata (OCI charts,
 * `reconcileStrategy: Revision`), and count as equal without it only where one of them has none.
 */
function sameVersion(a: string, b: string): boolean {
  const [plainA, buildA] = a.split('+');
  const [plainB, buildB] = b.split('+');
  return plainA === plainB && (buildA === undefined || buildB === undefined || buildA === buildB);
}
