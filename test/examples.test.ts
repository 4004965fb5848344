import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseConfig } from '../src/config/parse.ts';
import { root } from './docs/blocks.ts';
import { manifestFaults } from './docs/manifests.ts';

const examples = join(root, 'examples');
const files = (await readdir(examples, { recursive: true })).filter((path) => path.endsWith('.yaml')).toSorted();
const text = (path: string) => readFile(join(examples, path), 'utf8');

/** Flux’s own objects, and what stands beside them. */
const ofFlux = files.filter((path) => /\/(clusters|rbac)\/|release\.yaml$/.test(path));

test('there are Flux objects in every example that has clusters', () => {
  const projects = new Set(ofFlux.map((path) => path.split('/')[0]));
  expect([...projects]).toEqual(expect.arrayContaining(['agent-config', 'delivery', 'delivery-git']));
});

test.each(ofFlux)('%s holds only what Flux and Kubernetes know', async (path) => {
  expect(manifestFaults(await text(path))).toEqual([]);
});

test.each(files.filter((path) => path.endsWith('sluice.yaml') && !path.includes('/rbac/')))(
  '%s is valid',
  async (path) => {
    expect(parseConfig(await text(path), path).apps.length).toBeGreaterThan(0);
  },
);
