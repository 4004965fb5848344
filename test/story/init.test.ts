import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { manifests } from './job-files.ts';
import { jobWorld, type JobWorld } from './job.ts';

let world: JobWorld;
beforeAll(async () => {
  world = await jobWorld();
  await world.commit({
    'README.md': '# delivery\n',
    ...manifests(world.host, '1.0.0'),
    ...manifests(world.host, '1.0.0', 'production'),
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

test('from a repository without sluice.yaml to a publication that could be made, and no secret anywhere', async () => {
  const before = await world.snapshot();
  const planned = await world.run(['init', '--dry-run']);
  expect(planned.code).toBe(0);
  expect(planned.document).toMatchObject({
    outcome: 'planned',
    environments: ['staging', 'production'],
    apps: ['podinfo'],
  });
  expect(await world.snapshot()).toEqual(before);

  const written = await world.run(['init', '--application', 'podinfo=shop/podinfo']);
  expect(written.document).toMatchObject({ outcome: 'written' });
  expect(await readFile(join(world.checkout, 'sluice.yaml'), 'utf8')).toMatch(/project: shop\/podinfo/);
  const published = await world.run(['publish', '--dry-run']);
  expect(published.code).toBe(0);
  expect(published.document).toMatchObject({ outcome: 'pushed' });

  const again = await world.run(['init']);
  expect(again.document).toMatchObject({ outcome: 'unchanged' });
  expect(await world.leaks()).toEqual([]);
});

test('bad input is told with its exit code', async () => {
  await world.commit({ 'README.md': '# fresh\n' });
  const wrong = await world.run(['init', '--application', 'nobody']);
  expect(wrong.code).toBe(2);
  expect(wrong.document.fault).toMatchObject({ code: 'usage' });
  const refused = await world.run(['init', '--merge-request'], { env: { SLUICE_GITLAB_TOKEN: '' } });
  expect(refused.code).toBe(7);
});
