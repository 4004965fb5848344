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

/**
 * Milliseconds to wait before the next attempt: full jitter in a window that grows with the contenders seen. An attempt
 * takes the longer the more are under way, so after the first loss the window is as long as the attempt was; it is
 * doubled with each further loss, as long as so many landed meanwhile: who waits longer than the others need is the last.
 * `random` is uniform in [0, 1).
 */
export function backoff(race: Race, random: number): number {
  const contenders = Math.min(Math.max(1, race.landed), 2 ** Math.min(race.attempts, 10) - 1);
  return random * Math.min(LONGEST, Math.max(50, race.attemptMs) * contenders);
}
