/** What is known after a lost race. */
export interface Race {
  /** Attempts so far, this one included. */
  readonly attempts: number;
  /** Commits of others that landed since the attempt before began, as far as it is known. */
  readonly landed: number;
  /** Milliseconds that one attempt takes (fetch, plan, push). */
  readonly attemptMs: number;
}

/** Longest wait before another try, in milliseconds. */
const LONGEST = 60_000;

/** Doublings of the least window: how many still wait is not known, and who waits too long is the last one. */
const DOUBLINGS = 3;

/**
 * Milliseconds to wait before the next attempt: full jitter in a window that grows with the contenders seen. Each of
 * them needs about one attempt's time at the server; as many as landed meanwhile are expected again, and at least twice
 * as many after each of the first losses. `random` is uniform in [0, 1).
 */
export function backoff(race: Race, random: number): number {
  const contenders = Math.max(race.landed, 2 ** Math.min(race.attempts, DOUBLINGS) - 1);
  return random * Math.min(LONGEST, Math.max(50, race.attemptMs) * contenders);
}
