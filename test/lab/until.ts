import { setTimeout as sleep } from 'node:timers/promises';

/** Thrown by a probe to give up at once. */
export class Hopeless extends Error {}

/**
 * Calls `probe` until it gives something truthy. Rejects after `timeoutMs` with what was awaited and the last error,
 * and at once when the probe throws `Hopeless`.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T> | T,
  { timeoutMs = 60_000, everyMs = 50 } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const end = Date.now() + timeoutMs;
  let last = 'not yet';
  for (;;) {
    try {
      const value = await probe();
      if (value) return value as Exclude<T, false | null | undefined>;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = error instanceof Error ? error.message : String(error);
    }
    if (Date.now() > end) throw new Error(`gave up waiting for ${what} after ${timeoutMs / 1000} s: ${last}`);
    await sleep(everyMs);
  }
}
