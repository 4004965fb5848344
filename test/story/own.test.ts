import { readdir, readFile, rm } from 'node:fs/promises';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { copyDelivery } from '../../sandbox/own-delivery.ts';
import { ownClusters, playOwn } from '../../sandbox/own-story.ts';
import { runProcesses } from '../../src/systems/process-run.ts';
import { openWorld, storyPath } from './parts.ts';

const layouts = join(import.meta.dirname, '../fixtures/layouts');

async function fingerprint(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(await readFile(file));
  return hash.digest('hex');
}

test.each([
  ['overlays', 'dev', 'services/web/overlays/dev/kustomization.yaml', '"1.1.0"'],
  ['helm-releases', 'staging', 'releases/staging/web/release.yaml', 'tag: 1.1.0    # set by the pipeline'],
  ['flux-monorepo', 'staging', 'apps/staging/web-image.yaml', 'web:1.1.0 # {"$imagepolicy"'],
])(
  "one's own repository, layout %s, is delivered to %s and never written to",
  async (layout, environment, file, line) => {
    const delivery = join(layouts, layout);
    const before = await fingerprint(delivery);
    const folder = await mkdtemp(join(tmpdir(), 'sluice-story-own-'));
    try {
      const own = await copyDelivery(
        { delivery, app: 'web', image: 'registry.example.com/team/web:1.1.0' },
        folder,
        runProcesses({ PATH: storyPath() }),
      );
      expect(own.proposed).toContain('{environment}');
      await using world = await openWorld({ clusters: ownClusters(own) });
      const record = await playOwn(world, own, Date.now(), () => {});
      expect(record).toMatchObject({ outcome: 'done', environment, logs: [] });
      expect(record.diff).toContain(`+++ b/${file}`);
      expect(record.diff.split('\n').filter((text) => /^[+-](?![+-])/.test(text))).toEqual([
        expect.stringMatching(/^-/),
        expect.stringContaining(line),
      ]);
      expect(record.statuses.map((status) => `${status.project} ${status.name} ${status.state}`).toSorted()).toEqual([
        `shop/delivery sync: ${environment}/web success`,
        `shop/web sync: ${environment}/web success`,
      ]);
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
    expect(await fingerprint(delivery)).toBe(before);
  },
);
