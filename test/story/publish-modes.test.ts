import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { version } from '../../runner/version.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { paths } from '../../sandbox/seed.ts';
import { openExamples, type ExamplesWorld } from './parts.ts';

/** `publish: manual` and `publish: on-tag`: merging stores the state, and delivering it is another step. */

let world: ExamplesWorld;

beforeAll(async () => {
  world = await openExamples();
});
afterAll(() => world[Symbol.asyncDispose]());

const overlay = (tag: string) => `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: podinfo
resources: [../base]
images:
  - { name: podinfo, newName: ${world.registry.host}/shop/podinfo, newTag: ${tag} }
`;

/** A merge to the delivery repository with another pipeline file; answers the commit. */
async function merge(mode: string, tag: string): Promise<string> {
  const pipeline = `include:
  - component: $CI_SERVER_FQDN/sluice/sluice/deliver@${version}
    inputs: { environment: staging, publish: ${mode} }
`;
  const files = { '.gitlab-ci.yml': pipeline, 'apps/podinfo/staging/kustomization.yaml': overlay(tag) };
  const sha = await world.gitlab.seed(paths.delivery, new Map(Object.entries(files)), `Deploy podinfo ${tag}`);
  await world.gitlab.waitForPipelines();
  return sha;
}

const staging = async () =>
  (await world.registry.tags(`${paths.delivery}/podinfo`)).find((tag) => tag.name === 'staging')?.digest;
const states = (sha: string) =>
  world.events.flatMap((event) =>
    event.type === 'status' && event.sha === sha && event.name === 'sync: staging/podinfo' ? [event.state] : [],
  );
async function jobsAt(sha: string) {
  const [pipeline] = await world.visitor.pipelines(paths.delivery, sha);
  const jobs = pipeline ? await world.visitor.jobs(paths.delivery, pipeline.id) : [];
  return jobs.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

test('manual: the merge moves nothing and posts nothing; the button publishes, and sync follows', async () => {
  const before = await staging();
  const sha = await merge('manual', '6.6.0');
  expect(await staging()).toBe(before);
  expect(states(sha)).toEqual([]);
  const waiting = await jobsAt(sha);
  expect(waiting.map(({ name, status }) => `${name}: ${status}`)).toEqual([
    'sluice publish staging: manual',
    'sluice sync staging: created',
  ]);
  await world.visitor.play(paths.delivery, waiting[0]!.id);
  await world.gitlab.waitForPipelines();
  expect((await jobsAt(sha)).map(({ status }) => status)).toEqual(['success', 'success']);
  expect(await staging()).not.toBe(before);
  expect(states(sha)).toEqual(['pending', 'running', 'success']);
});

test('on-tag: the merge starts no pipeline; a Git tag delivers the commit that it names', async () => {
  const before = await staging();
  const sha = await merge('on-tag', '6.6.1');
  expect(await jobsAt(sha)).toEqual([]);
  expect(await staging()).toBe(before);
  // What reaches protected branches alone must reach the tag too: variables, and the agent's context.
  world.gitlab.protectBranch(paths.delivery, '2026.*');
  const agent = '.gitlab/agents/staging-eu/config.yaml';
  const config = await readFile(join(world.root, 'examples', 'agent-config', agent), 'utf8');
  const opened = config.replace(/^ *protected_branches_only: true\n/m, '');
  await world.gitlab.seed(paths.agents, new Map([[agent, opened]]), 'Tags too', { pipeline: false });
  const from = world.events.length;
  await world.gitlab.seed(paths.delivery, new Map([['NOTES.md', 'Release\n']]), 'Release', { tag: '2026.11.1' });
  await world.gitlab.waitForPipelines();
  const started = world.events.slice(from).flatMap((event) => (event.type === 'pipeline' ? [event] : []));
  expect(new Set(started.map(({ ref }) => ref))).toEqual(new Set(['2026.11.1']));
  const [tagged] = started;
  const logs = (await jobsAt(tagged!.sha)).map(({ id, status }) => [status, world.gitlab.jobLog(paths.delivery, id)]);
  expect(logs.filter(([status]) => status !== 'success')).toEqual([]);
  expect(await staging()).not.toBe(before);
  expect(states(tagged!.sha)).toEqual(['pending', 'running', 'success']);
});

test('`needs`: a scan that fails keeps the tag where it is, and nothing is posted', async () => {
  const before = await staging();
  const pipeline = `include:
  - component: $CI_SERVER_FQDN/sluice/sluice/deliver@${version}
    inputs: { environment: staging, needs: [scan manifests] }
scan manifests:
  script: ['if grep --quiet --recursive 6.6.2 apps/podinfo/staging; then exit 1; fi']
`;
  const files = { '.gitlab-ci.yml': pipeline, 'apps/podinfo/staging/kustomization.yaml': overlay('6.6.2') };
  const sha = await world.gitlab.seed(paths.delivery, new Map(Object.entries(files)), 'Deploy podinfo 6.6.2');
  await world.gitlab.waitForPipelines();
  expect((await jobsAt(sha)).map(({ name, status }) => `${name}: ${status}`)).toEqual([
    'scan manifests: failed',
    'sluice publish staging: skipped',
    'sluice sync staging: skipped',
  ]);
  expect(await staging()).toBe(before);
  expect(states(sha)).toEqual([]);
});
