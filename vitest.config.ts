import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** What takes minutes, or looks closely at the simulated GitLab and its registry: `npm run test:long`. */
const longTests = [
  'test/artifact/{registry-faults,retention-registries}.test.ts',
  'test/component-project.test.ts',
  'test/delivery/update-trigger.test.ts',
  'test/delivery/update-trigger-input.test.ts',
  'test/sandbox/gitlab-{agents,downstream,includes,inputs,jobs,merge-requests,pipelines,registry-api,request-pipelines}.test.ts',
  'test/story/{bad-input-cluster,component-refusals,form,own,pipeline-includes,pipeline-kinds,pipelines,publish-modes}.test.ts',
  'test/story/{readme,truth-table}.test.ts',
  'test/sync/{cli-trouble,missing-context,watch-statuses}.test.ts',
  'test/templates/jobs.test.ts',
];

export default defineConfig({
  test: {
    // Stories wait for processes and for Flux more than they compute.
    maxWorkers: Math.min(8, 2 * availableParallelism()),
    projects: [
      './test/lab/simulated/vitest.config.ts',
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/story/**', 'test/lab/**', 'test/page/**', 'test/image/**', ...longTests],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      { test: { name: 'page', include: ['test/page/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { test: { name: 'image', include: ['test/image/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 900_000 } },
      {
        test: {
          name: 'story',
          include: ['test/story/**/*.test.ts'],
          exclude: longTests,
          testTimeout: 600_000,
          hookTimeout: 180_000,
        },
      },
      { test: { name: 'long', include: longTests, testTimeout: 600_000, hookTimeout: 180_000 } },
    ],
  },
});
