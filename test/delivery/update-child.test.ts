import { expect, test } from 'vitest';
import { updateWorld } from './update-world.ts';

const child = { CI_PIPELINE_SOURCE: 'parent_pipeline' };

test.each([
  ['as GitLab names it', { CI_UPSTREAM_PIPELINE_ID: '7' }, 7, false],
  ['as the trigger job hands it on', { SLUICE_PARENT_PIPELINE_ID: '6' }, 6, false],
  ['or, with a warning, its own', {}, 10, true],
])('the origin of a child pipeline is its parent, %s', async (_, env, pipeline, warned) => {
  await using world = await updateWorld();
  const { told } = await world.update({ env: { ...child, ...env } });
  const message = await world.git.git('shop/delivery.git', ['log', '-1', '--format=%B', 'main']);
  expect(`${message}\n`).toContain(`Sluice-Source-Pipeline: ${pipeline}\n`);
  expect(told.some((line) => line.includes('SLUICE_PARENT_PIPELINE_ID'))).toBe(warned);
});
