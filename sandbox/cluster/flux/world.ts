import type { Resource } from '../store/kinds.ts';
import type { ClusterObject } from '../handle.ts';
import type { Store } from '../store/store.ts';
import type { FluxEvent } from './alerts.ts';
import type { Artifacts } from './artifacts.ts';

/** What the answer of a child process is. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What controllers share. */
export interface World {
  readonly store: Store;
  readonly artifacts: Artifacts;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Real milliseconds for milliseconds of the real Flux. */
  scaled(ms: number): number;
  /** Waits scaled milliseconds; rejects with the signal's reason. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Runs a tool of the options with argv; `env` is added to the allowed environment. */
  run(
    tool: 'kustomize' | 'git',
    args: readonly string[],
    options: { cwd: string; env?: Readonly<Record<string, string>>; signal: AbortSignal },
  ): Promise<Ran>;
  /** Where a URL's host really is: `options.hosts`. */
  readonly locate: (url: string) => string;
  /** A new empty folder inside the cluster's own. */
  makeFolder(name: string): Promise<string>;
  isGateOpen(gate: string): boolean;
  /** Milliseconds of the dependency requeue, before scaling. */
  readonly requeueDependency: number;
  /** Takes away the newest history entry of Kustomizations on each write. */
  dropsHistory(): boolean;
  /** Fields of status that controllers do not know. */
  omitted(): readonly string[];
  /** Tells notification-controller. */
  readonly notify: (event: FluxEvent) => void;
  log(line: string): void;
}

/** Names an object of a kind. */
export interface Key {
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
}

/** The key of an object. */
export function keyOf(resource: Resource, object: ClusterObject): Key {
  return { resource, namespace: object.metadata.namespace ?? '', name: object.metadata.name };
}

/** A served kind by name. Throws when it is none: for the kinds of Kubernetes and Flux that are always there. */
export function kindOf(store: Store, kind: string): Resource {
  const found = store.kinds.named(kind);
  if (!found) throw new Error(`no kind ${kind}`);
  return found;
}

/** What a controller says about an object. `metadata` is for notification-controller. */
export interface Announcement {
  readonly by: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

function count(world: World, object: ClusterObject, { reason, message }: Announcement, time: string): boolean {
  const resource = kindOf(world.store, 'Event');
  const old = world.store.list(resource, object.metadata.namespace ?? 'default').find((event) => {
    const involved = event['involvedObject'] as Record<string, unknown> | undefined;
    return event['reason'] === reason && event['message'] === message && involved?.['uid'] === object.metadata.uid;
  });
  if (!old) return false;
  world.store.update(resource, { ...old, count: Number(old['count'] ?? 1) + 1, lastTimestamp: time });
  return true;
}

/** Records an Event about an object, as `kubectl get events` shows it, and tells notification-controller of Flux's. */
export function emit(world: World, object: ClusterObject, announcement: Announcement): void {
  const { by, type, reason, message, metadata = {} } = announcement;
  const severity = type === 'Warning' ? 'error' : 'info';
  if (by.endsWith('-controller')) world.notify({ object, severity, reason, message, metadata });
  const time = new Date(world.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  if (count(world, object, announcement, time)) return;
  const { name, namespace, uid, resourceVersion } = object.metadata;
  world.store.create(kindOf(world.store, 'Event'), {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: `${name}.${world.store.version().toString(16).padStart(16, '1')}`,
      namespace: namespace ?? 'default',
    },
    involvedObject: { apiVersion: object.apiVersion, kind: object.kind, name, namespace, uid, resourceVersion },
    reason,
    message,
    type,
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { component: by },
    reportingComponent: by,
    reportingInstance: '',
  });
}
