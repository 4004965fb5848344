import { Fault } from '../fault.ts';
import type { Clock } from '../systems/clock.ts';

/** A signal that ends with another one, and at a time of its own. */
export interface TimeLimit extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Ends what is under way with `signal`, or at `deadline` (milliseconds since the epoch) with Fault `gitlab_unavailable`:
 * a request in flight to a GitLab that does not answer would else outlast it by minutes.
 */
export function limitTo(deadline: number, clock: Clock, signal: AbortSignal): TimeLimit {
  const late = new AbortController();
  const over = new AbortController();
  clock.sleep(Math.max(0, deadline - clock.now()), AbortSignal.any([signal, over.signal])).then(
    () => late.abort(new Fault('gitlab_unavailable', 'GitLab gave no answer in time')),
    () => undefined,
  );
  return { signal: AbortSignal.any([signal, late.signal]), [Symbol.dispose]: () => over.abort() };
}
