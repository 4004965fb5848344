import { completed } from './composite.ts';
import { isChild } from './downstream.ts';
import type { Pipeline } from './state.ts';

/**
 * "Auto-cancel redundant pipelines": older ones of the ref for other commits, unless a job that must not be interrupted
 * has begun. Children go with their parents.
 */
export function redundantTo(pipeline: Pipeline): readonly Pipeline[] {
  return pipeline.project.pipelines.filter((older) => {
    if (older === pipeline || older.ref !== pipeline.ref || older.id > pipeline.id) return false;
    if (completed.has(older.status) || older.source === 'external' || older.sha === pipeline.sha) return false;
    if (isChild(older)) return false;
    return !older.rows.some(
      (row) => row.kind === 'job' && row.startedAt !== null && row.job?.spec.data['interruptible'] !== true,
    );
  });
}
