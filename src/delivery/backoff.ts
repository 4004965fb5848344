/** What is known after a lost race. */
export interface Race {
  /** Attempts so far, this one included. */
  readonly attempts: number;
  /** Commits of others that landed since the attempt before began, as far as it is known. */
  readonly landed: number;
  /** Losses in a row, this one included, in which nobody else landed: the server itself is in the way. */
  readonly idle?: number;
  /** Milliseconds that one attempt takes (fetch, plan, push). */
  readonly attemptMs: number;
}

/** Longest wait before another try, in milliseconds. */
const LONGEST = 60_000;

/** Doublings of the window: more would only let the last ones wait when the others are done. */
const DOUBLINGS = 4;
/** Doublings of the window while the server rejects and nobody lands. */
const IDLE_DOUBLINGS = 6;

/**
 * Milliseconds to wait before the next attempt: full jitter in a window that grows with the contenders seen. An attempt
 * takes the longer the more are under way, so the window is counted in attempts: it begins with four and doubles with
 * each loss, as long as others still land (about twice as many wait as landed meanwhile); where nobody lands, with each
 * loss. `random` is uniform in [0, 1).
 */
export function backoff(race: Race, random: number): number {
  const { idle = 0 } = race;
  if (idle > 1) {
    const window = Math.max(50, race.attemptMs) * 2 ** Math.min(idle - 1, IDLE_DOUBLINGS);
    return random * Math.min(LONGEST, window);
  }
  const contenders = Math.min(Math.max(1, 2 * race.landed), 2 ** Math.min(race.attempts + 1, DOUBLINGS));
  return random * Math.min(LONGEST, Math.max(50, race.attemptMs) * contenders);
}
