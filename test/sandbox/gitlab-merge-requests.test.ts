import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startWorld } from './gitlab-fixture.ts';
import type { Call, World } from './gitlab-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let world: World;
let call: Call;
let developer: Call;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
  call = world.as(world.gitlab.createUser('maintainer', { memberships: { mr: 40 } }).token);
  developer = world.as(world.gitlab.createUser('developer', { memberships: { mr: 30 } }).token);
});
afterAll(async () => world.close());

/** A project with a branch `change` that is one commit ahead of main. */
async function prepared(
  yaml?: string,
): Promise<{ readonly path: string; readonly url: string; readonly base: string; readonly sha: string }> {
  count += 1;
  const path = `mr/p${count}`;
  world.gitlab.createProject(path);
  const base = await world.gitlab.seed(
    path,
    new Map([['a', '1\n'], ...(yaml ? ([['.gitlab-ci.yml', yaml]] as const) : [])]),
    'first',
    { pipeline: false },
  );
  const sha = await world.gitlab.seed(path, new Map([['a', '2\n']]), 'change a', { branch: 'change', pipeline: false });
  return { path, url: `/projects/${encodeURIComponent(path)}`, base, sha };
}

const fields = { source_branch: 'change', target_branch: 'main', title: 'Change a', description: 'why' };

test('open, read, list, update, note, close', async () => {
  const { url, sha } = await prepared();
  const made = await developer('POST', `${url}/merge_requests`, { ...fields, labels: 'sluice,production' });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({
    iid: 1,
    state: 'opened',
    sha,
    labels: ['sluice', 'production'],
    detailed_merge_status: 'checking',
    merge_when_pipeline_succeeds: false,
  });
  expect((await developer('POST', `${url}/merge_requests`, fields)).body).toEqual({
    message: ['Another open merge request already exists for this source branch: !1'],
  });
  expect((await developer('GET', `${url}/merge_requests?source_branch=change&state=opened`)).body).toHaveLength(1);
  expect((await developer('GET', `${url}/merge_requests/1`)).body.detailed_merge_status).toBe('mergeable');
  expect(
    (await developer('GET', `${url}/merge_requests/1/commits`)).body.map((each: { id: string }) => each.id),
  ).toEqual([sha]);
  expect((await developer('GET', `${url}/repository/commits/${sha}/merge_requests`)).body).toMatchObject([{ iid: 1 }]);
  const note = await developer('POST', `${url}/merge_requests/1/notes`, { body: 'first' });
  await developer('PUT', `${url}/merge_requests/1/notes/${note.body.id}`, { body: 'second' });
  expect((await developer('GET', `${url}/merge_requests/1/notes`)).body).toMatchObject([
    { body: 'second', author: { username: 'developer' } },
  ]);
  expect((await call('PUT', `${url}/merge_requests/1/notes/${note.body.id}`, { body: 'third' })).status).toBe(403);
  expect(
    (await developer('PUT', `${url}/merge_requests/1`, { title: 'New', state_event: 'close' })).body,
  ).toMatchObject({ title: 'New', state: 'closed', detailed_merge_status: 'not_open' });
});

test('merge: a merge commit, the source branch is gone, a push is told of', async () => {
  const { path, url, base, sha } = await prepared();
  await developer('POST', `${url}/merge_requests`, fields);
  expect((await developer('PUT', `${url}/merge_requests/1/merge`)).status).toBe(401);
  expect((await call('PUT', `${url}/merge_requests/1/merge`, { sha: base })).status).toBe(409);
  const merged = await call('PUT', `${url}/merge_requests/1/merge`, { sha, should_remove_source_branch: true });
  expect([merged.status, merged.body.state, merged.body.merge_user.username]).toEqual([200, 'merged', 'maintainer']);
  const commit = (await call('GET', `${url}/repository/commits/main`)).body;
  expect(commit).toMatchObject({
    id: merged.body.merge_commit_sha,
    parent_ids: [base, sha],
    title: "Merge branch 'change' into 'main'",
  });
  expect(commit.message).toContain(`See merge request ${path}!1`);
  expect((await call('GET', `${url}/repository/files/a/raw`)).body).toBe('2\n');
  expect((await call('GET', `${url}/repository/branches/change`)).status).toBe(404);
  await world.gitlab.waitForPipelines();
  expect(
    world.events.find(
      (event) => event.type === 'push' && event.project === path && event.ref === 'main' && event.before === base,
    ),
  ).toMatchObject({ after: commit.id });
  expect((await call('GET', `${url}/repository/commits/${commit.id}/merge_requests`)).body).toMatchObject([
    { iid: 1, state: 'merged' },
  ]);
  expect((await call('PUT', `${url}/merge_requests/1/merge`)).status).toBe(405);
});

test('not mergeable while GitLab still checks: 405, then it is', async () => {
  const { url } = await prepared();
  world.gitlab.setFaults({ checkingReads: 3 });
  await developer('POST', `${url}/merge_requests`, fields);
  world.gitlab.setFaults({});
  expect((await call('PUT', `${url}/merge_requests/1/merge`)).status).toBe(405);
  expect((await call('GET', `${url}/merge_requests/1`)).body).toMatchObject({
    detailed_merge_status: 'checking',
    merge_status: 'checking',
  });
  expect((await call('GET', `${url}/merge_requests/1`)).body.detailed_merge_status).toBe('mergeable');
  expect((await call('PUT', `${url}/merge_requests/1/merge`)).status).toBe(200);
});

