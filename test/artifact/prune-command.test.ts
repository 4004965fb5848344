import { expect, test } from 'vitest';
import { results } from '../../runner/output/results.ts';
import { cli } from './command.ts';
import { bothApps, overlay, publishing } from './publishing.ts';

const web = 'shop/delivery/web';

test('publish --prune: a plan as table and JSON, then the same done; clusters that cannot be asked are said', async () => {
  await using world = await publishing();
  await world.commit({ 'sluice.yaml': bothApps, ...overlay('podinfo', 'staging'), ...overlay('web', 'staging') });
  expect((await cli(world, 'unlimited')).code).toBe(0);
  await world.commit({ 'sluice.yaml': bothApps.replace(/ {2}web.*\n/, '') });

  const table = await cli(world, 'unlimited', '--prune', '--dry-run', '--format', 'text');
  expect(table.code).toBe(0);
  expect(table.stdout).toMatch(
    /^planned {2}\S+\/web:staging-[0-9a-f]{12} {2,}sluice\.yaml has no artifact web any more$/m,
  );
  expect(table.stdout).toContain('2 of 4 tags would be removed');
  const planned = await cli(world, 'unlimited', '--prune', '--dry-run');
  expect(results['publish']?.safeParse(planned.record).error).toBeUndefined();
  expect(planned.record).toMatchObject({ outcome: 'planned', keep: { days: 90, count: null }, removed: 0 });
  expect(world.registry.tags(web).size).toBe(2);

  const done = await cli(world, 'unlimited', '--prune', '--keep-count', '5');
  expect(done.record).toMatchObject({ outcome: 'removed', keep: { days: null, count: 5 }, removed: 2 });
  expect(results['publish']?.safeParse(done.record).error).toBeUndefined();
  expect(world.registry.tags(web).size).toBe(0);
  expect((await cli(world, 'unlimited', '--prune')).record).toMatchObject({ outcome: 'unchanged', removed: 0 });
});

test.each([
  [['--keep-days', '3'], 'belongs to --prune'],
  [['--prune', '--keep-count', '-1'], 'count'],
])('%j is a usage fault', async (flags, words) => {
  await using world = await publishing();
  await world.commit({ 'sluice.yaml': bothApps });
  const ran = await cli(world, 'unlimited', ...flags);
  expect(ran).toMatchObject({ code: 2, record: { fault: { code: 'usage', message: expect.stringContaining(words) } } });
  expect(world.registry.requests).toEqual([]);
});
