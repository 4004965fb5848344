import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'lab',
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    // Signal handlers, which end the stacks' programs, work in processes only.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
