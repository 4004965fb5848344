import { Fault } from '../../src/fault.ts';
import type { JobInfo } from '../context.ts';

/**
 * Adds to a missing credential why a variable that is set may not have come: protected ones do not reach pipelines of
 * merge requests and of unprotected branches (https://docs.gitlab.com/ci/variables/#protect-a-cicd-variable). Everything
 * else is answered as it is.
 */
export function explainMissing(error: unknown, job: Pick<JobInfo, 'protectedRef' | 'mergeRequestIid'>): unknown {
  if (!(error instanceof Fault) || error.code !== 'token_missing') return error;
  if (job.protectedRef !== false && job.mergeRequestIid === undefined) return error;
  const why =
    'This pipeline is not of a protected branch or tag: protected variables do not reach it, and one of a fork gets no variables of the project.';
  return new Fault(error.code, error.message, { hint: `${error.hint} ${why}` });
}
