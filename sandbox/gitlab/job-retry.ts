import type { JobEnd } from './run-job.ts';
import type { Row } from './state.ts';

/**
 * May a failed job be tried again by itself? `retry:` as number, or with `max`, `when` and `exit_codes`
 * (lib/gitlab/ci/build/auto_retry.rb of GitLab: a reason or an exit code suffices; without either every failure).
 */
export function retriesItself(row: Row, end: JobEnd): boolean {
  if (end.status !== 'failed') return false;
  const settings: unknown = row.job?.spec.data['retry'];
  const tried = row.pipeline.rows.filter(
    (each) => each.kind === 'job' && each.name === row.name && each.retried,
  ).length;
  if (typeof settings === 'number') return tried < settings;
  if (typeof settings !== 'object' || settings === null) return false;
  const {
    max = 0,
    when,
    exit_codes,
  } = settings as {
    readonly max?: number;
    readonly when?: string | readonly string[];
    readonly exit_codes?: number | readonly number[];
  };
  if (tried >= max) return false;
  const reasons = when === undefined ? (exit_codes === undefined ? ['always'] : []) : [when].flat();
  if (reasons.includes('always') || reasons.includes(end.failureReason ?? '')) return true;
  return exit_codes !== undefined && end.exitCode !== null && [exit_codes].flat().includes(end.exitCode);
}
