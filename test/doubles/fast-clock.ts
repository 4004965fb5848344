import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../src/systems/clock.ts';

/** A clock on which time passes `factor` times as quickly: minutes of patience in a second of test. */
export function fastClock(factor: number): Clock {
  const began = Date.now();
  return {
    now: () => began + (performance.timeOrigin + performance.now() - began) * factor,
    random: () => Math.random(),
    async sleep(ms, signal) {
      try {
        await delay(ms / factor, undefined, signal ? { signal } : {});
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      }
    },
  };
}
