import type { Clock } from '../systems/clock.ts';

/** Waiting that ends early when something happened. */
export interface Pulse {
  /** Something happened. */
  readonly fire: () => void;
  /** Waits for a pulse, `ms` milliseconds at most. Bursts are taken together. Never rejects; ends when aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** What happens within this time (milliseconds) is looked at once. */
const BURST_MS = 20;

/** A pulse over a clock. */
export function createPulse(clock: Clock): Pulse {
  let fired = false;
  let wake: (() => void) | undefined;
  return {
    fire() {
      fired = true;
      wake?.();
    },
    async wait(ms, signal) {
      if (!fired) {
        const awake = new AbortController();
        wake = () => awake.abort();
        await clock.sleep(ms, AbortSignal.any([signal, awake.signal])).catch(() => {});
        wake = undefined;
      }
      if (fired) await clock.sleep(BURST_MS, signal).catch(() => {});
      fired = false;
    },
  };
}
