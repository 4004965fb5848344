import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFront, type Front } from './front.ts';
import { application, delivery, updateOf } from './job-files.ts';
import { jobWorld, type JobWorld } from './job.ts';

let world: JobWorld;
let front: Front;
let version = 0;

beforeAll(async () => {
  world = await jobWorld();
  // Else the requests of Flux would count.
  world.cluster.scripts.pause('source-controller');
  front = await openFront(world.gitlab.url);
  await world.version('1.0.0');
});
afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** GitLab's addresses as a job behind the front sees them. */
const behind = () => ({
  CI_SERVER_URL: front.url,
  CI_API_V4_URL: `${front.url}/api/v4`,
  CI_JOB_URL: `${front.url}/${delivery}/-/jobs/4242`,
});

test.each([1, 3, 4, 5])(
  'update canceled at its request %i to GitLab: all of its commit, or nothing',
  async (moment) => {
    const before = await world.log();
    const at = front.nth(moment);
    const image = `${world.host}/${application}:2.0.${moment}`;
    const running = world.start(updateOf(image, '--no-verify-image'), {
      env: { ...behind(), CI_PROJECT_PATH: application, CI_COMMIT_SHA: world.origin },
    });
    await Promise.race([at.then(() => running.kill('SIGTERM')), running.ended]);
    const ran = await running.ended;
    // GitLab may still be at a push whose sender has ended.
    await world.gitlab.waitForPipelines();
    const after = await world.log();
    const added = after.length - before.length;
    expect([ran.code, added]).toEqual(added === 0 ? [143, 0] : [expect.any(Number), 1]);
    expect([0, 143]).toContain(ran.code);
    expect(after.slice(added)).toEqual(before);
    expect(after[0]).toMatch(added === 0 ? /./ : new RegExp(` deploy\\(staging\\): podinfo 2\\.0\\.${moment}$`));
  },
);

test.each([1, 5, 8, 12])(
  'publish canceled at its request %i to the registry: the next run completes it',
  async (moment) => {
    version += 1;
    await world.version(`1.${version}.0`);
    let count = 0;
    const at = world.registry.seen(() => (count += 1) === moment);
    const running = world.start(['publish', '--environment', 'staging']);
    await Promise.race([at.then(() => running.kill('SIGTERM')), running.ended]);
    const ran = await running.ended;
    expect([0, 143]).toContain(ran.code);
    if (ran.code === 143) expect(ran.document).toMatchObject({ outcome: 'canceled', fault: { code: 'terminated' } });
    const again = await world.run(['publish', '--environment', 'staging']);
    expect([again.code, again.document['outcome']]).toEqual([0, expect.stringMatching(/^(pushed|unchanged)$/)]);
    const [artifact] = again.document['artifacts'] as readonly {
      readonly digest: string;
      readonly tags: readonly string[];
    }[];
    const tags = world.registry.tags(`${delivery}/podinfo`);
    expect(artifact!.tags.map((tag) => tags.get(tag))).toEqual(artifact!.tags.map(() => artifact!.digest));
    expect(artifact!.tags).toContain('staging');
  },
);

test.each([1, 3, 5, 7, 10])('sync canceled at its request %i to GitLab: no status is left open', async (moment) => {
  version += 1;
  const sha = await world.version(`1.${version}.0`);
  const publishing = world.start(['publish', '--environment', 'staging']);
  expect((await publishing.ended).code).toBe(0);
  const at = front.nth(moment);
  const before = world.states(world.origin).length;
  const running = world.start(
    ['sync', '--environment', 'staging', '--published', publishing.result, '--timeout', '120s'],
    { env: behind() },
  );
  const begun = Promise.all([world.posted(sha, 'running'), world.posted(world.origin, 'running', before)]);
  await Promise.race([at, begun]);
  running.kill('SIGTERM');
  const ran = await running.ended;
  expect([ran.code, ran.document['outcome']]).toEqual([143, 'canceled']);
  const last = [sha, world.origin].map((commit) => world.states(commit).at(-1) ?? 'sync: staging/podinfo canceled');
  expect(last).toEqual([sha, world.origin].map(() => 'sync: staging/podinfo canceled'));
});

test('no credential is told, nothing is left', async () => {
  expect(await world.leaks()).toEqual([]);
});
