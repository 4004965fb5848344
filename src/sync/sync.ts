import type { ClusterSettings } from '../config/config.ts';
import { Fault, faultRecord } from '../fault.ts';
import { shortCommit } from '../revision.ts';
import { limitTo } from '../status/limit.ts';
import type { Clock } from '../systems/clock.ts';
import type { GitLab } from '../systems/gitlab.ts';
import type { Followed, Observation } from '../watch/verdict.ts';
import { announce } from './announce.ts';
import { beginCells } from './begin.ts';
import type { Start } from './begin.ts';
import { createBoard } from './board.ts';
import { verifyClaims } from './claims.ts';
import type { VerifiedClaims } from './claims.ts';
import { deadlinesOf } from './deadlines.ts';
import type { OwnTimeouts } from './deadlines.ts';
import type { LineageOf } from './lineage.ts';
import type { DeliveryStatusPlace, Line } from './line.ts';
import { linesOf } from './line.ts';
import type { Cell } from './progress.ts';
import { observe, reportOf } from './progress.ts';
import type { SyncResult } from './result.ts';
import { resultOf } from './result.ts';
import type { DeliveryPlace, SyncTarget } from './target.ts';
import { clustersOf } from './target.ts';

/**
 * Asks Flux in one cluster and follows it: stations notify and watch joined. Ends when everything handed in has its
 * verdict, at the deadline (milliseconds since the epoch) at the latest; rejects with `Fault` where the cluster cannot
 * be reached at all.
 */
export type FollowCluster = (
  cluster: ClusterSettings,
  followed: readonly Followed[],
  deadline: number,
  signal: AbortSignal,
) => AsyncIterable<Observation>;

export interface SyncOptions {
  readonly clock: Clock;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch: no verdict by then is `timed-out`. */
  readonly deadline: number;
  /** Absent: `deadline` was asked for, and holds for all. */
  readonly own?: OwnTimeouts;
  readonly targets: readonly SyncTarget[];
  readonly delivery: DeliveryPlace;
  readonly place: DeliveryStatusPlace;
  /** URL of the delivery job, the statuses' target. */
  readonly jobUrl: string | null;
  readonly gitlab: () => Promise<GitLab>;
  readonly gitlabFor: (app: string) => Promise<GitLab>;
  readonly lineage: LineageOf;
  readonly follow: FollowCluster;
  /** For pairs with `watch: statuses`: by what Flux’s own GitLab Provider posts. */
  readonly followStatuses?: FollowCluster;
  readonly info: (text: string) => void;
  readonly warn: (text: string) => void;
}

/** How long an absent GitLab is still asked to take the final statuses after a deadline that somebody chose. */
const graceMs = 5_000;
/** The same where the deadline is a default: inside a job that one leaves 90 s of the job's time. */
const longGraceMs = 60_000;
/** A stream that does not end at its deadline is ended this much later. */
const backstopMs = 3_000;
/** GitLab and its runners kill a job a few seconds after they asked it to end. */
const closeMs = 5_000;

/**
 * The loop: statuses pending → ask Flux → running → follow every cluster side by side → the sum → final statuses on the
 * delivery commit and on each verified application commit. Whatever ends it early (signal, bug) closes the statuses that
 * it has begun and is thrown on. Faults: `token_missing`, the signal's.
 */
export async function sync(options: SyncOptions): Promise<SyncResult> {
  const { clock, targets, warn } = options;
  const startedAt = clock.now();
  // Without a token nothing can be answered: said before anything is begun.
  if (targets.length > 0) await options.gitlab();
  const starts = await untilAborted(beginCells(targets, options.delivery, options.lineage), options.signal);
  const unchanged = new Set(
    targets.filter((target) => target.artifacts.every((artifact) => artifact.outcome === 'unchanged')),
  );
  const quiet = (line: Line) =>
    starts.filter(({ cell }) => line.covers(cell)).every(({ target }) => unchanged.has(target));
  let latest = options.deadline;
  const end = () => latest + (options.own === undefined ? graceMs : longGraceMs);
  const board = createBoard({
    clock,
    signal: options.signal,
    deadline: end,
    gitlabOf: (line) => (line.app === null ? options.gitlab() : options.gitlabFor(line.app)),
    targetUrl: options.jobUrl,
    keep: (line) => (quiet(line) ? 'success' : undefined),
    warn,
  });
  const cells = new Map<Start, Cell>(starts.map((start) => [start, start.cell]));
  let lines: readonly Line[] = [];
  const show = () => {
    for (const line of lines) board.want(line, reportOf([...cells.values()].filter((cell) => line.covers(cell))));
  };
  const begin = (verified: VerifiedClaims['of']) => {
    lines = linesOf(targets, options.place, verified);
    for (const line of lines) {
      // First what a line begins with, however far the cluster has come meanwhile.
      const covered = starts.filter(({ cell }) => line.covers(cell));
      board.want(line, reportOf(covered.map(({ cell }) => cell)));
      if (covered.some((start) => cells.get(start)!.begun))
        board.want(line, reportOf(covered.map(({ cell }) => ({ ...cell, begun: true }))));
    }
    show();
  };
  // Beside the following: Flux need not wait until GitLab has confirmed who is to be told.
  const verify = async () => {
    const claims = await verifyClaims(targets, options.gitlabFor, options);
    for (const { project, commit, app, reason } of claims.refused)
      warn(`${app}: no status goes to ${project}@${shortCommit(commit)}: ${reason}`);
    begin(claims.of);
    return claims;
  };
  try {
    begin(() => []);
    const follow = async () => {
      const open = [...cells.keys()].filter(({ followed }) => followed !== null);
      const deadlines = await deadlinesOf(open, { ...options, now: startedAt });
      latest = Math.max(latest, ...deadlines.values());
      await followAll(options, deadlines, cells, show);
    };
    const [claims] = await untilAborted(Promise.all([verify(), follow()]), options.signal);
    const final = [...cells.values()];
    using limit = limitTo(end(), clock, options.signal);
    const announcing = announce({ ...options, until: limit.signal, cells: final, verified: claims.of });
    const [posted, announced] = await untilAborted(Promise.all([board.settle(), announcing]), options.signal);
    return resultOf(final, posted, { refused: claims.refused, announced }, startedAt);
  } catch (error) {
    const reason: unknown = options.signal.aborted ? options.signal.reason : error;
    const canceled = reason instanceof Fault && reason.exit >= 130;
    const description = `${canceled ? 'canceled' : 'sluice ended'} before there was a verdict`;
    await board.close({ state: canceled ? 'canceled' : 'failed', description }, closeMs);
    throw reason;
  }
}

