import { Fault } from '../fault.ts';
import type { Clock } from './clock.ts';
import { endOf } from './deadline.ts';
import { withoutUser } from './git-environment.ts';
import { isTransient } from './git-failure.ts';
import { ProcessFailure } from './process.ts';

/** Tries of a fetch or push while the server does not answer. */
const TRIES = 4;
/** What is under way at the deadline may still end. A push is given more: nobody knows of one that was left whether it landed. */
const GRACE_MS = { fetch: 5_000, push: 20_000 } as const;

/** What talks with a git server are bounded by. */
export interface PatienceOptions {
  readonly clock: Clock;
  readonly url: string;
  /** Milliseconds since the epoch; none: no bound. */
  readonly deadline?: number | undefined;
}

/** Runs a transport command, and again while the failure may be gone in a moment. `attempt` must obey the signal it is given. */
export type Patience = <T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
  what?: keyof typeof GRACE_MS,
) => Promise<T>;

/** Patience until the deadline. Fault `git_unavailable` where the server keeps silent until then. */
export function patience({ clock, url, deadline = Infinity }: PatienceOptions): Patience {
  return async (attempt, signal, what = 'fetch') => {
    const limit = endOf({ clock, deadline, graceMs: GRACE_MS[what] }, () => silent(url, what));
    const both = signal ? AbortSignal.any([limit, signal]) : limit;
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt(both);
      } catch (error) {
        if (limit.aborted && !signal?.aborted) throw limit.reason;
        const text = error instanceof ProcessFailure ? error.stderr : '';
        if (tries >= TRIES || clock.now() >= deadline || !isTransient(text)) throw error;
        await clock.sleep(250 * 2 ** tries * (0.5 + clock.random()), signal);
      }
    }
  };
}

function silent(url: string, what: keyof typeof GRACE_MS): Fault {
  const rest = what === 'push' ? '; what was pushed may have landed' : '';
  return new Fault('git_unavailable', `${withoutUser(url)}: no answer until the deadline${rest}`, {
    hint: 'Raise --timeout, or look at the server; it is safe to run again.',
  });
}
