import { Fault } from '../fault.ts';
import { annotate, requestToken } from '../notify/annotate.ts';
import type { ObjectRef } from '../notify/request.ts';
import type { Clock } from '../systems/clock.ts';
import type { Cluster } from '../systems/cluster.ts';
import type { Asked, Need } from './chain.ts';
import { createExplainer } from './explain.ts';
import { keyOf } from './kinds.ts';
import { defaultPace, type ReadingPace } from './observe.ts';
import { createReaders } from './readers.ts';
import { defaultPatience, noProgress, type Patience, type Progress, type Relation } from './patience.ts';
import { settle, timedOut, type Settled } from './settle.ts';
import type { Followed, Observation, Verdict } from './verdict.ts';
import { createView } from './view.ts';

/** What following needs. */
export interface FollowOptions {
  readonly cluster: Cluster;
  /** All of one cluster. */
  readonly followed: readonly Followed[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  /** Does commit `theirs` contain commit `ours`? May reject where that cannot be told; it is asked again later. */
  readonly contains: (ours: string, theirs: string, followed: Followed) => Promise<boolean>;
  /** Does commit `theirs`, which contains ours, still hold the values that ours set for this app and environment? */
  readonly stillHolds: (ours: string, theirs: string, followed: Followed) => Promise<boolean>;
  /**
   * Asks Flux to reconcile a source that does not show our revision yet; called at once and again with growing pauses
   * (a run in flight or a cache may answer with the old revision). What it rejects with is ignored: notifying is an
   * accelerator. Absent: nobody is asked.
   */
  readonly ask?: (followed: Followed, source: ObjectRef) => Promise<unknown>;
  /** Before the first `ask`, milliseconds; default 0 (set it where Flux was asked just before). */
  readonly askAfter?: number;
  readonly patience?: Partial<Patience>;
  readonly pace?: Partial<ReadingPace>;
}

/** Pauses between requests for one source. */
const ASK_AGAIN_MS = [2_000, 5_000, 10_000, 20_000, 30_000] as const;
/** Contact lost for this long at the deadline means that the cluster, not the deployment, is to blame. */
const LOST_CONTACT_MS = 20_000;

interface State {
  readonly followed: Followed;
  progress: Progress;
  readonly relations: Map<string, Relation>;
  readonly asking: Map<string, number>;
  readonly asked: Map<string, Asked>;
  readonly sources: Map<string, { times: number; next: number }>;
  settled: Settled | undefined;
  shown: string;
  done: boolean;
}

/**
 * Follows many revisions in one cluster until each has its verdict: one list and watch per kind and namespace, decisions
 * by `settle`. Yields an observation when phase or message changes, the verdict last. At the deadline the open ones end
 * `timed-out` with the last known reason; rejects with Fault `cluster_unavailable` where the cluster has not been
 * reachable, `token_refused` where the credential is refused for good, and with the signal's reason.
 */
export async function* followCluster(options: FollowOptions): AsyncGenerator<Observation> {
  const { cluster, clock, signal } = options;
  const patience = { ...defaultPatience, ...options.patience };
  const view = createView();
  const stop = new AbortController();
  const inner = AbortSignal.any([signal, stop.signal]);
  const pulse = createPulse();
  const explainer = createExplainer(cluster, view, clock, inner);
  const readers = createReaders({
    cluster,
    view,
    clock,
    signal: inner,
    pace: { ...defaultPace, ...options.pace },
    changed: pulse.fire,
  });
  const states: State[] = options.followed.map((followed) => ({
    followed,
    progress: noProgress,
    relations: new Map(),
    asking: new Map(),
    asked: new Map(),
    sources: new Map(),
    settled: undefined,
    shown: '',
    done: false,
  }));
  const began = clock.now();
  readers.begin(states.map((state) => state.followed));

  function observe(state: State, settled: Settled, verdict: Verdict | null): Observation | undefined {
    const shown = `${settled.phase}\n${verdict ? verdict.message : settled.message}`;
    if (shown === state.shown && !verdict) return undefined;
    state.shown = shown;
    return {
      followed: state.followed,
      at: clock.now(),
      phase: settled.phase,
      message: verdict?.message ?? settled.message,
      verdict,
    };
  }

  try {
    while (states.some((state) => !state.done)) {
      signal.throwIfAborted();
      const refused = readers.refused();
      if (refused) throw refused;
      const now = clock.now();
      const over = now >= options.deadline;
      const needs: Need[] = [];
      for (const state of states.filter((one) => !one.done)) {
        const settled = settle({ ...state, view, now, patience });
        state.settled = settled;
        state.progress = settled.progress;
        needs.push(...settled.needs);
        const lost = over && settled.verdict === null ? readers.lostContact(now, LOST_CONTACT_MS) : undefined;
        if (lost) throw lost;
        let verdict = settled.verdict ?? (over ? timedOut(settled) : null);
        if (verdict && ['failed', 'timed-out'].includes(verdict.verdict)) verdict = await explainer.explain(verdict);
        const observation = observe(state, settled, verdict);
        state.done = verdict !== null;
        if (observation) yield observation;
        if (!state.done) act(state, settled);
      }
      if (states.every((state) => state.done)) break;
      readers.meet(needs);
      await pulse.wait(Math.max(10, Math.min(1_000, options.deadline - clock.now())), clock, inner);
    }
  } finally {
    stop.abort(new Error('following has ended'));
    await readers.done();
  }

  /** Everything that must be found out or asked for; each ends with a pulse. */
  function act(state: State, settled: Settled): void {
    for (const theirs of settled.questions) void relate(state, theirs);
    for (const ref of settled.asks) void askConsumer(state, ref);
    for (const source of settled.behind) void askSource(state, source);
  }

  async function relate(state: State, theirs: string): Promise<void> {
    if ((state.asking.get(theirs) ?? 0) > clock.now()) return;
    state.asking.set(theirs, clock.now() + 10_000);
    const { followed } = state;
    try {
      if (!/^[0-9a-f]{40}$/.test(theirs)) state.relations.set(theirs, 'other');
      else if (!(await options.contains(followed.commit, theirs, followed))) state.relations.set(theirs, 'other');
      else
        state.relations.set(theirs, (await options.stillHolds(followed.commit, theirs, followed)) ? 'follow' : 'gone');
      pulse.fire();
    } catch {
      // Cannot be told now (the commit is not fetched yet): asked again after the pause.
    }
  }

  async function askConsumer(state: State, ref: ObjectRef): Promise<void> {
    const key = keyOf(ref);
    if (state.asked.has(key)) return;
    const before = (view.kustomization(ref) ?? view.helmRelease(ref))?.handled;
    state.asked.set(key, { before, answer: 'pending' });
    try {
      state.asked.set(key, { before, answer: await annotate(cluster, ref, requestToken(clock), inner) });
    } catch {
      state.asked.delete(key);
    }
    pulse.fire();
  }

  async function askSource(state: State, source: ObjectRef): Promise<void> {
    if (!options.ask) return;
    const key = keyOf(source);
    const turn = state.sources.get(key) ?? { times: 0, next: began + (options.askAfter ?? 0) };
    state.sources.set(key, turn);
    if (clock.now() < turn.next) return;
    const pause = ASK_AGAIN_MS[Math.min(turn.times, ASK_AGAIN_MS.length - 1)] ?? 30_000;
    turn.times += 1;
    turn.next = clock.now() + pause * (0.75 + clock.random() / 2);
    try {
      await options.ask(state.followed, source);
    } catch (error) {
      if (error instanceof Fault && error.code === 'token_refused') pulse.fire();
    }
  }
}

/** Waiting that ends early when something happened; bursts are taken together. */
function createPulse() {
  let fired = false;
  let wake: (() => void) | undefined;
  return {
    fire: () => {
      fired = true;
      wake?.();
    },
    async wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
      if (!fired) {
        const awake = new AbortController();
        wake = () => awake.abort();
        await clock.sleep(ms, AbortSignal.any([signal, awake.signal])).catch(() => {});
        wake = undefined;
      }
      if (fired) await clock.sleep(20, signal).catch(() => {});
      fired = false;
    },
  };
}
