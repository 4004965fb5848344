import type { Row } from './state.ts';

/** Jobs behind a retried or played one that had been skipped wait again. */
export function requeueSkipped(row: Row, reset: (row: Row) => void): void {
  for (const other of row.pipeline.rows) {
    if (other.retried || other.kind === 'external' || other.status !== 'skipped') continue;
    if (other.stageIndex > row.stageIndex || other.job?.spec.needs?.some((need) => need.job === row.name)) reset(other);
  }
}

/** Jobs whose artifacts and dotenv reports a job gets. */
export function producersOf(row: Row): readonly Row[] {
  const spec = row.job?.spec;
  const latest = row.pipeline.rows.filter((each) => !each.retried && each.kind === 'job');
  const { needs } = spec ?? {};
  const dependencies = spec?.data['dependencies'];
  const named = (other: Row, name: string) => other.name === name || other.job?.spec.baseName === name;
  if (Array.isArray(dependencies))
    return latest.filter((other) => dependencies.some((name) => named(other, String(name))));
  if (needs) return latest.filter((other) => needs.some((need) => need.artifacts && named(other, need.job)));
  return latest.filter((other) => other.stageIndex < row.stageIndex);
}
