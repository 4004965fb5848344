import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { visitGitLab } from '../../sandbox/gitlab-client.ts';
import { paths, seedExamples } from '../../sandbox/seed.ts';
import { readPages } from '../docs/blocks.ts';
import { openWorld } from './parts.ts';

const root = join(import.meta.dirname, '..', '..');

test('README’s five minutes: its own files give the first status, and then the one on the application commit', async () => {
  const readme = (await readPages()).find(({ path }) => path === 'README.md')!;
  const [settings] = readme.blocks.filter(({ kind }) => kind === 'sluice.yaml');
  const [delivery, application] = readme.blocks.filter(({ kind }) => kind === '.gitlab-ci.yml');
  await using world = await openWorld({ clusters: ['staging-eu'] });
  const { gitlab } = world;
  await seedExamples(world);
  await gitlab.waitForPipelines();
  const visitor = visitGitLab(gitlab, world.person.token);
  const statuses = async (project: string, sha: string) =>
    (await visitor.statuses(project, sha))
      .filter(({ name }) => name.startsWith('sync:'))
      .map(({ name, status }) => `${name} ${status}`);

  const base = 'apps/podinfo/base/deployment.yaml';
  const deployment = await readFile(join(root, 'examples', 'delivery', base), 'utf8');
  const first = await gitlab.seed(
    paths.delivery,
    new Map([
      ['sluice.yaml', settings!.text],
      ['.gitlab-ci.yml', delivery!.text],
      [base, deployment.replace('replicas: 2', 'replicas: 3')],
    ]),
    'Follow the README',
  );
  await gitlab.waitForPipelines();
  expect(await statuses(paths.delivery, first)).toEqual(['sync: staging/podinfo success']);

  const build = `\nstages: [build, deploy]\nbuild image:\n  stage: build\n  script: [sh build-image.sh "$CI_REGISTRY_IMAGE:$CI_COMMIT_SHORT_SHA"]\n`;
  const commit = await gitlab.seed(
    paths.app,
    new Map([['.gitlab-ci.yml', `${application!.text}${build}`]]),
    'Deliver every commit',
  );
  await gitlab.waitForPipelines();
  expect(await statuses(paths.app, commit)).toEqual(['sync: staging/podinfo success']);
});
