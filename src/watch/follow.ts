import type { Clock } from '../systems/clock.ts';
import type { Cluster } from '../systems/cluster.ts';
import { createActs, type AskSource, type Known, type Lineage } from './acts.ts';
import type { Need } from './chain.ts';
import { createExplainer } from './explain.ts';
import { defaultPace, type ReadingPace } from './observe.ts';
import { defaultPatience, noProgress, type Patience, type Progress } from './patience.ts';
import { createPulse } from './pulse.ts';
import { createReaders } from './readers.ts';
import { objectsOf, settle, timedOut, type Settled } from './settle.ts';
import type { Followed, Observation, Verdict } from './verdict.ts';
import { createView } from './view.ts';

/** What following needs. */
export interface FollowOptions extends Lineage {
  readonly cluster: Cluster;
  /** All of one cluster. */
  readonly followed: readonly Followed[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  /** Called at once for a source that does not show our revision, and again with growing pauses. Absent: nobody is asked. */
  readonly ask?: AskSource;
  /** Before the first `ask`, milliseconds; default 0 (set it where Flux was asked just before). */
  readonly askAfter?: number;
  readonly patience?: Partial<Patience>;
  readonly pace?: Partial<ReadingPace>;
}

/** Contact lost for this long at the deadline means that the cluster, not the deployment, is to blame. */
const LOST_CONTACT_MS = 20_000;
/** So long after the deadline causes are still looked for, all together. */
const LAST_WORD_MS = 2_000;
/** Without an event things are looked at this often: patience may have run out. */
const LOOK_MS = 1_000;
/** When applied objects stay unhealthy, their pods are asked why: first after, then every. */
const HINT_MS = { first: 5_000, every: 15_000 } as const;

interface State extends Known {
  progress: Progress;
  /** Phase and message shown last. */
  shown: string;
  done: boolean;
  /** Why applied objects are not healthy yet. */
  hint: string | undefined;
  hintAt: number | undefined;
}

/**
 * Follows many revisions in one cluster until each has its verdict: one list and watch per kind and namespace, decisions
 * by `settle`. Yields an observation when phase or message changes, the verdict last. At the deadline the open ones end
 * `timed-out` with the last known reason; rejects with Fault `cluster_unavailable` where the cluster has not been
 * reachable then, `token_refused` where the credential is refused for good, and with the signal's reason.
 */
export async function* followCluster(options: FollowOptions): AsyncGenerator<Observation> {
  const { cluster, clock, signal } = options;
  const patience = { ...defaultPatience, ...options.patience };
  const view = createView();
  const stop = new AbortController();
  const inner = AbortSignal.any([signal, stop.signal]);
  const pulse = createPulse(clock);
  const base = { cluster, view, clock, signal: inner, changed: pulse.fire };
  const explainer = createExplainer(cluster, view, clock, inner);
  const readers = createReaders({ ...base, pace: { ...defaultPace, ...options.pace } });
  const act = createActs({
    ...base,
    contains: options.contains,
    stillHolds: options.stillHolds,
    ...(options.touches ? { touches: options.touches } : {}),
    ask: options.ask,
    askAfter: options.askAfter ?? 0,
  });
  const states = options.followed.map((followed): State => ({
    followed,
    relations: new Map(),
    asked: new Map(),
    touched: new Map(),
    questions: new Map(),
    progress: noProgress,
    shown: '',
    done: false,
    hint: undefined,
    hintAt: undefined,
  }));

  /** Finds out beside the loop why something applied is not healthy. */
  function lookBelow(state: State, settled: Settled): void {
    const now = clock.now();
    if (settled.phase !== 'applied') {
      state.hint = undefined;
      state.hintAt = undefined;
      return;
    }
    state.hintAt ??= now + HINT_MS.first;
    if (now < state.hintAt) return;
    state.hintAt = now + HINT_MS.every;
    void askBelow(state, settled);
  }

  async function askBelow(state: State, settled: Settled): Promise<void> {
    state.hint = await explainer.cause(objectsOf(settled.judgements));
    pulse.fire();
  }

  function observe(state: State, settled: Settled, verdict: Verdict | null): Observation | undefined {
    const hint = state.hint === undefined || settled.message.includes(state.hint) ? '' : ` (${state.hint})`;
    const message = verdict ? verdict.message : `${settled.message}${hint}`;
    const shown = `${settled.phase}\n${message}`;
    if (shown === state.shown && !verdict) return undefined;
    state.shown = shown;
    return { followed: state.followed, at: clock.now(), phase: settled.phase, message, verdict };
  }

  try {
    readers.begin(options.followed);
    for (let open = states; open.length > 0; open = open.filter((state) => !state.done)) {
      signal.throwIfAborted();
      const refused = readers.refused();
      if (refused) throw refused;
      const now = clock.now();
      const over = now >= options.deadline;
      const needs: Need[] = [];
      for (const state of open) {
        const settled = settle({ ...state, view, now, patience });
        state.progress = settled.progress;
        needs.push(...settled.needs);
        const lost = over && settled.verdict === null ? readers.lostContact(now, LOST_CONTACT_MS) : undefined;
        if (lost) throw lost;
        let verdict = settled.verdict ?? (over ? timedOut(settled) : null);
        if (verdict?.verdict === 'failed' || verdict?.verdict === 'timed-out')
          verdict = await explainer.explain(verdict, Math.max(0, options.deadline + LAST_WORD_MS - clock.now()));
        const observation = observe(state, settled, verdict);
        state.done = verdict !== null;
        if (observation) yield observation;
        if (state.done) continue;
        act(state, settled);
        lookBelow(state, settled);
      }
      readers.meet(needs);
      if (open.every((state) => state.done)) break;
      await pulse.wait(Math.max(10, Math.min(LOOK_MS, options.deadline - clock.now())), inner);
    }
  } finally {
    stop.abort(new Error('following has ended'));
    await readers.done();
  }
}
