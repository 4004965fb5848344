import { createHash } from 'node:crypto';
import { ApplyError, applyObjects, inventoryEntry, type InventoryEntry, prune } from '../flux/apply.ts';
import { goDuration, milliseconds } from '../flux/duration.ts';
import type { StatusDraft } from '../flux/status.ts';
import { waitForHealth } from '../flux/wait.ts';
import { emit, kindOf, type Key, type World } from '../flux/world.ts';
import type { ClusterObject } from '../handle.ts';
import { at, type Fields, fields, list, spec } from '../store/object.ts';
import { type Chart, renderObjects } from './chart.ts';
import { recordRelease, type StoredRelease } from './history.ts';
import { TemplateError } from './lex.ts';

/** One try to bring a HelmRelease to a chart and values. */
export interface Attempt {
  readonly world: World;
  readonly key: Key;
  readonly object: ClusterObject;
  readonly draft: StatusDraft;
  readonly signal: AbortSignal;
  readonly chart: Chart;
  /** Chart version with source digest, e.g. `1.2.0+a8b693168294`. */
  readonly revision: string;
  readonly ociDigest: string;
  readonly values: Fields;
  readonly configDigest: string;
  readonly name: string;
  readonly namespace: string;
  /** Releases made so far, newest first; grows. */
  readonly stored: StoredRelease[];
}

/** How an action ended. `isReleased`: a release was recorded (a rendering error makes none). */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly isReleased: boolean };

/** `spec.<action>.timeout`, else `spec.timeout`, else 5 minutes, in milliseconds. */
function timeoutOf(object: ClusterObject, action: string): number {
  return milliseconds(at(object, 'spec', action, 'timeout'), milliseconds(spec(object)['timeout'], 300_000));
}

function snapshotOf(attempt: Attempt, version: number, status: string, objects: readonly ClusterObject[]): Fields {
  const time = new Date(attempt.world.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    apiVersion: 'v2',
    appVersion: attempt.chart.appVersion,
    chartName: attempt.chart.name,
    chartVersion: attempt.revision,
    configDigest: attempt.configDigest,
    digest: `sha256:${createHash('sha256')
      .update(JSON.stringify([version, status, objects]))
      .digest('hex')}`,
    firstDeployed: attempt.stored.at(-1)?.snapshot['firstDeployed'] ?? time,
    lastDeployed: time,
    name: attempt.name,
    namespace: attempt.namespace,
    ...(attempt.ociDigest === '' ? {} : { ociDigest: attempt.ociDigest }),
    status,
    version,
  };
}

/** Says that an action runs, as both conditions. */
async function announce(attempt: Attempt, action: 'install' | 'upgrade' | 'rollback' | 'uninstall'): Promise<void> {
  const message = `Running '${action}' action with timeout of ${goDuration(timeoutOf(attempt.object, action))}`;
  attempt.draft.set('Reconciling', 'True', 'Progressing', message);
  if (action === 'install' || action === 'upgrade') attempt.draft.set('Ready', 'Unknown', 'Progressing', message);
  attempt.draft.rest['lastAttemptedReleaseAction'] = action;
  await attempt.draft.write();
}

/** Inventory of objects, applied or not. */
function inventoryOf(world: World, objects: readonly ClusterObject[]): readonly InventoryEntry[] {
  return objects
    .flatMap((object) => {
      const resource = world.store.kinds.byKind(object.apiVersion, object.kind);
      if (!resource) return [];
      const namespace = resource.namespaced ? (object.metadata.namespace ?? null) : null;
      return [inventoryEntry({ resource, namespace, name: object.metadata.name, version: resource.version })];
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Applies objects as the release's, deletes what is no longer among them, waits for health. Resolves to the error, or null. */
async function bring(
  attempt: Attempt,
  objects: readonly ClusterObject[],
  action: 'install' | 'upgrade' | 'rollback',
): Promise<string | null> {
  const { world, key, object, draft } = attempt;
  const labels = {
    'app.kubernetes.io/managed-by': 'Helm',
    'helm.toolkit.fluxcd.io/name': key.name,
    'helm.toolkit.fluxcd.io/namespace': key.namespace,
  };
  const placed = objects.map((one): ClusterObject => {
    const isNamespaced = world.store.kinds.byKind(one.apiVersion, one.kind)?.namespaced ?? true;
    return isNamespaced
      ? { ...one, metadata: { ...one.metadata, namespace: one.metadata.namespace ?? attempt.namespace } }
      : one;
  });
  try {
    const namespaces = kindOf(world.store, 'Namespace');
    if (
      action === 'install' &&
      at(object, 'spec', 'install', 'createNamespace') === true &&
      !world.store.find(namespaces, null, attempt.namespace)
    ) {
      world.store.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: attempt.namespace } });
    }
    const before = list(at(draft.rest['inventory'], 'entries')) as readonly InventoryEntry[];
    const entries = inventoryOf(world, placed);
    draft.rest['inventory'] = { entries };
    const applied = applyObjects(world, placed, labels, 'helm-controller');
    prune(world, before, entries);
    if (at(object, 'spec', action, 'disableWait') === true) return null;
    const waited = await waitForHealth(world, applied, timeoutOf(object, action), attempt.signal, () => null);
    return waited.outcome === 'healthy' ? null : waited.message;
  } catch (error) {
    if (error instanceof ApplyError) return error.helm;
    throw error;
  }
}

