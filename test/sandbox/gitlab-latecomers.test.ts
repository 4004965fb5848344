import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCi, type CiWorld } from './gitlab-project.ts';

/** GitLab shows some things only a while after they were made; and commits may start anywhere. */

let now = Date.parse('2026-01-01T12:00:00Z');
let world: CiWorld['world'];
let call: CiWorld['call'];
let all: CiWorld['all'];

beforeAll(async () => {
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.min(ms, 10)));
  ({ world, call, all } = await startCi({ clock: { now: () => now, sleep, random: () => 0 } }));
});
afterAll(async () => world.close());

test('a pipeline and a merge request show up later than the push', async () => {
  world.gitlab.setFaults({ lagMs: 5000 });
  const { path, url, sha } = await all.create('job: { script: "true", when: manual }\n');
  expect((await call('GET', `${url}/pipelines?sha=${sha}`)).body).toEqual([]);
  const made = world.events.findLast((event) => event.type === 'pipeline' && event.project === path);
  const id = made?.type === 'pipeline' ? made.id : 0;
  expect((await call('GET', `${url}/pipelines/${id}`)).status).toBe(404);
  await world.gitlab.seed(path, new Map([['a', 'a']]), 'change', { branch: 'topic', pipeline: false });
  const fields = { source_branch: 'topic', target_branch: 'main', title: 'Change' };
  const { iid } = (await call('POST', `${url}/merge_requests`, fields)).body;
  expect((await call('GET', `${url}/merge_requests?source_branch=topic`)).body).toEqual([]);
  now += 5000;
  expect((await call('GET', `${url}/pipelines?sha=${sha}`)).body).toMatchObject([{ id }]);
  expect((await call('GET', `${url}/merge_requests?source_branch=topic`)).body).toMatchObject([{ iid }]);
  world.gitlab.setFaults({});
});

test('a commit by API starts at a branch or a commit that is named, and makes its branch', async () => {
  const { url, sha, path } = await all.create('job: { script: "true", when: manual }\n');
  await world.gitlab.seed(path, new Map([['later', '1']]), 'later', { pipeline: false });
  const commit = (fields: object) =>
    call('POST', `${url}/repository/commits`, {
      commit_message: 'add',
      actions: [{ action: 'create', file_path: 'new', content: 'x' }],
      ...fields,
    });
  const made = await commit({ branch: 'from-sha', start_sha: sha });
  expect(made.status).toBe(201);
  expect(made.body.parent_ids).toEqual([sha]);
  expect((await commit({ branch: 'from-nowhere', start_sha: 'f'.repeat(40) })).status).toBe(400);
  expect((await commit({ branch: 'from-sha', start_branch: 'main' })).status).toBe(400);
});
