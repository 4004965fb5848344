import { Fault } from '../../src/fault.ts';
import type { GitLab } from '../../src/systems/gitlab.ts';
import type { Context } from '../context.ts';

/** What GitLab is asked at the deadline it may still answer. */
const GRACE_MS = 5_000;

/**
 * GitLab for as long as the update lasts: a signal ends what it is asked, and so does the deadline a little later (Fault
 * `gitlab_unavailable`). By itself it waits for an answer whatever happens, since a canceled sync still has to report.
 */
export async function endingGitLab(context: Context, connected = context.gitlab()): Promise<GitLab> {
  const late = context.late(
    GRACE_MS,
    () =>
      new Fault('gitlab_unavailable', 'GitLab gave no answer until the deadline', {
        hint: 'Raise --timeout, or look at GitLab; it is safe to run again.',
      }),
  );
  return (await connected).within(AbortSignal.any([context.signal, late]));
}
