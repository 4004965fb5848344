import type { ControllerName } from '../handle.ts';
import { Gone } from './status.ts';
import type { Key, World } from './world.ts';

/** Work on one object: resolves to the milliseconds (unscaled) after which to look again, or null. Throwing backs off. */
export type Reconcile = (key: Key, signal: AbortSignal) => Promise<number | null>;

/** A queue of objects with workers, as controller-runtime has it. */
export interface Controller {
  readonly name: ControllerName;
  enqueue(key: Key): void;
  pause(): void;
  resume(): void;
  /** Aborts the work in flight, forgets timers and back-offs. The caller enqueues what stands. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

interface Entry {
  readonly key: Key;
  failures: number;
  isQueued: boolean;
  isBusy: boolean;
  timer: NodeJS.Timeout | undefined;
}

const firstDelay = 750;
const longestDelay = 900_000;

/** Starts a controller with so many workers; `reconcileOf` gives the work for a kind. */
export function createController(
  name: ControllerName,
  world: World,
  workers: number,
  reconcileOf: (kind: string) => Reconcile | undefined,
): Controller {
  const entries = new Map<string, Entry>();
  let queue: Entry[] = [];
  let busy = 0;
  let isPaused = false;
  let isStopped = false;
  let abort = new AbortController();
  const running = new Set<Promise<void>>();

  function schedule(entry: Entry, ms: number): void {
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => push(entry), Math.min(world.scaled(ms), 2_000_000_000));
  }
  function push(entry: Entry): void {
    clearTimeout(entry.timer);
    if (entry.isQueued || isStopped) return;
    entry.isQueued = true;
    queue.push(entry);
    pump();
  }
  async function work(entry: Entry, signal: AbortSignal): Promise<void> {
    const { key } = entry;
    const reconcile = reconcileOf(key.resource.kind);
    try {
      const again = (await reconcile?.(key, signal)) ?? null;
      entry.failures = 0;
      if (!signal.aborted && again !== null) schedule(entry, again);
    } catch (error) {
      if (signal.aborted || error instanceof Gone) return;
      entry.failures += 1;
      world.log(`${name}: ${key.resource.kind} ${key.namespace}/${key.name}: ${String(error)}`);
      schedule(entry, Math.min(firstDelay * 2 ** (entry.failures - 1), longestDelay));
    }
  }
  function pump(): void {
    for (;;) {
      const entry = isPaused || isStopped || busy >= workers ? undefined : queue.find((one) => !one.isBusy);
      if (!entry) return;
      queue = queue.filter((one) => one !== entry);
      entry.isQueued = false;
      entry.isBusy = true;
      busy += 1;
      const job = Promise.resolve()
        .then(() => work(entry, abort.signal))
        .finally(() => {
          entry.isBusy = false;
          busy -= 1;
          running.delete(job);
          pump();
        });
      running.add(job);
    }
  }
  async function reset(): Promise<void> {
    abort.abort(new Error(`${name} ends`));
    queue = [];
    for (const entry of entries.values()) clearTimeout(entry.timer);
    entries.clear();
    await Promise.allSettled(running);
    abort = new AbortController();
  }

  return {
    name,
    enqueue: (key) => {
      const id = `${key.resource.kind}/${key.namespace}/${key.name}`;
      const entry = entries.get(id) ?? { key, failures: 0, isQueued: false, isBusy: false, timer: undefined };
      entries.set(id, entry);
      push(entry);
    },
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
      pump();
    },
    reset,
    stop: async () => {
      isStopped = true;
      await reset();
    },
  };
}
