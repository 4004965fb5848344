import { expect, test } from 'vitest';
import { readJob } from '../../runner/settings/job.ts';

const parentOf = (env: Readonly<Record<string, string>>) => readJob(env).parentPipelineId;

test('the parent of a child pipeline: as GitLab names it, or as the trigger job handed it on', () => {
  const child = { CI_PIPELINE_SOURCE: 'parent_pipeline', CI_PIPELINE_ID: '12' };
  expect(parentOf({ ...child, CI_UPSTREAM_PIPELINE_ID: '11' })).toBe(11);
  expect(parentOf({ ...child, SLUICE_PARENT_PIPELINE_ID: '10' })).toBe(10);
  expect(parentOf({ ...child, SLUICE_PARENT_PIPELINE_ID: '10', CI_UPSTREAM_PIPELINE_ID: '11' })).toBe(10);
  expect(parentOf(child)).toBeUndefined();
});

test('a pipeline that another project started has no parent', () => {
  expect(parentOf({ CI_PIPELINE_SOURCE: 'pipeline', CI_UPSTREAM_PIPELINE_ID: '11' })).toBeUndefined();
  expect(parentOf({ CI_PIPELINE_SOURCE: 'push', SLUICE_PARENT_PIPELINE_ID: '10' })).toBeUndefined();
});