test('conflict: 422', async () => {
  const { path, url } = await prepared();
  await world.gitlab.seed(path, new Map([['a', '3\n']]), 'other', { pipeline: false });
  await developer('POST', `${url}/merge_requests`, fields);
  expect((await call('GET', `${url}/merge_requests/1`)).body).toMatchObject({
    detailed_merge_status: 'conflict',
    has_conflicts: true,
  });
  expect((await call('PUT', `${url}/merge_requests/1/merge`)).status).toBe(422);
});

test('squash and fast-forward projects', async () => {
  const { path, url, base } = await prepared();
  world.gitlab.configureProject(path, { mergeMethod: 'ff', squash: 'always' });
  await developer('POST', `${url}/merge_requests`, fields);
  await call('GET', `${url}/merge_requests/1`);
  const merged = await call('PUT', `${url}/merge_requests/1/merge`, {
    squash_commit_message: 'squashed\n\nSluice-App: a',
  });
  expect(merged.body).toMatchObject({ merge_commit_sha: null });
  const commit = (await call('GET', `${url}/repository/commits/main`)).body;
  expect(commit).toMatchObject({
    id: merged.body.squash_commit_sha,
    parent_ids: [base],
    title: 'squashed',
    trailers: { 'Sluice-App': 'a' },
  });
});

test('merge request pipelines, and auto merge once they succeed', async () => {
  const yaml = `
workflow: { rules: [{ if: $CI_PIPELINE_SOURCE == "merge_request_event" }, { if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH }] }
check: { script: ["while [ ! -e $GATE ]; do sleep 0.1; done", "echo for !$CI_MERGE_REQUEST_IID into $CI_MERGE_REQUEST_TARGET_BRANCH_NAME of $CI_COMMIT_REF_NAME branch=[$CI_COMMIT_BRANCH]"] }
`;
  const { path, url } = await prepared(yaml);
  world.gitlab.configureProject(path, { onlyAllowMergeIfPipelineSucceeds: true });
  const gate = join(world.folder, 'gate');
  world.gitlab.setVariable(path, { key: 'GATE', value: gate });
  await developer('POST', `${url}/merge_requests`, fields);
  await call('GET', `${url}/merge_requests/1`);
  const later = await call('PUT', `${url}/merge_requests/1/merge`, { auto_merge: true });
  expect(later.body).toMatchObject({ state: 'opened', merge_when_pipeline_succeeds: true });
  await writeFile(gate, '');
  await world.gitlab.waitForPipelines();
  const request = (await call('GET', `${url}/merge_requests/1`)).body;
  expect(request).toMatchObject({
    state: 'merged',
    head_pipeline: { source: 'merge_request_event', ref: 'refs/merge-requests/1/head', status: 'success' },
  });
  const [job] = (await call('GET', `${url}/pipelines/${request.head_pipeline.id}/jobs`)).body;
  expect(world.gitlab.jobLog(path, job.id)).toContain('for !1 into main of change branch=[]');
  const after = (await call('GET', `${url}/pipelines?ref=main`)).body;
  expect(after).toMatchObject([{ sha: request.merge_commit_sha, source: 'push', status: 'success' }]);
});

test('commits by API: guards of files and branches; revert', async () => {
  const { url, base } = await prepared();
  const commit = async (body: object) =>
    call('POST', `${url}/repository/commits`, { branch: 'main', commit_message: 'by API', ...body });
  expect((await commit({ actions: [{ action: 'create', file_path: 'a', content: 'x' }] })).body).toEqual({
    message: 'A file with this name already exists',
  });
  expect((await commit({ actions: [{ action: 'update', file_path: 'zz', content: 'x' }] })).body).toEqual({
    message: "A file with this name doesn't exist",
  });
  const stale = await commit({
    actions: [{ action: 'update', file_path: 'a', content: 'x', last_commit_id: '0'.repeat(40) }],
  });
  expect([stale.status, stale.body.message]).toEqual([
    400,
    'You are attempting to update a file that has changed since you started editing it.',
  ]);
  const made = await commit({
    actions: [
      { action: 'update', file_path: 'a', content: '9\n', last_commit_id: base },
      { action: 'create', file_path: 'dir/b', content: 'Yg==', encoding: 'base64' },
    ],
  });
  expect([made.status, made.body.title]).toEqual([201, 'by API']);
  expect((await call('GET', `${url}/repository/files/dir%2Fb?ref=main`)).body).toMatchObject({
    file_path: 'dir/b',
    content: 'Yg==',
    last_commit_id: made.body.id,
  });
  expect(
    (await call('GET', `${url}/repository/tree?recursive=true`)).body.map((each: { path: string }) => each.path),
  ).toEqual(['a', 'dir', 'dir/b']);
  expect((await call('GET', `${url}/repository/compare?from=${base}&to=main`)).body.commits).toHaveLength(1);
  expect(
    (await call('GET', `${url}/repository/commits/${made.body.id}/diff`)).body.map(
      (each: { new_path: string }) => each.new_path,
    ),
  ).toEqual(['a', 'dir/b']);
  const reverted = await call('POST', `${url}/repository/commits/${made.body.id}/revert`, { branch: 'main' });
  expect([reverted.status, reverted.body.title]).toEqual([201, 'Revert "by API"']);
  const again = await call('POST', `${url}/repository/commits/${made.body.id}/revert`, { branch: 'main' });
  expect([again.status, again.body.error_code]).toEqual([400, expect.stringMatching(/empty|conflict/)]);
  expect(
    (await developer('POST', `${url}/repository/commits`, { branch: 'main', commit_message: 'x', actions: [] })).body,
  ).toEqual({ message: 'You are not allowed to push into this branch' });
});
