import { Fault } from '../fault.ts';
import type { Clock } from '../systems/clock.ts';

/** What stops long computing. */
export interface Limits {
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  readonly signal: AbortSignal;
}

/** Runs steps to their end and answers what they return. */
export type Pace = <T>(steps: Generator<void, T>) => Promise<T>;

/** Signals wait at most so long (and as long as one step takes). */
const STRETCH_MS = 50;

/**
 * Computes step by step and lets signals, timers and answers come through in between: else thousands of files would
 * hold them up. Rejects with the signal's reason, or Fault `timed_out` at the deadline.
 */
export function paceWith({ clock, deadline, signal }: Limits): Pace {
  return async (steps) => {
    let since = clock.now();
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      const now = clock.now();
      if (now - since < STRETCH_MS) continue;
      if (now > deadline) {
        throw new Fault('timed_out', 'the manifests were not looked through in time', {
          hint: 'Raise --timeout, or name fewer files.',
        });
      }
      await clock.sleep(0, signal);
      since = clock.now();
    }
  };
}
