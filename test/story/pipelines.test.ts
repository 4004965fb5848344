import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GitLabEvent } from '../../sandbox/gitlab/handle.ts';
import { paths } from '../../sandbox/seed.ts';
import { openExamples, type ExamplesWorld } from './parts.ts';

/** Flux waits three minutes for a rollout that comes to nothing: this part of them is long enough to act meanwhile. */
const timeScale = 0.5;

let world: ExamplesWorld;

beforeAll(async () => {
  world = await openExamples({
    timeScale,
  });
});
afterAll(() => world[Symbol.asyncDispose]());

const release = (version: string) =>
  world.gitlab.seed(paths.app, new Map([['VERSION', `${version}\n`]]), `Release ${version}`);

/** Resolves with the first event from now on (or among those from `from`) that fits. */
function until<T extends GitLabEvent['type']>(
  type: T,
  fits: (event: Extract<GitLabEvent, { readonly type: T }>) => boolean,
  from: number,
): Promise<Extract<GitLabEvent, { readonly type: T }>> {
  const wanted = (event: GitLabEvent): event is Extract<GitLabEvent, { readonly type: T }> =>
    event.type === type && fits(event as Extract<GitLabEvent, { readonly type: T }>);
  return new Promise((resolve) => {
    const found = world.events.slice(from).find(wanted);
    if (found) {
      resolve(found);
      return;
    }
    const off = world.gitlab.on((event) => {
      if (!wanted(event)) return;
      off();
      resolve(event);
    });
  });
}

/** Resolves when both commits are told that it runs: they are told side by side, in either order. */
const running = (from: number) =>
  Promise.all(
    [paths.delivery, paths.app].map((told) =>
      until('status', ({ project, state }) => project === told && state === 'running', from),
    ),
  );

/** States of podinfo's status on a commit in the order posted. */
function states(project: string, sha: string, name = 'sync: staging/podinfo'): readonly string[] {
  return world.events.flatMap((event) =>
    event.type === 'status' && event.project === project && event.sha === sha && event.name === name
      ? [event.state]
      : [],
  );
}

/** Delivery commits on main since an event, oldest first. */
const deliveryCommits = (from: number): readonly string[] =>
  world.events
    .slice(from)
    .flatMap((event) =>
      event.type === 'push' && event.project === paths.delivery && event.ref.endsWith('main') ? [event.after] : [],
    );

async function jobNamed(project: string, sha: string, name: string) {
  const [pipeline] = await world.visitor.pipelines(project, sha);
  const job = (await world.visitor.jobs(project, pipeline!.id)).find((each) => each.name === name);
  if (!pipeline || !job) throw new Error(`${project} has no job ${name} at ${sha}`);
  return { ...job, pipeline: pipeline.id };
}

async function press(path: string): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(`${world.gitlab.url}/api/v4/projects/${encodeURIComponent(paths.delivery)}${path}`, {
    method: 'POST',
    headers: { 'private-token': world.person.token },
  });
  expect(answer.ok, path).toBe(true);
  return (await answer.json()) as Record<string, unknown>;
}

const staging = async () =>
  (await world.registry.tags(`${paths.delivery}/podinfo`)).find((tag) => tag.name === 'staging')?.digest;

