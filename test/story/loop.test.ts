import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exampleClusters, seedExamples } from '../../sandbox/seed.ts';
import { playStory } from '../../sandbox/story.ts';
import { readdir } from 'node:fs/promises';
import { leaksBelow, leaksIn, watchArguments } from './leaks.ts';
import { openWorld } from './parts.ts';

test('the loop: healthy, broken, healed, unchanged, production by merge request; and no secret is told', async () => {
  await using world = await openWorld({ clusters: Object.keys(exampleClusters) });
  const argumentsOfAll = watchArguments();
  const { secrets } = await seedExamples(world);
  const chapters = await playStory(world, () => {});
  argumentsOfAll.stop();

  expect(chapters.map((chapter) => ({ title: chapter.title, faults: chapter.faults, logs: chapter.logs }))).toEqual(
    [
      'a new version',
      'a version that never becomes healthy',
      'a roll-forward that heals it',
      'a person changes another app',
      'production by merge request',
    ].map((title) => ({ title, faults: [], logs: [] })),
  );
  const broken = chapters[1]!;
  expect(broken.application?.description).toBe(broken.delivery.description);
  expect(broken.delivery.description).toMatch(/ImagePullBackOff|podinfo/);

  const tokens = [...secrets, world.person.token];
  expect(argumentsOfAll.seen.size).toBeGreaterThan(10);
  expect(
    [...argumentsOfAll.seen].flatMap((text) => leaksIn(`arguments of ${text.split('\0')[0]}`, text, tokens)),
  ).toEqual([]);
  expect(leaksIn('job logs', world.gitlab.rawLogs(), tokens)).toEqual([]);
  expect(await leaksBelow(world.folder, tokens, () => false)).toEqual([]);
  const left = await readdir(join(world.folder, 'temporary'));
  expect(left.filter((name) => name.startsWith('sluice'))).toEqual([]);
});
