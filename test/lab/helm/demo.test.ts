import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exampleClusters, seedExamples } from '../../../sandbox/seed.ts';
import { playStory } from '../../../sandbox/story.ts';
import { buildWorld } from '../../../sandbox/world.ts';
import type { World } from '../../../sandbox/world.ts';
import { binaryPath } from '../../../scripts/binaries.mjs';
import { labParts } from '../parts.ts';

/** The demo's whole story, through templates, packaged CLI and agent proxy, on the real Flux and registry. */
const root = join(import.meta.dirname, '..', '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'sluice-lab-demo-'));
const tools = ['oras', 'kustomize'].map((name) => dirname(binaryPath(name)));
let world: World | undefined;

beforeAll(async () => {
  const env = { PATH: [...tools, process.env['PATH']].join(delimiter), HOME: folder, LANG: 'C.UTF-8' };
  world = await buildWorld({
    folder,
    root,
    env,
    parts: labParts({ tier: 'helm' }),
    clusters: Object.keys(exampleClusters),
  });
  await seedExamples(world);
});
afterAll(async () => {
  await world?.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

test('the demo’s story is as told', { timeout: 300_000 }, async () => {
  if (!world) throw new Error('there is no world');
  const chapters = await playStory(world, () => {});
  expect(chapters.flatMap(({ title, faults, logs }) => faults.map((fault) => ({ title, fault, logs })))).toEqual([]);
  expect(chapters).toHaveLength(5);
  for (const cluster of Object.values(world.clusters)) {
    const releases = await cluster.objects('HelmRelease');
    const ready = releases.map(({ metadata, status }) => {
      const conditions = (status?.['conditions'] ?? []) as readonly {
        readonly type: string;
        readonly status: string;
      }[];
      return [metadata.name, conditions.find(({ type }) => type === 'Ready')?.status];
    });
    expect(ready).toEqual([['greeter', 'True']]);
  }
});
