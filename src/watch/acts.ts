import { annotate, requestToken } from '../notify/annotate.ts';
import type { ObjectRef } from '../notify/request.ts';
import type { Clock } from '../systems/clock.ts';
import type { Cluster } from '../systems/cluster.ts';
import type { Asked } from './chain.ts';
import { keyOf } from './kinds.ts';
import type { Relation } from './patience.ts';
import type { Settled } from './settle.ts';
import type { Followed } from './verdict.ts';
import type { ClusterView } from './view.ts';

/** How to find out what another revision is to ours. Both may reject where it cannot be told yet: asked again later. */
export interface Lineage {
  /** Does commit `theirs` contain commit `ours`? */
  readonly contains: (ours: string, theirs: string, followed: Followed) => Promise<boolean>;
  /** Does commit `theirs`, which contains ours, still hold the values that ours set for this app and environment? */
  readonly stillHolds: (ours: string, theirs: string, followed: Followed) => Promise<boolean>;
  /** Does our commit change a file at or below these repository paths? Absent: nothing is said about it. */
  readonly touches?: (followed: Followed, paths: readonly string[]) => Promise<boolean>;
}

/** What acts keep of one Followed. */
export interface Known {
  readonly followed: Followed;
  readonly relations: Map<string, Relation>;
  readonly asked: Map<string, Asked>;
  /** Answers of `touches`, by the paths joined by line breaks. */
  readonly touched: Map<string, boolean>;
  /** Revisions being asked about, and when to ask again. */
  readonly questions: Map<string, number>;
}

/** Asks Flux to reconcile a source; what it rejects with is ignored, for notifying only makes things quicker. */
export type AskSource = (followed: Followed, source: ObjectRef) => Promise<unknown>;

/** Pauses between requests for one source: a run in flight, or a cache, may answer with the old revision. */
const ASK_AGAIN_MS = [2_000, 5_000, 10_000, 20_000, 30_000] as const;
/** Requests under way at once. */
const AT_ONCE = 8;
/** Before a question that could not be answered, or a request that failed, is repeated. */
const AGAIN_MS = 5_000;

/** Carries out what looks at the cluster asked for. Every result is told by `changed`. */
export function createActs(
  options: Lineage & {
    readonly cluster: Cluster;
    readonly view: ClusterView;
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly ask: AskSource | undefined;
    /** Before the first request for a source. */
    readonly askAfter: number;
    readonly changed: () => void;
  },
): (known: Known, settled: Settled) => void {
  const { cluster, view, clock, signal } = options;
  const began = clock.now();
  /** Shared: with `source: git` all apps have one source. */
  const turns = new Map<string, { times: number; next: number }>();
  const queue: (() => Promise<void>)[] = [];
  let running = 0;

  function enqueue(act: () => Promise<void>): void {
    queue.push(act);
    if (running >= AT_ONCE) return;
    running += 1;
    void drain();
  }

  async function drain(): Promise<void> {
    for (let next = queue.shift(); next && !signal.aborted; next = queue.shift()) await next().catch(() => {});
    running -= 1;
  }

  async function relate({ followed, relations, questions }: Known, theirs: string): Promise<void> {
    if ((questions.get(theirs) ?? 0) > clock.now()) return;
    questions.set(theirs, Number.POSITIVE_INFINITY);
    try {
      // Without a commit nothing can be found out.
      const known = /^[0-9a-f]{40}$/.test(theirs) && (await options.contains(followed.commit, theirs, followed));
      const holds = known && (await options.stillHolds(followed.commit, theirs, followed));
      relations.set(theirs, known ? (holds ? 'follow' : 'gone') : 'other');
      options.changed();
    } catch {
      questions.set(theirs, clock.now() + AGAIN_MS);
    }
  }

  function askConsumer({ asked }: Known, ref: ObjectRef): void {
    const key = keyOf(ref);
    if (asked.has(key)) return;
    const before = (view.kustomization(ref) ?? view.helmRelease(ref))?.handled;
    asked.set(key, { before, answer: 'pending' });
    enqueue(async () => {
      try {
        asked.set(key, { before, answer: await annotate(cluster, ref, requestToken(clock), signal) });
      } catch {
        await clock.sleep(AGAIN_MS, signal);
        asked.delete(key);
      }
      options.changed();
    });
  }

  function askSource({ followed }: Known, source: ObjectRef): void {
    const { ask } = options;
    const now = clock.now();
    const turn = turns.get(keyOf(source)) ?? { times: 0, next: began + options.askAfter };
    turns.set(keyOf(source), turn);
    if (!ask || now < turn.next) return;
    const pause = ASK_AGAIN_MS[Math.min(turn.times, ASK_AGAIN_MS.length - 1)] ?? 0;
    turn.times += 1;
    turn.next = now + pause * (0.75 + clock.random() / 2);
    enqueue(async () => void (await ask(followed, source)));
  }

  async function look({ followed, touched, questions }: Known, paths: string): Promise<void> {
    if (questions.has(paths)) return;
    questions.set(paths, Number.POSITIVE_INFINITY);
    // What cannot be told (a shallow clone) is not held against anybody.
    touched.set(paths, (await options.touches?.(followed, paths.split('\n')).catch(() => false)) ?? false);
    options.changed();
  }

  return (known, settled) => {
    for (const paths of settled.touches) void look(known, paths);
    for (const theirs of settled.questions) void relate(known, theirs);
    for (const ref of settled.asks) askConsumer(known, ref);
    for (const source of settled.behind) askSource(known, source);
  };
}
