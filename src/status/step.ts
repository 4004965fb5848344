import type { StatusState } from './report.ts';

/** A status as it stands in GitLab; CI jobs are listed among them and have further states. */
export interface StandingStatus {
  readonly id: number;
  readonly name: string;
  readonly state: StatusState | 'created' | 'manual' | 'scheduled';
  readonly pipelineId: number | null;
  readonly author: string | null;
}

/** Final states: GitLab begins a new row for whatever is posted after one of them. */
export function isFinal(state: StandingStatus['state']): boolean {
  return state === 'success' || state === 'failed' || state === 'canceled' || state === 'skipped';
}

/**
 * What posting `wanted` would do where `standing` is (null: no such status): post it, done (it stands already, or
 * something later does), or impossible (GitLab's state machine answers 400; only running → skipped).
 */
export function stepTo(standing: StandingStatus['state'] | null, wanted: StatusState): 'post' | 'done' | 'impossible' {
  if (standing === wanted) return 'done';
  if (standing !== 'running') return 'post';
  if (wanted === 'pending') return 'done';
  return wanted === 'skipped' ? 'impossible' : 'post';
}

/**
 * The row that a post by `bot` would change: the newest of the name in the pipeline. A row of another author does not
 * count, GitLab begins a new one beside it. Unknown bot: any author's.
 */
export function standingStatus<Row extends StandingStatus>(
  rows: readonly Row[],
  name: string,
  pipelineId: number | null,
  bot: string | null,
): Row | null {
  const own = rows.filter(
    (row) =>
      row.name === name &&
      (pipelineId === null || row.pipelineId === null || row.pipelineId === pipelineId) &&
      (bot === null || row.author === null || row.author === bot),
  );
  return own.toSorted((a, b) => b.id - a.id)[0] ?? null;
}
