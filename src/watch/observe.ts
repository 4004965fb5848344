import { Fault } from '../fault.ts';
import { resourceKind, type KnownKind } from '../notify/kinds.ts';
import type { Clock } from '../systems/clock.ts';
import type { Cluster, ResourceKind } from '../systems/cluster.ts';
import { watchedKinds, type KindName } from './kinds.ts';
import type { ClusterView } from './view.ts';

/** Times (milliseconds) of reading. */
export interface ReadingPace {
  /** A fresh list even while the watch seems well. */
  readonly resync: number;
  /** Between lists where watches are cut. */
  readonly poll: number;
  /** Before rights or kinds that were missing are looked for again. */
  readonly retryMissing: number;
  /** Lists of one kind are at least so far apart; many asked for within a minute draw further apart, up to `spacingMost`. */
  readonly spacing: number;
  readonly spacingMost: number;
}

export const defaultPace: ReadingPace = {
  resync: 60_000,
  poll: 3_000,
  retryMissing: 20_000,
  spacing: 300,
  spacingMost: 5_000,
};

/** One reader of a kind in one namespace or all. */
export interface Reader {
  /** Makes a new list begin soon, unless one begun at `after` or later is under way. */
  readonly freshen: (after: number) => void;
  /** Ends with the signal; never rejects. */
  readonly done: Promise<void>;
}

/** What a reader tells. */
export interface ReaderEvents {
  readonly changed: () => void;
  readonly answered: () => void;
  readonly failed: (fault: Fault) => void;
}

/**
 * Keeps a view up to date: list, then watch; a new list when the watch ends, at resync and on request. A watch that is
 * cut at once several times in a row is given up for polling, and tried again now and then. Failures are told and
 * retried with growing, jittered pauses.
 */
export function readKind(
  options: {
    readonly cluster: Cluster;
    readonly kind: KindName;
    readonly namespace: string | null;
    readonly view: ClusterView;
    readonly clock: Clock;
    readonly pace: ReadingPace;
    readonly signal: AbortSignal;
  } & ReaderEvents,
): Reader {
  const { cluster, kind, namespace, view, clock, pace, signal } = options;
  const known: KnownKind = watchedKinds[kind];
  let interrupt = new AbortController();
  let stale = false;
  let cuts = 0;
  /** When the list under way was begun. */
  let listing: number | undefined;
  const wishes: number[] = [];

  /** Sleeps until the time is over or a fresh list is asked for. */
  async function rest(ms: number): Promise<void> {
    if (stale) return;
    try {
      await clock.sleep(ms, AbortSignal.any([signal, interrupt.signal]));
    } catch {
      signal.throwIfAborted();
    }
  }

  /** Grows with the lists asked for in the last minute, so that a hundred rollouts one after the other share their lists. */
  function spacing(): number {
    const since = clock.now() - 60_000;
    while ((wishes[0] ?? since) < since) wishes.shift();
    return Math.min(pace.spacingMost, pace.spacing * 2 ** Math.max(0, wishes.length - 4));
  }

  async function list(): Promise<{ readonly resource: ResourceKind; readonly resourceVersion: string } | undefined> {
    for (const version of known.versions) {
      const resource = resourceKind(known, version);
      const begunAt = clock.now();
      listing = begunAt;
      const answer = await cluster.list(resource, namespace, signal).finally(() => (listing = undefined));
      options.answered();
      if (answer === 'missing') continue;
      if (answer === 'forbidden') view.refuse(kind, namespace, 'forbidden');
      else view.replace(kind, namespace, answer.items, begunAt);
      options.changed();
      return answer === 'forbidden' ? undefined : { resource, resourceVersion: answer.resourceVersion };
    }
    view.refuse(kind, namespace, 'missing');
    options.changed();
    return undefined;
  }

  async function follow(resource: ResourceKind, resourceVersion: string): Promise<void> {
    const ended = new AbortController();
    const until = AbortSignal.any([signal, interrupt.signal, ended.signal]);
    const begun = clock.now();
    clock.sleep(pace.resync, until).then(
      () => ended.abort(),
      () => {},
    );
    let events = 0;
    try {
      for await (const event of cluster.watch(resource, namespace, resourceVersion, until)) {
        if (event.type === 'gone') break;
        events += 1;
        view.apply(kind, event);
        options.answered();
        options.changed();
      }
    } catch (error) {
      // Ended by ourselves while it was being opened.
      if (!until.aborted || signal.aborted) throw error;
    }
    cuts = until.aborted || events > 0 || clock.now() - begun > pace.poll ? 0 : cuts + 1;
    ended.abort();
  }

  async function run(): Promise<void> {
    let failures = 0;
    let polls = 0;
    while (!signal.aborted) {
      try {
        stale = false;
        interrupt = new AbortController();
        const listed = await list();
        failures = 0;
        const polling = cuts >= 3 && ++polls % 10 !== 0;
        if (!listed) await rest(pace.retryMissing);
        else if (polling) await rest(pace.poll * (0.75 + clock.random() / 2));
        else if (!stale) await follow(listed.resource, listed.resourceVersion);
        await clock.sleep(stale ? spacing() : pace.spacing * clock.random(), signal);
      } catch (error) {
        if (signal.aborted) return;
        options.failed(
          error instanceof Fault
            ? error
            : new Fault('cluster_unavailable', `cluster "${cluster.name}": ${String(error)}`),
        );
        failures += 1;
        await clock.sleep(Math.min(15_000, 500 * 2 ** failures) * (0.5 + clock.random() / 2), signal).catch(() => {});
      }
    }
  }

  return {
    freshen(after) {
      if (listing !== undefined && listing >= after) return;
      if (!stale) wishes.push(clock.now());
      stale = true;
      interrupt.abort();
    },
    done: run().catch(() => {}),
  };
}
