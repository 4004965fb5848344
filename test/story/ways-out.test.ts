import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { application, delivery, updateOf } from './job-files.ts';
import { jobWorld, type JobWorld } from './job.ts';
import { expectReports } from './refused.ts';

let world: JobWorld;
let version = 0;
const name = 'sync: staging/podinfo';
const signals = [
  ['SIGINT', 130, 'interrupted'],
  ['SIGTERM', 143, 'terminated'],
] as const;

beforeAll(async () => {
  world = await jobWorld();
  await world.version('1.0.0');
});
afterEach(() => {
  world.cluster.scripts.resume('source-controller');
  world.registry.faults.clear();
  world.gitlab.setFaults({});
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const update = () => ({
  args: updateOf(`${world.host}/${application}:2.0.0`),
  env: { CI_PROJECT_PATH: application, CI_COMMIT_SHA: world.origin },
});

/** A published version that Flux does not come to fetch. */
async function waiting(): Promise<{ readonly sha: string; readonly result: string }> {
  world.cluster.scripts.pause('source-controller');
  version += 1;
  const sha = await world.version(`1.${version}.0`);
  const publishing = world.start(['publish', '--environment', 'staging']);
  expect((await publishing.ended).code).toBe(0);
  return { sha, result: publishing.result };
}

const follow = (result: string) => ['sync', '--environment', 'staging', '--published', result, '--timeout', '120s'];

/** Statuses that stand open on a commit. */
function open(sha: string): boolean {
  return /(pending|running)$/.test(world.states(sha).at(-1) ?? '');
}

describe.each(signals)('%s', (signal, exit, code) => {
  test('update, while the image is looked up: nothing is pushed', async () => {
    const before = await world.snapshot();
    const { promise, resolve } = Promise.withResolvers<void>();
    const image = new RegExp(`^/v2/${application}/`);
    world.registry.faults.add({ path: image, until: promise });
    const asked = world.registry.seen(({ path }) => image.test(path));
    const { args, env } = update();
    const running = world.start(args, { env });
    await asked;
    running.kill(signal);
    const ran = await running.ended;
    resolve();
    expect([ran.code, ran.document]).toMatchObject([exit, { outcome: 'canceled', fault: { code } }]);
    expectReports(ran, exit);
    expect(await world.snapshot()).toEqual(before);
  });

  test('publish, in the middle of a push: the moving tag stays', async () => {
    version += 1;
    await world.version(`1.${version}.0`);
    const standing = world.registry.tags(`${delivery}/podinfo`).get('staging');
    const { promise, resolve } = Promise.withResolvers<void>();
    world.registry.faults.add({ method: 'POST', path: /podinfo\/blobs\/uploads/, until: promise });
    const pushing = world.registry.seen(({ method }) => method === 'POST');
    const running = world.start(['publish', '--environment', 'staging']);
    await pushing;
    running.kill(signal);
    const ran = await running.ended;
    resolve();
    expect([ran.code, ran.document]).toMatchObject([exit, { outcome: 'canceled', fault: { code } }]);
    expectReports(ran, exit);
    expect(world.registry.tags(`${delivery}/podinfo`).get('staging')).toBe(standing);
  });

  test('sync, while it follows: both commits end canceled; a second signal does no harm', async () => {
    const { sha, result } = await waiting();
    const before = world.states(world.origin).length;
    const running = world.start(follow(result));
    await Promise.all([world.posted(sha, 'running'), world.posted(world.origin, 'running', before)]);
    running.kill(signal);
    running.kill(signal);
    await world.posted(sha, 'canceled');
    running.kill(signal);
    const ran = await running.ended;
    expect([ran.code, ran.stderr]).toEqual([exit, expect.any(String)]);
    expect(ran.document).toMatchObject({ outcome: 'canceled', fault: { code } });
    expectReports(ran, exit);
    for (const commit of [sha, world.origin]) expect(world.states(commit).at(-1)).toBe(`${name} canceled`);
  });

  test('sync, before the first status stands: nothing is left open', async () => {
    const { sha, result } = await waiting();
    const running = world.start(follow(result));
    await running.said('Following');
    running.kill(signal);
    const ran = await running.ended;
    expect([ran.code, open(sha), open(world.origin)]).toEqual([exit, false, false]);
    expectReports(ran, exit);
  });

  test('sync, while GitLab is away: it ends all the same, and repair closes what is left', async () => {
    const { sha, result } = await waiting();
    const running = world.start(follow(result));
    await world.posted(sha, 'running');
    world.gitlab.setFaults({ down: 503 });
    running.kill(signal);
    const ran = await running.ended;
    expect([ran.code, ran.stderr]).toEqual([exit, expect.stringContaining('--repair')]);
    world.gitlab.setFaults({});
    expect((await world.run(['sync', '--environment', 'staging', '--repair'])).code).toBe(0);
    expect([open(sha), open(world.origin)]).toEqual([false, false]);
  });
});

test('killed outright: repair leaves a live job’s statuses alone, and closes them when the job has ended', async () => {
  const gate = join(world.folder, 'gate');
  await mkdir(gate);
  const script = `touch ${gate}/alive; while [ ! -e ${gate}/end ]; do sleep 0.2; done`;
  const pipeline = JSON.stringify({ work: { script: [script] } });
  world.gitlab.on((event) => {
    if (event.type === 'job' && event.name === 'work') job = event.id;
  });
  let job = 0;
  world.cluster.scripts.pause('source-controller');
  const sha = await world.version('7.0.0');
  const publishing = world.start(['publish', '--environment', 'staging']);
  expect((await publishing.ended).code).toBe(0);
  await world.gitlab.seed(delivery, new Map([['.gitlab-ci.yml', pipeline]]), 'Work', { branch: 'work' });
  while (!existsSync(join(gate, 'alive'))) await new Promise((resolve) => setTimeout(resolve, 100));
  const own = { CI_JOB_ID: String(job), CI_JOB_URL: `${world.gitlab.url}/${delivery}/-/jobs/${job}` };
  const before = world.states(world.origin).length;
  const running = world.start(follow(publishing.result), { env: own });
  await Promise.all([world.posted(sha, 'running'), world.posted(world.origin, 'running', before)]);
  running.kill('SIGKILL');
  expect((await running.ended).signal).toBe('SIGKILL');
  expect([open(sha), open(world.origin)]).toEqual([true, true]);
  const repair = ['sync', '--environment', 'staging', '--repair'];
  const live = await world.run(repair);
  expect([live.code, open(sha), open(world.origin)]).toEqual([0, true, true]);
  await writeFile(join(gate, 'end'), '');
  await world.gitlab.waitForPipelines();
  const closed = await world.run(repair);
  expect([closed.code, closed.document]).toMatchObject([0, { outcome: 'repaired' }]);
  expect([open(sha), open(world.origin)]).toEqual([false, false]);
});

test('GitLab is away in the middle and comes back: the statuses are caught up', async () => {
  const { sha, result } = await waiting();
  const running = world.start(follow(result));
  await world.posted(sha, 'pending');
  world.gitlab.setFaults({ down: 503 });
  world.cluster.scripts.resume('source-controller');
  await running.said('statuses are late');
  world.gitlab.setFaults({});
  const ran = await running.ended;
  expect([ran.code, ran.stderr]).toEqual([0, expect.any(String)]);
  for (const commit of [sha, world.origin]) expect(world.states(commit).at(-1)).toBe(`${name} success`);
  expectReports(ran, 0);
});

test('nobody reads stdout any more: the run does its work and ends as it would', async () => {
  version += 1;
  await world.version(`1.${version}.0`);
  const pushes = world.registry.pushes.length;
  const running = world.start(['publish', '--environment', 'staging']);
  await running.said('publish');
  running.closeStdout();
  const ran = await running.ended;
  expect([ran.code, ran.stderr]).toEqual([0, expect.not.stringContaining('EPIPE')]);
  expect(world.registry.pushes.length).toBeGreaterThan(pushes);
  expect(JSON.parse(ran.reports['result.json']!)).toMatchObject({ outcome: 'pushed' });
});

test('no credential is told, nothing is left', async () => {
  expect(await world.leaks()).toEqual([]);
});
