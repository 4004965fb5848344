/** What is known after a lost race. */
export interface Race {
  /** Attempts so far, this one included. */
  readonly attempts: number;
  /** Commits of others that landed since the attempt before began; null: not known, as after the first loss. */
  readonly landed: number | null;
  /** Losses in a row, this one included, in which nobody else landed: the server itself is in the way. */
  readonly idle?: number;
  /** Milliseconds that one attempt takes (fetch, plan, push). */
  readonly attemptMs: number;
}

/** Longest wait before another try, in milliseconds. */
const LONGEST = 60_000;

/** The window after the first loss, in attempts. */
const FIRST = 3;
/** The widest: more would only let the last ones wait when the others are done. */
const MOST = 16;
/** Doublings of the window while the server rejects and nobody lands. */
const IDLE_DOUBLINGS = 6;

/** Of those who wait about as many have landed meanwhile, or a few times as many. */
const WAITING_FOR_EACH_LANDED = 3;

/**
 * Milliseconds to wait before the next attempt: full jitter in a window that grows with the contenders seen. An attempt
 * takes the longer the more are under way, so the window is counted in attempts: it begins with three, since most of those
 * who began together are still there at the first loss, and doubles with each loss, as long as others land enough to be
 * that many; where nobody lands, with each loss. `random` is uniform in [0, 1).
 */
export function backoff(race: Race, random: number): number {
  const { attempts, landed, attemptMs, idle = 0 } = race;
  const attempt = Math.max(50, attemptMs);
  if (idle > 1) return random * Math.min(LONGEST, attempt * 2 ** Math.min(idle - 1, IDLE_DOUBLINGS));
  const seen = landed === null ? Infinity : Math.max(1, WAITING_FOR_EACH_LANDED * landed);
  return random * Math.min(LONGEST, attempt * Math.min(seen, FIRST * 2 ** (attempts - 1), MOST));
}
