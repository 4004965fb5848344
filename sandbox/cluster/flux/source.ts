import { createHash } from 'node:crypto';
import type { ClusterObject } from '../handle.ts';
import { type Fields, fields, same, spec, status, text } from '../store/object.ts';
import type { StoredArtifact } from './artifacts.ts';
import { milliseconds } from './duration.ts';
import { draftStatus, type StatusDraft } from './status.ts';
import { emit, type Key, type World } from './world.ts';

/** The finalizer that all of Flux's objects carry. */
const finalizer = 'finalizers.fluxcd.io';
export const requestedAt = 'reconcile.fluxcd.io/requestedAt';

/** A source that cannot be had. `condition` is FetchFailed unless said otherwise. */
export class SourceFailure extends Error {
  readonly reason: string;
  readonly condition: string;
  /** Only a change of the object can help: Stalled, no retry. */
  readonly isFinal: boolean;
  constructor(reason: string, message: string, condition = 'FetchFailed', isFinal = false) {
    super(message);
    this.reason = reason;
    this.condition = condition;
    this.isFinal = isFinal;
  }
}

/** What a source knows about its newest revision. */
export interface Resolved {
  readonly revision: string;
  /** What is said while the revision is new: "new revision '…' for '…'". */
  readonly news: string;
  /** What is said when it stands: "stored artifact for digest '…'". */
  readonly stored: string;
  /** Reason of Ready=True; default Succeeded. */
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Other fields of status that follow the fetch, e.g. observedIgnore. */
  readonly observed?: Fields;
  /** Fields of status that are written each time and mean no new artifact. */
  readonly noted?: Fields;
  fetch(): Promise<StoredArtifact>;
}

/** Finds out the newest revision. Rejects with `SourceFailure`. */
export type Resolve = (world: World, object: ClusterObject, signal: AbortSignal) => Promise<Resolved>;

/** Id of a source in the artifact storage. */
function sourceId(object: ClusterObject): string {
  return `${object.kind.toLowerCase()}/${object.metadata.namespace}/${object.metadata.name}`;
}

/** Adds Flux's finalizer where it is missing; true when it did. */
export function addFinalizer(world: World, key: Key, object: ClusterObject): boolean {
  const standing = object.metadata.finalizers ?? [];
  if (standing.includes(finalizer)) return false;
  world.store.update(key.resource, {
    ...object,
    metadata: { ...object.metadata, finalizers: [...standing, finalizer] },
  });
  return true;
}

/** Takes Flux's finalizer away, which ends a deleted object. */
export function dropFinalizer(world: World, key: Key): void {
  const object = world.store.find(key.resource, key.namespace, key.name);
  if (!object) return;
  const finalizers = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer);
  world.store.update(key.resource, { ...object, metadata: { ...object.metadata, finalizers } });
}

/** Marks progress as source-controller does: Ready leaves False, and with `drift` also True. */
function progress(draft: StatusDraft, message: string, drift = false): void {
  draft.set('Reconciling', 'True', 'Progressing', message);
  if (draft.condition('Ready') === undefined || drift || draft.is('Ready', 'False'))
    draft.set('Ready', 'Unknown', 'Progressing', message);
}

