import { z } from 'zod';
import { Fault } from '../fault.ts';
import { GitLabRefusal, refusalFault } from './gitlab-refusal.ts';

/**
 * Runs a call of gitbeaker and parses its answer; null for 404. `needs` says what the token must be allowed to do: the
 * hint of `token_refused` (401, 403). Everything else that is no success, and an answer that does not fit the schema, is
 * `gitlab_unavailable`.
 */
export async function ask<T>(needs: string, schema: z.ZodType<T>, call: () => Promise<unknown>): Promise<T | null> {
  let answer: unknown;
  try {
    answer = await call();
  } catch (error) {
    if (!(error instanceof GitLabRefusal)) throw error;
    if (error.status === 404) return null;
    throw refusalFault(error, needs);
  }
  return fitting(schema, answer);
}

/** An answer as its schema says; Fault `gitlab_unavailable` where it does not fit. */
export function fitting<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new Fault('gitlab_unavailable', `GitLab's answer does not fit: ${z.prettifyError(parsed.error)}`, {
    hint: 'Check that the address is GitLab’s own and its version at least 17.',
  });
}
