import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** The stories of the real Flux, told of the simulated cluster: what differs is a bug of the simulation. */
export default defineConfig({
  test: {
    name: 'twin',
    root: join(import.meta.dirname, '..'),
    include: ['core/*.test.ts', 'notification/*.test.ts', 'helm/*.test.ts'],
    // These are about the lab itself, or tell their story of the simulation in test/story.
    exclude: [
      'core/command.test.ts',
      'core/endings.test.ts',
      'core/token-registry.test.ts',
      'helm/demo.test.ts',
      'core/artifacts.test.ts',
      'core/flux-reading.test.ts',
    ],
    env: { SLUICE_LAB_WORLD: 'simulated' },
    pool: 'forks',
    sequence: { groupOrder: 1 },
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