function failed(attempt: Attempt, action: 'install' | 'upgrade', why: string): void {
  const { draft, name, namespace, chart, revision } = attempt;
  const reason = action === 'install' ? 'InstallFailed' : 'UpgradeFailed';
  const message = `Helm ${action} failed for release ${namespace}/${name} with chart ${chart.name}@${revision}: ${why}`;
  draft.rest['failures'] = Number(draft.rest['failures'] ?? 0) + 1;
  draft.set('Released', 'False', reason, message);
  draft.set('Ready', 'False', reason, message);
  draft.unset('Remediated');
  emit(attempt.world, attempt.object, { by: 'helm-controller', type: 'Warning', reason, message });
}

/** Installs or upgrades. Conditions and history are set; the last write is the caller's. */
export async function release(attempt: Attempt, action: 'install' | 'upgrade'): Promise<Outcome> {
  const { draft, world, name, namespace, chart, revision } = attempt;
  if (action === 'install') delete draft.rest['history'];
  await announce(attempt, action);
  const began = performance.now();
  const version = (attempt.stored[0]?.version ?? 0) + 1;
  let objects: readonly ClusterObject[];
  try {
    objects = renderObjects(
      chart,
      attempt.values,
      { name, namespace, revision: version, isInstall: action === 'install' },
      'v1.36.4',
    );
  } catch (error) {
    if (!(error instanceof TemplateError) && !(error instanceof Error && error.name === 'YAMLParseError')) throw error;
    failed(attempt, action, error.message);
    return { ok: false, isReleased: false };
  }
  const error = await bring(attempt, objects, action);
  draft.rest['lastAttemptedReleaseActionDuration'] = goDuration(performance.now() - began);
  const snapshot = snapshotOf(attempt, version, error === null ? 'deployed' : 'failed', objects);
  attempt.stored.unshift({ version, objects, snapshot });
  recordRelease(draft.rest, snapshot);
  if (error !== null) {
    const counter = action === 'install' ? 'installFailures' : 'upgradeFailures';
    draft.rest[counter] = Number(draft.rest[counter] ?? 0) + 1;
    failed(attempt, action, error);
    return { ok: false, isReleased: true };
  }
  const reason = action === 'install' ? 'InstallSucceeded' : 'UpgradeSucceeded';
  const message = `Helm ${action} succeeded for release ${namespace}/${name}.v${version} with chart ${chart.name}@${revision}`;
  draft.set('Released', 'True', reason, message);
  draft.set('Ready', 'True', reason, message);
  draft.unset('Remediated');
  for (const counter of ['failures', 'installFailures', 'upgradeFailures']) delete draft.rest[counter];
  emit(world, attempt.object, { by: 'helm-controller', type: 'Normal', reason, message });
  return { ok: true };
}

/** Goes back to the last deployed release. The new release shows in the history unless this was the last try. */
export async function rollBack(attempt: Attempt, isLast: boolean): Promise<boolean> {
  const { draft } = attempt;
  const before = attempt.stored.find(({ snapshot }) => ['deployed', 'superseded'].includes(String(snapshot['status'])));
  if (!before) return false;
  await announce(attempt, 'rollback');
  await bring(attempt, before.objects, 'rollback');
  const version = (attempt.stored[0]?.version ?? 0) + 1;
  const snapshot = { ...before.snapshot, version, status: 'deployed' };
  attempt.stored.unshift({ version, objects: before.objects, snapshot });
  if (!isLast) recordRelease(draft.rest, snapshot);
  const label = `${attempt.namespace}/${attempt.name}.v${before.version} with chart ${attempt.chart.name}@${String(before.snapshot['chartVersion'])}`;
  const message = `Helm rollback to previous release ${label} succeeded`;
  draft.set('Remediated', 'True', 'RollbackSucceeded', message);
  draft.set('Ready', 'False', 'RollbackSucceeded', message);
  emit(attempt.world, attempt.object, { by: 'helm-controller', type: 'Normal', reason: 'RollbackSucceeded', message });
  return true;
}

/** Removes what the release brought. */
export function uninstall(world: World, status: Fields): void {
  prune(world, list(fields(status['inventory'])['entries']) as readonly InventoryEntry[], []);
  delete status['inventory'];
}

/** Removes a failed installation, as remediation. */
export async function remediateInstall(attempt: Attempt): Promise<void> {
  const { draft } = attempt;
  await announce(attempt, 'uninstall');
  uninstall(attempt.world, draft.rest);
  const version = attempt.stored[0]?.version ?? 1;
  const message = `Helm uninstall succeeded for release ${attempt.namespace}/${attempt.name}.v${version} with chart ${attempt.chart.name}@${attempt.revision}`;
  attempt.stored.splice(0);
  draft.rest['history'] = list(draft.rest['history']).map((one) => ({ ...fields(one), status: 'uninstalled' }));
  draft.set('Remediated', 'True', 'UninstallSucceeded', message);
  draft.set('Ready', 'False', 'UninstallSucceeded', message);
}
