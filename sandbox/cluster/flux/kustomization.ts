import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterObject } from '../handle.ts';
import { at, fields, list, spec, status, text } from '../store/object.ts';
import { ApplyError, applyObjects, inventoryEntry, type InventoryEntry, prune } from './apply.ts';
import { BuildError, buildManifests } from './build.ts';
import { goDuration, milliseconds } from './duration.ts';
import { upsertHistory } from './history.ts';
import { addFinalizer, dropFinalizer, requestedAt } from './source.ts';
import { conditionOf, draftStatus, type StatusDraft } from './status.ts';
import { type Awaited, waitForHealth } from './wait.ts';
import { emit, type Key, kindOf, type World } from './world.ts';

/** A run that failed: reason and message of Ready=False. */
class RunFailure extends Error {
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

interface Source {
  readonly object: ClusterObject;
  readonly revision: string;
  readonly url: string;
  readonly originRevision: string;
}

interface Run {
  readonly world: World;
  readonly key: Key;
  readonly object: ClusterObject;
  readonly draft: StatusDraft;
  readonly source: Source;
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/** The source that an object's sourceRef (or chartRef) names. */
export function findSource(world: World, object: ClusterObject, reference: unknown): ClusterObject | undefined {
  const resource = world.store.kinds.named(text(at(reference, 'kind')));
  const namespace = text(at(reference, 'namespace')) || object.metadata.namespace || '';
  return resource && world.store.find(resource, namespace, text(at(reference, 'name')));
}

/** `spec.timeout`, else the interval less 30 s; never below 30 s (kustomize-controller GetTimeout). */
function timeoutOf(object: ClusterObject): number {
  const interval = milliseconds(spec(object)['interval'], 600_000);
  return Math.max(milliseconds(spec(object)['timeout'], interval - 30_000), 30_000);
}

function unmetDependency(world: World, object: ClusterObject): string | null {
  for (const reference of list(spec(object)['dependsOn'])) {
    const namespace = text(at(reference, 'namespace')) || (object.metadata.namespace ?? '');
    const name = `${namespace}/${text(at(reference, 'name'))}`;
    const other = world.store.find(kindOf(world.store, 'Kustomization'), namespace, text(at(reference, 'name')));
    if (!other)
      return `dependency '${name}' not found: kustomizations.kustomize.toolkit.fluxcd.io "${text(at(reference, 'name'))}" not found`;
    const isReady =
      conditionOf(other, 'Ready')?.status === 'True' &&
      status(other)['observedGeneration'] === other.metadata.generation;
    if (!isReady) return `dependency '${name}' is not ready`;
    const source = findSource(world, object, spec(object)['sourceRef']);
    const otherSource = findSource(world, other, spec(other)['sourceRef']);
    const revision = at(source, 'status', 'artifact', 'revision');
    if (source && source === otherSource && status(other)['lastAppliedRevision'] !== revision)
      return `dependency '${name}' revision is not up to date`;
  }
  return null;
}

async function report(run: Run, words: string, change: () => void = () => undefined): Promise<void> {
  const message = `${words} for revision ${run.source.revision} with a timeout of ${goDuration(run.timeout)}`;
  run.draft.set('Reconciling', 'True', 'Progressing', message);
  change();
  await run.draft.write();
}

function awaited(run: Run, applied: readonly Awaited[]): readonly Awaited[] {
  if (spec(run.object)['wait'] === true)
    return applied.filter((one) => one.resource !== run.key.resource || one.name !== run.key.name);
  return list(spec(run.object)['healthChecks']).flatMap((check) => {
    const resource = run.world.store.kinds.all().find((one) => one.kind === text(at(check, 'kind')));
    const namespace = text(at(check, 'namespace')) || (run.object.metadata.namespace ?? null);
    return resource
      ? [{ resource, namespace: resource.namespaced ? namespace : null, name: text(at(check, 'name')) }]
      : [];
  });
}

async function checkHealth(run: Run, applied: readonly Awaited[]): Promise<void> {
  const { draft, world, source, object } = run;
  const objects = awaited(run, applied);
  if (objects.length === 0) {
    draft.unset('Healthy');
    return;
  }
  const words = `Running health checks for revision ${source.revision} with a timeout of ${goDuration(run.timeout)}`;
  await report(run, 'Running health checks', () => draft.set('Healthy', 'Unknown', 'Progressing', words));
  const newer = () => {
    if (!world.isGateOpen('CancelHealthCheckOnNewRevision')) return null;
    const now = findSource(world, object, spec(object)['sourceRef']);
    const revision = text(at(now, 'status', 'artifact', 'revision'));
    return now && revision !== '' && revision !== source.revision
      ? `${now.kind}/${now.metadata.namespace}/${now.metadata.name}`
      : null;
  };
  const waited = await waitForHealth(world, objects, run.timeout, run.signal, newer);
  if (waited.outcome === 'healthy') {
    draft.set('Healthy', 'True', 'Succeeded', `Health check passed in ${waited.took}`);
    await draft.write();
    return;
  }
  const reason = waited.outcome === 'canceled' ? 'HealthCheckCanceled' : 'HealthCheckFailed';
  draft.set('Healthy', 'False', reason, waited.message);
  throw new RunFailure(
    reason,
    waited.outcome === 'canceled' ? waited.message : `health check failed after ${waited.took}: ${waited.message}`,
  );
}

async function build(run: Run) {
  const { world, object, source, signal } = run;
  const artifact = world.artifacts.find(source.url);
  if (!artifact)
    throw new RunFailure(
      'ArtifactFailed',
      `failed to download archive: GET ${source.url} giving up after 10 attempt(s)`,
    );
  const root = await world.makeFolder('kustomization');
  try {
    await cp(artifact.folder, root, { recursive: true });
    const folder = join(root, join('/', text(spec(object)['path'])));
    if (!existsSync(folder))
      throw new RunFailure('ArtifactFailed', `kustomization path not found: stat ${folder}: no such file or directory`);
    run.draft.rest['lastAttemptedRevision'] = source.revision;
    await report(run, 'Building manifests');
    return await buildManifests(world, object, folder, signal).catch((error: unknown) => {
      throw error instanceof BuildError ? new RunFailure('BuildFailed', error.message) : error;
    });
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function runOnce(run: Run): Promise<void> {
  const { world, object, draft, source, key } = run;
  const began = world.now();
  draft.set('Ready', 'Unknown', 'Progressing', 'Reconciliation in progress');
  await report(run, 'Fetching manifests');
  const built = await build(run);
  const metadata = {
    ...(source.originRevision === '' ? {} : { originRevision: source.originRevision }),
    revision: source.revision,
  };
  const entry = {
    digest: `sha256:${createHash('sha256').update(built.text).digest('hex')}`,
    began,
    now: world.now,
    metadata,
  };
  const remember = (reason: string) => upsertHistory(draft.rest, entry, reason, world.dropsHistory());
  await report(run, 'Detecting drift');
  const labels = {
    'kustomize.toolkit.fluxcd.io/name': key.name,
    'kustomize.toolkit.fluxcd.io/namespace': key.namespace,
  };
  try {
    const applied = applyObjects(world, built.objects, labels, 'kustomize-controller');
    const entries = applied.map(inventoryEntry).sort((a, b) => (a.id < b.id ? -1 : 1));
    const before = list(at(draft.rest['inventory'], 'entries')) as readonly InventoryEntry[];
    draft.rest['inventory'] = { entries };
    if (spec(object)['prune'] === true) prune(world, before, entries);
    await checkHealth(run, applied);
  } catch (error) {
    if (error instanceof ApplyError) {
      remember('ReconciliationFailed');
      throw new RunFailure('ReconciliationFailed', error.message);
    }
    if (error instanceof RunFailure && error.reason === 'HealthCheckFailed') remember(error.reason);
    throw error;
  }
  draft.rest['lastAppliedRevision'] = source.revision;
  if (source.originRevision === '') delete draft.rest['lastAppliedOriginRevision'];
  else draft.rest['lastAppliedOriginRevision'] = source.originRevision;
  draft.set('Ready', 'True', 'ReconciliationSucceeded', `Applied revision: ${source.revision}`);
  remember('ReconciliationSucceeded');
}

function finish(draft: StatusDraft, object: ClusterObject): Promise<void> {
  const asked = object.metadata.annotations?.[requestedAt];
  if (asked !== undefined) draft.rest['lastHandledReconcileAt'] = asked;
  if (draft.is('Ready', 'True')) {
    draft.unset('Reconciling');
    draft.rest['observedGeneration'] = object.metadata.generation;
  }
  const reconciling = draft.condition('Reconciling');
  if (draft.is('Ready', 'False') && reconciling)
    draft.set('Reconciling', 'True', 'ProgressingWithRetry', reconciling.message);
  return draft.write();
}

function removeAll(world: World, key: Key, object: ClusterObject): void {
  const entries = list(at(object, 'status', 'inventory', 'entries')) as readonly InventoryEntry[];
  const { prune: isPruning, suspend, deletionPolicy } = spec(object);
  const isDeleting =
    deletionPolicy === 'Delete' ||
    deletionPolicy === 'WaitForTermination' ||
    (isPruning === true && deletionPolicy !== 'Orphan');
  if (isDeleting && suspend !== true) prune(world, entries, []);
  dropFinalizer(world, key);
}

/** kustomize-controller's work on one Kustomization, in its order of writes. */
export function reconcileKustomization(world: World) {
  return async (key: Key, signal: AbortSignal): Promise<number | null> => {
    const object = world.store.find(key.resource, key.namespace, key.name);
    if (!object) return null;
    if (object.metadata.deletionTimestamp !== undefined) {
      removeAll(world, key, object);
      return null;
    }
    if (addFinalizer(world, key, object)) return 750;
    const draft = draftStatus(world, key, object, signal);
    if (spec(object)['suspend'] === true) {
      await finish(draft, object);
      return null;
    }
    const retry = milliseconds(spec(object)['retryInterval'], milliseconds(spec(object)['interval'], 600_000));
    const wait = goDuration(world.requeueDependency);
    const found = findSource(world, object, spec(object)['sourceRef']);
    const artifact = fields(at(found, 'status', 'artifact'));
    if (!found || text(artifact['revision']) === '') {
      const { kind, name } = fields(spec(object)['sourceRef']);
      const missing = `${text(kind)}.source.toolkit.fluxcd.io "${text(name)}" not found`;
      draft.set('Ready', 'False', 'ArtifactFailed', found ? `Source artifact not found, retrying in ${wait}` : missing);
      await finish(draft, object);
      return found ? world.requeueDependency : retry;
    }
    const unmet = unmetDependency(world, object);
    if (unmet !== null) {
      draft.set('Ready', 'False', 'DependencyNotReady', unmet);
      await finish(draft, object);
      return world.requeueDependency;
    }
    const originRevision = text(at(artifact, 'metadata', 'org.opencontainers.image.revision'));
    const source = { object: found, revision: text(artifact['revision']), url: text(artifact['url']), originRevision };
    const metadata = { revision: source.revision, ...(originRevision === '' ? {} : { originRevision }) };
    const run: Run = { world, key, object, draft, source, timeout: timeoutOf(object), signal };
    try {
      await runOnce(run);
      await finish(draft, object);
      emit(world, object, {
        by: 'kustomize-controller',
        type: 'Normal',
        reason: 'ReconciliationSucceeded',
        message: `Reconciliation finished, applied revision: ${source.revision}`,
        metadata: { ...metadata, commit_status: 'update' },
      });
      return milliseconds(spec(object)['interval'], 600_000);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RunFailure)) throw error;
      draft.set('Ready', 'False', error.reason, error.message);
      await finish(draft, object);
      emit(world, object, {
        by: 'kustomize-controller',
        type: 'Warning',
        reason: error.reason,
        message: error.message,
        metadata,
      });
      return error.reason === 'HealthCheckCanceled'
        ? 0
        : error.message.startsWith('failed to download')
          ? world.requeueDependency
          : retry;
    }
  };
}
