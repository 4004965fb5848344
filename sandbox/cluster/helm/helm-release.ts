import { goDuration, milliseconds } from '../flux/duration.ts';
import { findSource } from '../flux/kustomization.ts';
import { addFinalizer, dropFinalizer, requestedAt } from '../flux/source.ts';
import { conditionOf, draftStatus, type StatusDraft } from '../flux/status.ts';
import { type Key, kindOf, type World } from '../flux/world.ts';
import type { ClusterObject } from '../handle.ts';
import { at, fields, list, spec, status, text } from '../store/object.ts';
import { openChart } from './chart.ts';
import { latestRelease, type StoredRelease } from './history.ts';
import { type Attempt, release, remediateInstall, rollBack, uninstall } from './release.ts';
import { composeValues, digestOfValues, ValuesError } from './values.ts';

/** A step that ends the work for now: reason and message of Ready=False. */
class NotReady extends Error {
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Makes or updates the HelmChart of `spec.chart`; answers the object that holds the chart. */
function chartSource(world: World, key: Key, object: ClusterObject, draft: StatusDraft): ClusterObject {
  const template = fields(at(object, 'spec', 'chart', 'spec'));
  if (spec(object)['chart'] === undefined) {
    const { kind, name } = fields(spec(object)['chartRef']);
    const found = findSource(world, object, spec(object)['chartRef']);
    if (!found)
      throw new NotReady(
        'ArtifactFailed',
        `could not get Source object: ${text(kind)}.source.toolkit.fluxcd.io "${text(name)}" not found`,
      );
    return found;
  }
  const resource = kindOf(world.store, 'HelmChart');
  const reference = fields(template['sourceRef']);
  const namespace = text(reference['namespace']) || key.namespace;
  const name = `${key.namespace}-${key.name}`;
  draft.rest['helmChart'] = `${namespace}/${name}`;
  const { version = '*', chart, interval, reconcileStrategy = 'ChartVersion', valuesFiles } = template;
  return world.store.apply(
    resource,
    {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'HelmChart',
      metadata: {
        name,
        namespace,
        labels: { 'helm.toolkit.fluxcd.io/name': key.name, 'helm.toolkit.fluxcd.io/namespace': key.namespace },
      },
      spec: {
        chart,
        version,
        reconcileStrategy,
        interval: goDuration(milliseconds(interval ?? spec(object)['interval'], 600_000)),
        sourceRef: { kind: reference['kind'], name: reference['name'] },
        ...(valuesFiles === undefined ? {} : { valuesFiles }),
      },
    },
    'helm-controller',
  );
}

function demandReady(source: ClusterObject): void {
  const { kind, metadata } = source;
  const fail = (why: string): never => {
    throw new NotReady('SourceNotReady', `${kind} '${metadata.namespace}/${metadata.name}' is not ready: ${why}`);
  };
  const ready = conditionOf(source, 'Ready');
  if (ready?.status === 'False') fail(ready.message);
  const isOld = status(source)['observedGeneration'] !== metadata.generation;
  if (isOld || ready?.status !== 'True') fail('latest generation of object has not been reconciled');
  if (text(at(source, 'status', 'artifact', 'revision')) === '') fail('does not have an artifact');
}

function unmetDependency(world: World, object: ClusterObject): string | null {
  for (const reference of list(spec(object)['dependsOn'])) {
    const namespace = text(at(reference, 'namespace')) || (object.metadata.namespace ?? '');
    const name = text(at(reference, 'name'));
    const other = world.store.find(kindOf(world.store, 'HelmRelease'), namespace, name);
    if (!other)
      return `unable to get '${namespace}/${name}' dependency: helmreleases.helm.toolkit.fluxcd.io "${name}" not found`;
    const isReady =
      conditionOf(other, 'Ready')?.status === 'True' &&
      status(other)['observedGeneration'] === other.metadata.generation;
    if (!isReady) return `dependency '${namespace}/${name}' is not ready`;
  }
  return null;
}

async function prepare(
  world: World,
  key: Key,
  object: ClusterObject,
  draft: StatusDraft,
  signal: AbortSignal,
  stored: StoredRelease[],
): Promise<Attempt> {
  const source = chartSource(world, key, object, draft);
  const unmet = unmetDependency(world, object);
  if (unmet !== null) throw new NotReady('DependencyNotReady', unmet);
  demandReady(source);
  const artifact = world.artifacts.find(text(at(source, 'status', 'artifact', 'url')));
  const chart = artifact && (await openChart(world, artifact).catch((error: Error) => error));
  if (!chart || chart instanceof Error) {
    throw new NotReady('ArtifactFailed', `Could not load chart: ${chart?.message ?? 'artifact not found'}`);
  }
  const fetched = source.kind === 'OCIRepository' ? text(at(source, 'status', 'artifact', 'revision')) : '';
  const digest = fetched.replace(/^.*@/, '');
  // helm-controller mutateChartWithSourceRevision: the bare digest where the tag is a version, else the whole revision.
  const ociDigest = /^v?\d+(\.\d+){0,2}([-_+][^@]*)?@/.test(fetched) ? digest : fetched;
  const values = composeValues(world, object);
  const { targetNamespace, releaseName } = spec(object);
  const plain = text(targetNamespace) === '' ? key.name : `${text(targetNamespace)}-${key.name}`;
  return {
    world,
    key,
    object,
    draft,
    signal,
    chart,
    values,
    stored,
    ociDigest,
    revision: ociDigest === '' ? chart.version : `${chart.version.replace(/\+.*$/, '')}+${digest.slice(7, 19)}`,
    configDigest: digestOfValues(values),
    name: text(releaseName) || plain,
    namespace: text(targetNamespace) || key.namespace,
  };
}

/** After a failed action: remediation where it is due, and Stalled when no try is left. True: try again. */
async function remediate(attempt: Attempt, action: 'install' | 'upgrade'): Promise<boolean> {
  const { draft, object } = attempt;
  const rule = fields(at(object, 'spec', action, 'remediation'));
  const retries = Number(rule['retries'] ?? 0);
  const tries = Number(draft.rest[action === 'install' ? 'installFailures' : 'upgradeFailures'] ?? 0);
  const isLast = retries >= 0 && tries > retries;
  const remediatesLast =
    typeof rule['remediateLastFailure'] === 'boolean'
      ? rule['remediateLastFailure']
      : action === 'upgrade' && retries > 0;
  await draft.write();
  let stall: readonly [string, string] = ['RetriesExceeded', `Failed to ${action} after ${tries} attempt(s)`];
  if (!isLast || remediatesLast) {
    if (action === 'install') await remediateInstall(attempt);
    else if (rule['strategy'] === 'uninstall') await remediateInstall(attempt);
    else if (!(await rollBack(attempt, isLast)))
      stall = ['MissingRollbackTarget', 'Failed to perform remediation: missing target release for rollback'];
  }
  if (isLast || stall[0] === 'MissingRollbackTarget') {
    draft.unset('Reconciling');
    draft.set('Stalled', 'True', ...stall);
    draft.rest['observedGeneration'] = object.metadata.generation;
    await draft.write();
    return false;
  }
  draft.set('Reconciling', 'True', 'ProgressingWithRetry', draft.condition('Reconciling')?.message ?? '');
  await draft.write();
  return true;
}

async function settle(attempt: Attempt): Promise<number | null> {
  const { draft, object, revision, configDigest, ociDigest } = attempt;
  const { rest } = draft;
  const interval = milliseconds(spec(object)['interval'], 600_000);
  const annotations = object.metadata.annotations ?? {};
  const asks = (name: string, handled: string) =>
    annotations[name] !== undefined &&
    annotations[name] === annotations[requestedAt] &&
    annotations[name] !== rest[handled];
  const isForced = asks('reconcile.fluxcd.io/forceAt', 'lastHandledForceAt');
  const isReset = asks('reconcile.fluxcd.io/resetAt', 'lastHandledResetAt');
  if (isForced) rest['lastHandledForceAt'] = annotations[requestedAt];
  if (isReset) rest['lastHandledResetAt'] = annotations[requestedAt];
  const isNew =
    rest['lastAttemptedRevision'] !== revision ||
    rest['lastAttemptedConfigDigest'] !== configDigest ||
    rest['lastAttemptedGeneration'] !== object.metadata.generation;
  const latest = latestRelease(rest);
  const isInSync =
    latest?.['status'] === 'deployed' && latest['chartVersion'] === revision && latest['configDigest'] === configDigest;
  if (draft.is('Stalled', 'True') && !isNew && !isForced && !isReset) {
    draft.unset('Reconciling');
    await draft.write();
    return interval;
  }
  if (isNew || isReset) for (const counter of ['failures', 'installFailures', 'upgradeFailures']) delete rest[counter];
  draft.unset('Stalled');
  rest['lastAttemptedGeneration'] = object.metadata.generation;
  rest['lastAttemptedRevision'] = revision;
  rest['storageNamespace'] = text(spec(object)['storageNamespace']) || object.metadata.namespace;
  rest['lastAttemptedConfigDigest'] = configDigest;
  if (ociDigest === '') delete rest['lastAttemptedRevisionDigest'];
  else rest['lastAttemptedRevisionDigest'] = ociDigest;
  if (!isInSync || isForced) {
    const action =
      attempt.stored.length === 0 || latest === null || latest['status'] === 'uninstalled' ? 'install' : 'upgrade';
    const outcome = await release(attempt, action);
    if (!outcome.ok) {
      if (!outcome.isReleased) {
        await draft.write();
        throw new Error(`${action} failed`);
      }
      if (await remediate(attempt, action)) throw new Error(`${action} failed`);
      return interval;
    }
    await draft.write();
  } else if (!draft.is('Ready', 'True')) {
    const released = draft.condition('Released');
    draft.set('Ready', 'True', released?.reason ?? 'UpgradeSucceeded', released?.message ?? 'Release is in sync');
  }
  draft.unset('Reconciling');
  rest['observedGeneration'] = object.metadata.generation;
  await draft.write();
  return interval;
}

/** helm-controller's work on one HelmRelease, in its order of writes. */
export function reconcileHelmRelease(world: World) {
  const releases = new Map<string, StoredRelease[]>();
  return async (key: Key, signal: AbortSignal): Promise<number | null> => {
    const object = world.store.find(key.resource, key.namespace, key.name);
    if (!object) return null;
    const uid = object.metadata.uid ?? '';
    const draft = draftStatus(world, key, object, signal);
    if (object.metadata.deletionTimestamp !== undefined) {
      const [namespace, name] = text(draft.rest['helmChart']).split('/');
      const charts = kindOf(world.store, 'HelmChart');
      if (namespace && name && world.store.find(charts, namespace, name)) world.store.remove(charts, namespace, name);
      if (spec(object)['suspend'] !== true) uninstall(world, draft.rest);
      releases.delete(uid);
      dropFinalizer(world, key);
      return null;
    }
    if (addFinalizer(world, key, object)) return 750;
    const asked = object.metadata.annotations?.[requestedAt];
    if (asked !== undefined) draft.rest['lastHandledReconcileAt'] = asked;
    if (spec(object)['suspend'] === true) {
      await draft.write();
      return null;
    }
    const stored = releases.get(uid) ?? [];
    releases.set(uid, stored);
    draft.set('Reconciling', 'True', 'Progressing', 'Fulfilling prerequisites');
    if (!draft.condition('Ready')) draft.set('Ready', 'Unknown', 'Progressing', 'Fulfilling prerequisites');
    await draft.write();
    try {
      return await settle(await prepare(world, key, object, draft, signal, stored));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NotReady || error instanceof ValuesError) {
        draft.set('Ready', 'False', error instanceof NotReady ? error.reason : 'ValuesError', error.message);
        await draft.write();
        if (error instanceof NotReady && error.reason !== 'ArtifactFailed') return world.requeueDependency;
      }
      throw error;
    }
  };
}
