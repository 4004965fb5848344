import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Stories that wait for minutes of Flux's time: `npm run test:long`. */
const longStories = [
  'test/story/pipelines.test.ts',
  'test/story/pipeline-kinds.test.ts',
  'test/story/publish-modes.test.ts',
  'test/story/truth-table.test.ts',
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
          exclude: ['test/story/**', 'test/lab/**', 'test/page/**', 'test/image/**'],
          testTimeout: 90_000,
          hookTimeout: 90_000,
        },
      },
      { test: { name: 'page', include: ['test/page/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { test: { name: 'image', include: ['test/image/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 900_000 } },
      {
        test: {
          name: 'story',
          include: ['test/story/**/*.test.ts'],
          exclude: longStories,
          testTimeout: 600_000,
          hookTimeout: 180_000,
        },
      },
      { test: { name: 'long', include: longStories, testTimeout: 600_000, hookTimeout: 180_000 } },
    ],
  },
});
