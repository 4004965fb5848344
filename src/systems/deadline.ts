import type { Fault } from '../fault.ts';
import type { Clock } from './clock.ts';

/** Longest delay that a timer can have, milliseconds: of a longer one it makes 1 (https://nodejs.org/api/timers.html). */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** When something has to end. */
export interface Limit {
  readonly clock: Clock;
  /** Milliseconds since the epoch; Infinity: no limit. */
  readonly deadline: number;
  /** What is under way at the deadline may still end within this time. */
  readonly graceMs: number;
}

/** Aborts once deadline and grace are over, with the Fault that `why` makes then; keeps no process alive. */
export function endOf({ clock, deadline, graceMs }: Limit, why: () => Fault): AbortSignal {
  const end = new AbortController();
  const left = deadline + graceMs - clock.now();
  if (left <= LONGEST_TIMER_MS) setTimeout(() => end.abort(why()), Math.max(0, left)).unref();
  return end.signal;
}
