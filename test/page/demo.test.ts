import { afterAll, beforeAll, expect, test } from 'vitest';
import { paths } from '../../sandbox/seed.ts';
import { openExamples, type ExamplesWorld } from '../story/parts.ts';
import { openBrowser } from './browser.ts';

/** The demo's page after a good version, a broken one and one that heals it: the pictures of README.md. */

let world: ExamplesWorld;
let broken: string;

beforeAll(async () => {
  world = await openExamples();
  for (const version of ['6.6.0', '6.7.0-broken', '6.7.1']) {
    const sha = await world.gitlab.seed(paths.app, new Map([['VERSION', `${version}\n`]]), `Release ${version}`);
    if (version.endsWith('broken')) broken = sha;
    await world.gitlab.waitForPipelines();
  }
}, 400_000);
afterAll(() => world[Symbol.asyncDispose]());

test('the application’s commits with the status of each version', async () => {
  const look = await openBrowser(world.folder, { width: 1000, height: 640 });
  const { dom, picture } = await look(`${world.gitlab.url}/${paths.app}`, 'application');
  expect(dom).toContain('Release 6.7.0-broken');
  expect(dom.split('sync: staging/podinfo')).toHaveLength(4);
  expect(dom).toContain('ImagePullBackOff');
  expect(picture).toBeGreaterThan(20_000);
});

test('the pipeline of the broken version with its cause', async () => {
  const look = await openBrowser(world.folder, { width: 1000, height: 500 });
  const [pipeline] = await world.visitor.pipelines(paths.app, broken);
  const { dom, picture } = await look(`${world.gitlab.url}/${paths.app}/-/pipelines/${pipeline?.id}`, 'pipeline');
  for (const text of ['build image', 'sluice update', 'sync: staging/podinfo', 'ImagePullBackOff'])
    expect(dom).toContain(text);
  expect(picture).toBeGreaterThan(20_000);
});
