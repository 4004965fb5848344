import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    maxWorkers: 2,
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
          testTimeout: 600_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
