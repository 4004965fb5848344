import type { Clock } from '../../src/systems/clock.ts';

/** Real milliseconds between two steps, and the most that one step counts. */
const STEP_MS = 5;

/**
 * A clock on which time passes `factor` times as quickly: minutes of patience in a second of test. Time in which this
 * process did not get to run does not pass: on a busy machine answers would else come after a deadline that is twenty
 * times as near. Between two steps what has arrived is taken in.
 */
export function fastClock(factor: number): Clock {
  let now = Date.now();
  let looked = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const sleepers = new Set<() => void>();
  const pass = (): number => {
    const real = performance.now();
    now += Math.min(real - looked, STEP_MS) * factor;
    looked = real;
    return now;
  };
  const step = () => {
    pass();
    for (const look of sleepers) look();
    timer = sleepers.size > 0 ? setTimeout(step, STEP_MS) : undefined;
  };
  return {
    now: pass,
    random: () => Math.random(),
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason);
          return;
        }
        const until = pass() + ms;
        const end = (act: () => void) => {
          sleepers.delete(look);
          signal?.removeEventListener('abort', abort);
          act();
        };
        const look = () => {
          if (now >= until) end(resolve);
        };
        const abort = () => end(() => reject(signal?.reason));
        sleepers.add(look);
        signal?.addEventListener('abort', abort, { once: true });
        timer ??= setTimeout(step, STEP_MS);
      });
    },
  };
}