/** Follows every cluster of every environment until each cell is final or its time is up. */
async function followAll(
  options: SyncOptions,
  deadlines: ReadonlyMap<Start, number>,
  cells: Map<Start, Cell>,
  show: () => void,
): Promise<void> {
  const groups = Map.groupBy(
    [...deadlines],
    ([{ cell, target }, deadline]) => `${cell.environment}/${cell.cluster} ${target.pair.watch} ${deadline}`,
  );
  await Promise.all(
    [...groups.values()].map((group) =>
      followGroup(
        options,
        group.map(([start]) => start),
        group[0]![1],
        cells,
        show,
      ),
    ),
  );
}

async function followGroup(
  options: SyncOptions,
  group: readonly Start[],
  deadline: number,
  cells: Map<Start, Cell>,
  show: () => void,
): Promise<void> {
  const { clock, info } = options;
  const done = new AbortController();
  const signal = AbortSignal.any([options.signal, done.signal]);
  const { cell: first, target } = group[0]!;
  const cluster = clustersOf(target.pair).find((candidate) => candidate.name === first.cluster)!;
  const change = (start: Start, next: Cell) => {
    const before = cells.get(start)!;
    cells.set(start, next);
    const name = `${next.environment}/${next.app}${next.artifact === next.app ? '' : ` (${next.artifact})`}`;
    const text = next.outcome === null ? next.message : `${next.outcome.outcome}: ${next.outcome.message}`;
    if (text !== before.message || next.outcome !== before.outcome) info(`${name} in ${next.cluster}: ${text}`);
    show();
    if (group.every((one) => cells.get(one)!.outcome !== null)) done.abort();
  };
  const expire = (start: Start) => {
    const cell = cells.get(start)!;
    if (cell.outcome !== null) return;
    const message = `no verdict in time; last seen: ${cell.message}`;
    change(start, { ...cell, outcome: { outcome: 'timed-out', reason: 'TimedOut', message, exit: 5 } });
  };
  const expireAll = async () => {
    await clock.sleep(Math.max(0, deadline - clock.now()) + backstopMs, signal);
    for (const start of group) expire(start);
  };
  const ended = Promise.allSettled([expireAll()]);
  try {
    for (const start of group) change(start, { ...cells.get(start)!, begun: true });
    const followed = group.map((start) => start.followed!);
    const follow = target.pair.watch === 'statuses' ? (options.followStatuses ?? options.follow) : options.follow;
    for await (const observation of endingWith(follow(cluster, followed, deadline, signal), done.signal)) {
      const start = group.find((one) => one.followed === observation.followed || isSame(one, observation.followed));
      if (start !== undefined) change(start, observe(cells.get(start)!, observation));
      if (done.signal.aborted) break;
    }
    // A stream that ended without a verdict: what is not known never turns green.
    for (const start of group) expire(start);
  } catch (error) {
    if (done.signal.aborted) return;
    if (!(error instanceof Fault) || options.signal.aborted) throw error;
    const { message, exit } = error;
    for (const start of group)
      if (cells.get(start)!.outcome === null)
        change(start, {
          ...cells.get(start)!,
          outcome: { outcome: 'unknown', reason: error.code, message, exit, fault: faultRecord(error) },
        });
  } finally {
    done.abort();
    await ended;
  }
}

function isSame({ cell }: Start, followed: Followed): boolean {
  return cell.app === followed.app && cell.artifact === followed.artifact;
}

/** The same stream, ended by the signal even where the stream itself does not listen. */
async function* endingWith<T>(stream: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = stream[Symbol.asyncIterator]();
  const ended = new Promise<null>((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  for (;;) {
    const next = iterator.next();
    next.catch(() => undefined);
    const result = await Promise.race([next, ended]);
    if (result === null || result.done === true || signal.aborted) return;
    yield result.value;
  }
}

/** The promise, or the signal's reason as soon as it is aborted, whatever the promise is waiting for. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  // What loses the race may still reject.
  promise.catch(() => undefined);
  const aborted = Promise.withResolvers<never>();
  const listen = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', listen, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', listen);
  }
}
