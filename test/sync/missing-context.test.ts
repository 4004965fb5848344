import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorld } from '../sandbox/gitlab-fixture.ts';
import type { World } from '../sandbox/gitlab-fixture.ts';

const main = join(import.meta.dirname, '..', '..', 'runner', 'main.ts');
const files = new Map([
  [
    'sluice.yaml',
    'version: 1\nenvironments: { production: { clusters: [{ name: eu, agent: "shop/agents:eu" }] } }\napps: { podinfo: {} }\n',
  ],
  [
    '.gitlab-ci.yml',
    'ask:\n  environment: { name: $PLACE }\n  script: [node "$MAIN" notify --environment production --registry registry.test/shop]\n',
  ],
]);
const shared = (entry: string) =>
  new Map([['.gitlab/agents/eu/config.yaml', `ci_access: { projects: [{ ${entry} }] }\n`]]);

let world: World;
beforeAll(async () => {
  world = await startWorld();
  world.gitlab.createProject('shop/agents');
  world.gitlab.registerAgent({ configProject: 'shop/agents', name: 'eu', cluster: { url: 'http://127.0.0.1:1' } });
  world.gitlab.registerAgent({ configProject: 'shop/agents', name: 'us', cluster: { url: 'http://127.0.0.1:1' } });
}, 60_000);
afterAll(() => world.close());

/** Log of a job of a new delivery project that asks Flux from an environment, with agents shared as given. */
async function logOf(path: string, place: string, agents: readonly ReadonlyMap<string, string>[]): Promise<string> {
  world.gitlab.createProject(path);
  for (const [index, agent] of agents.entries()) await world.gitlab.seed('shop/agents', agent, `${path} ${index}`);
  for (const [key, value] of [
    ['PLACE', place],
    ['MAIN', main],
  ] as const)
    world.gitlab.setVariable(path, { key, value });
  await world.gitlab.seed(path, files, 'first');
  await world.gitlab.waitForPipelines();
  const job = world.events.findLast((event) => event.type === 'job' && event.project === path);
  return job?.type === 'job' ? world.gitlab.jobLog(path, job.id) : '';
}

test('no agent at all: the entry that is missing, and where', async () => {
  const log = await logOf('shop/first', 'production', []);
  expect(log).toContain('this job may use no agent');
  expect(log).toContain('in shop/agents, .gitlab/agents/eu/config.yaml');
  expect(log).toContain('projects: [{ id: shop/first }]');
}, 60_000);

test('shared for another environment: the job’s own is named', async () => {
  const log = await logOf('shop/second', 'production', [shared('id: shop/second, environments: [staging]')]);
  expect(log).toContain('an entry with `environments:` must name production');
  expect(log).not.toContain('is not protected');
}, 60_000);

test('another agent is shared: it is named', async () => {
  const us = new Map([['.gitlab/agents/us/config.yaml', 'ci_access: { projects: [{ id: shop/third }] }\n']]);
  const log = await logOf('shop/third', 'production', [us]);
  expect(log).toMatch(/has no context "shop\/agents:eu"; it has "shop\/agents:us"; this job may use shop\/agents:/);
}, 60_000);