async function store(world: World, object: ClusterObject, draft: StatusDraft, resolved: Resolved): Promise<void> {
  const before = fields(draft.rest['artifact']);
  const artifact = await resolved.fetch();
  const id = sourceId(object);
  const name = `${createHash('sha256').update(`${resolved.revision}${artifact.digest}`).digest('hex')}.tar.gz`;
  const path = `${id}/${artifact.file ?? name}`;
  const url = `http://source-controller.flux-system.svc.cluster.local./${path}`;
  await world.artifacts.keep(id, url, artifact);
  draft.rest['artifact'] = {
    digest: artifact.digest,
    lastUpdateTime: new Date(world.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
    ...(resolved.metadata && Object.keys(resolved.metadata).length > 0 ? { metadata: resolved.metadata } : {}),
    path,
    revision: resolved.revision,
    size: artifact.size,
    url,
  };
  if (object.kind !== 'GitRepository')
    draft.rest['url'] = `http://source-controller.flux-system.svc.cluster.local./${id}/latest.tar.gz`;
  if (before['digest'] !== artifact.digest) {
    const message = `stored artifact with revision '${resolved.revision}' from '${text(spec(object)['url'])}'`;
    emit(world, object, {
      by: 'source-controller',
      type: 'Normal',
      reason: 'NewArtifact',
      message,
      metadata: { revision: resolved.revision },
    });
  }
}

function succeed(draft: StatusDraft, object: ClusterObject, resolved: Resolved): void {
  draft.unset('FetchFailed');
  draft.unset('StorageOperationFailed');
  draft.unset('ArtifactOutdated');
  draft.unset('Reconciling');
  draft.unset('Stalled');
  const reason = resolved.reason ?? 'Succeeded';
  draft.set('ArtifactInStorage', 'True', reason, resolved.stored);
  draft.set('Ready', 'True', reason, resolved.stored);
  draft.rest['observedGeneration'] = object.metadata.generation;
}

async function fail(draft: StatusDraft, world: World, object: ClusterObject, failure: SourceFailure): Promise<void> {
  draft.set(failure.condition, 'True', failure.reason, failure.message);
  draft.set('Ready', 'False', failure.reason, failure.message);
  if (failure.isFinal) {
    draft.unset('Reconciling');
    draft.set('Stalled', 'True', failure.reason, failure.message);
    draft.rest['observedGeneration'] = object.metadata.generation;
  } else
    draft.set(
      'Reconciling',
      'True',
      'ProgressingWithRetry',
      draft.condition('Reconciling')?.message ?? 'reconciliation in progress',
    );
  emit(world, object, { by: 'source-controller', type: 'Warning', reason: failure.reason, message: failure.message });
  await draft.write();
}

async function begin(
  world: World,
  object: ClusterObject,
  draft: StatusDraft,
  asked: string | undefined,
): Promise<void> {
  const observed = draft.rest['observedGeneration'] ?? 0;
  progress(draft, 'reconciliation in progress');
  if (observed !== object.metadata.generation) {
    progress(draft, `processing object: new generation ${Number(observed)} -> ${object.metadata.generation}`);
    await draft.write();
  } else if (asked !== undefined && asked !== draft.rest['lastHandledReconcileAt']) await draft.write();
  const url = text(fields(draft.rest['artifact'])['url']);
  const isLost = url !== '' && !world.artifacts.find(url);
  if (isLost) {
    delete draft.rest['artifact'];
    draft.unset('ArtifactInStorage');
  }
  if (url === '' || isLost) {
    progress(draft, isLost ? 'building artifact: disappeared from storage' : 'building artifact', true);
    await draft.write();
  }
}

/** The reconciler of a source: source-controller's order of writes around a way to resolve the newest revision. */
export function reconcileSource(world: World, resolve: Resolve) {
  return async (key: Key, signal: AbortSignal): Promise<number | null> => {
    const object = world.store.find(key.resource, key.namespace, key.name);
    if (!object) return null;
    if (object.metadata.deletionTimestamp !== undefined) {
      await world.artifacts.forget(sourceId(object));
      dropFinalizer(world, key);
      return null;
    }
    if (addFinalizer(world, key, object)) return 750;
    const draft = draftStatus(world, key, object, signal);
    const asked = object.metadata.annotations?.[requestedAt];
    const handled = () => {
      if (asked !== undefined) draft.rest['lastHandledReconcileAt'] = asked;
    };
    if (spec(object)['suspend'] === true) {
      handled();
      draft.unset('Reconciling');
      draft.rest['observedGeneration'] = object.metadata.generation;
      await draft.write();
      return null;
    }
    await begin(world, object, draft, asked);
    try {
      const resolved = await resolve(world, object, signal);
      const standing = fields(draft.rest['artifact']);
      const observed = resolved.observed ?? {};
      const isCurrent =
        standing['revision'] === resolved.revision &&
        Object.entries(observed).every(([name, value]) => same(status(object)[name], value));
      if (!isCurrent) {
        if (standing['revision'] !== undefined) draft.set('ArtifactOutdated', 'True', 'NewRevision', resolved.news);
        progress(draft, `building artifact: ${resolved.news}`, true);
        Object.assign(draft.rest, resolved.noted);
        await draft.write();
        await store(world, object, draft, resolved);
        for (const [name, value] of Object.entries(observed)) {
          if (value === undefined) delete draft.rest[name];
          else draft.rest[name] = value;
        }
      }
      Object.assign(draft.rest, resolved.noted);
      succeed(draft, object, resolved);
      handled();
      await draft.write();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SourceFailure)) throw error;
      handled();
      await fail(draft, world, object, error);
      if (error.isFinal) return null;
      throw error;
    }
    return milliseconds(spec(object)['interval'], 600_000);
  };
}
