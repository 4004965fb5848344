import type { ClusterSettings } from '../config/config.ts';
import { Fault } from '../fault.ts';
import type { Followed } from '../watch/verdict.ts';
import type { Start } from './begin.ts';
import { clustersOf } from './target.ts';

/** How long a run waits where nobody said it for the whole run (`--timeout`, SLUICE_TIMEOUT). */
export interface OwnTimeouts {
  /** Milliseconds since the epoch after which there is no time left in any case: the job's. Infinity outside a job. */
  readonly limit: number;
  /** Interval (milliseconds) at which a cluster's sources look by themselves; asked for where nobody notifies. */
  readonly interval: (
    cluster: ClusterSettings,
    followed: readonly Followed[],
    signal: AbortSignal,
  ) => Promise<number | null>;
}

interface DeadlineOptions {
  readonly now: number;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  readonly own?: OwnTimeouts;
  readonly signal: AbortSignal;
}

/**
 * Until when each is waited for, milliseconds since the epoch: what was asked for the whole run; else the app's or
 * environment's `timeout:`; else the default, and for clusters that nobody asks (way `none`) the source's interval on top
 * of it. The job's limit ends all of them.
 */
export async function deadlinesOf(
  open: readonly Start[],
  options: DeadlineOptions,
): Promise<ReadonlyMap<Start, number>> {
  const { now, deadline, own } = options;
  if (own === undefined) return new Map(open.map((start) => [start, deadline]));
  const clusterOf = ({ target, cell }: Start) => clustersOf(target.pair).find(({ name }) => name === cell.cluster);
  const unasked = open.filter(
    // Who follows by statuses may have no credential to ask a cluster for the interval.
    (start) =>
      start.target.pair.timeoutMs === null &&
      start.target.pair.watch === 'cluster' &&
      clusterOf(start)?.notify[0] === 'none',
  );
  const waits = new Map<Start, number>();
  const groups = Map.groupBy(unasked, ({ cell }) => `${cell.environment}/${cell.cluster}`);
  await Promise.all(
    [...groups.values()].map(async (group) => {
      const interval = await intervalOf(own, clusterOf(group[0]!)!, group, options.signal);
      for (const start of group) waits.set(start, interval);
    }),
  );
  const until = (start: Start) => {
    const { timeoutMs } = start.target.pair;
    return timeoutMs === null ? deadline + (waits.get(start) ?? 0) : now + timeoutMs;
  };
  return new Map(open.map((start) => [start, Math.min(own.limit, until(start))]));
}

async function intervalOf(
  own: OwnTimeouts,
  cluster: ClusterSettings,
  group: readonly Start[],
  signal: AbortSignal,
): Promise<number> {
  try {
    return (
      (await own.interval(
        cluster,
        group.map(({ followed }) => followed!),
        signal,
      )) ?? 0
    );
  } catch (error) {
    // Following the cluster says what is wrong with it.
    if (!(error instanceof Fault) || signal.aborted) throw error;
    return 0;
  }
}
