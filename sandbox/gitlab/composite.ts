/** The status of many rows as one (lib/gitlab/ci/status/composite.rb of GitLab). */

export interface Part {
  readonly status: string;
  readonly allowFailure: boolean;
}

/** Ended for good (manual jobs may still be played). */
export const completed: ReadonlySet<string> = new Set(['success', 'failed', 'canceled', 'skipped']);

/** Status of a pipeline, a stage, or the jobs that a job waits for; `created` where there are none. */
export function composite(rows: readonly Part[]): string {
  const kinds = new Set(rows.map(kindOf));
  const only = (...allowed: readonly string[]) => kinds.size > 0 && [...kinds].every((kind) => allowed.includes(kind));
  if (kinds.size === 0) return 'created';
  if (only('skipped', 'ignored'))
    return [...kinds].includes('ignored') && !kinds.has('skipped') ? 'success' : 'skipped';
  if (only('success', 'skipped', 'warning', 'ignored')) return 'success';
  if (only('created', 'warning', 'ignored')) return 'created';
  if (only('canceled', 'success', 'skipped', 'warning', 'ignored')) return 'canceled';
  if (only('pending', 'created', 'skipped', 'warning', 'ignored')) return 'pending';
  for (const status of ['running', 'pending']) if (kinds.has(status)) return 'running';
  for (const status of ['canceling', 'waiting_for_resource', 'manual', 'scheduled'])
    if (kinds.has(status)) return status;
  if (kinds.has('created')) return 'running';
  return 'failed';
}

function kindOf(row: Part): string {
  if (row.allowFailure && (row.status === 'failed' || row.status === 'canceled')) return 'warning';
  if (row.allowFailure && row.status === 'manual') return 'ignored';
  return row.status;
}

/** May a job start, given those it waits for? null: not yet. */
export function decide(
  when: string,
  before: readonly Part[],
  needed: boolean,
): 'run' | 'manual' | 'delay' | 'skip' | null {
  const waiting = before.some((row) => !completed.has(row.status) && !(row.status === 'manual' && row.allowFailure));
  if (waiting) return null;
  const skipped = needed && before.some((row) => row.status === 'skipped' || row.status === 'manual');
  const status = before.length === 0 ? 'success' : composite(before);
  const good = !skipped && (status === 'success' || status === 'skipped');
  const failed = before.some((row) => row.status === 'failed' && !row.allowFailure);
  if (when === 'always') return 'run';
  if (when === 'on_failure') return failed ? 'run' : 'skip';
  if (!good) return 'skip';
  if (when === 'delayed') return 'delay';
  return when === 'manual' ? 'manual' : 'run';
}