test('a person’s delivery commit: publish ends before sync begins, and only the delivery commit is told', async () => {
  const from = world.events.length;
  const kustomization = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: podinfo
resources: [../base]
images:
  - { name: podinfo, newName: ${world.registry.host}/shop/podinfo, newTag: 6.5.9 }
`;
  const base = 'apps/podinfo/base/deployment.yaml';
  const deployment = await readFile(join(world.root, 'examples', 'delivery', base), 'utf8');
  const sha = await world.gitlab.seed(
    paths.delivery,
    new Map([
      ['apps/podinfo/staging/kustomization.yaml', kustomization],
      [base, deployment.replace('progressDeadlineSeconds: 60', 'progressDeadlineSeconds: 600')],
    ]),
    'Deploy podinfo 6.5.9 by hand, with more patience',
  );
  await world.gitlab.waitForPipelines();

  expect(states(paths.delivery, sha)).toEqual(['pending', 'running', 'success']);
  expect(states(paths.delivery, sha, 'sync: production/podinfo')).toEqual(['pending', 'running', 'success']);
  const others = world.events
    .slice(from)
    .filter((event) => event.type === 'status' && event.project !== paths.delivery);
  expect(others).toEqual([]);
  const order = world.events
    .slice(from)
    .flatMap((event) => (event.type === 'job' ? [`${event.name}: ${event.status}`] : []));
  expect(order.indexOf('sluice publish staging: success')).toBeGreaterThanOrEqual(0);
  expect(order.indexOf('sluice sync staging: running')).toBeGreaterThan(
    order.indexOf('sluice publish staging: success'),
  );
});

test('two overlapping pipelines: the older one is superseded, the newer one’s version stands', async () => {
  const from = world.events.length;
  const first = await release('6.6.0-broken');
  await running(from);
  const second = await release('6.7.1');
  await world.gitlab.waitForPipelines();

  const [older, newer] = deliveryCommits(from);
  expect(states(paths.delivery, older!)).toEqual(['pending', 'running', 'canceled']);
  expect(states(paths.app, first).at(-1)).toBe('canceled');
  expect(states(paths.delivery, newer!)).toEqual(['pending', 'running', 'success']);
  expect(states(paths.app, second)).toEqual(['pending', 'running', 'success']);
  expect((await jobNamed(paths.delivery, older!, 'sluice sync staging')).status).toBe('success');

  // GitLab's Re-deploy button, on the jobs of the older pipelines.
  const standing = await staging();
  const mark = world.events.length;
  const publish = await jobNamed(paths.delivery, older!, 'sluice publish staging');
  const again = await press(`/jobs/${publish.id}/retry`);
  await world.gitlab.waitForPipelines();
  const retried = await jobNamed(paths.delivery, older!, 'sluice publish staging');
  expect(retried).toMatchObject({ id: again['id'], status: 'success' });
  expect(world.gitlab.jobLog(paths.delivery, retried.id)).toContain('superseded');
  expect(await staging()).toBe(standing);

  const update = await jobNamed(paths.app, first, 'sluice update');
  const answer = await fetch(
    `${world.gitlab.url}/api/v4/projects/${encodeURIComponent(paths.app)}/jobs/${update.id}/retry`,
    { method: 'POST', headers: { 'private-token': world.person.token } },
  );
  expect(answer.status).toBe(201);
  await world.gitlab.waitForPipelines();
  const refused = await until('job', ({ name, exitCode }) => name === 'sluice update' && exitCode !== null, mark);
  expect(refused.exitCode).toBe(3);
  expect(world.gitlab.jobLog(paths.app, refused.id)).toMatch(/older/);
  expect(deliveryCommits(mark)).toEqual([]);
  expect(await staging()).toBe(standing);
});

test('a retried old sync follows what stands and turns no commit red', async () => {
  const from = world.events.length;
  const [older] = deliveryCommits(0).slice(-2);
  const before = states(paths.delivery, older!);
  const sync = await jobNamed(paths.delivery, older!, 'sluice sync staging');
  await press(`/jobs/${sync.id}/retry`);
  await world.gitlab.waitForPipelines();
  const job = await jobNamed(paths.delivery, older!, 'sluice sync staging');
  expect(world.gitlab.jobLog(paths.delivery, job.id)).toMatch(/superseded|Nothing to follow/);
  expect(states(paths.delivery, older!).slice(before.length)).not.toContain('failed');
  expect(states(paths.delivery, older!).at(-1)).toBe('canceled');
  expect(world.events.slice(from).some((event) => event.type === 'status' && event.state === 'failed')).toBe(false);
});

test('a canceled pipeline: the statuses on both commits end canceled, and none stays open', async () => {
  const from = world.events.length;
  const commit = await release('6.8.0-broken');
  await running(from);
  const [delivered] = deliveryCommits(from);
  const { pipeline } = await jobNamed(paths.delivery, delivered!, 'sluice sync staging');
  await press(`/pipelines/${pipeline}/cancel`);
  await world.gitlab.waitForPipelines();

  expect((await jobNamed(paths.delivery, delivered!, 'sluice sync staging')).status).toBe('canceled');
  expect(states(paths.delivery, delivered!)).toEqual(['pending', 'running', 'canceled']);
  expect(states(paths.app, commit).at(-1)).toBe('canceled');
  const open = world.events.flatMap((event) => {
    if (event.type !== 'status') return [];
    const last = states(event.project, event.sha, event.name).at(-1);
    return last === 'pending' || last === 'running' ? [`${event.project} ${event.name}`] : [];
  });
  expect(open).toEqual([]);
});
