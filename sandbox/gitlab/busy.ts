import type { Pipeline, Row } from './state.ts';

const active: ReadonlySet<string> = new Set(['created', 'pending', 'running', 'waiting_for_resource', 'canceling']);

/** Is there CI work left that will go on by itself? */
export function busy(pipeline: Pipeline): boolean {
  const jobs = pipeline.rows.filter((row) => row.kind !== 'external' && !row.retried);
  // A trigger job that waits is as busy as its own pipeline.
  const works = (row: Row) => row.status !== 'created' && (row.kind === 'job' || row.downstream === null);
  if (jobs.some((row) => active.has(row.status) && works(row))) return true;
  // `created` jobs behind a manual one wait for a person.
  return jobs.some((row) => row.status === 'created') && !jobs.some((row) => row.status === 'manual');
}
