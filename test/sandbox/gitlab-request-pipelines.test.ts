import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startCi, type CiWorld } from './gitlab-project.ts';

/** Pipelines of merge requests: of the head, of the merged result, of forks; where their statuses go. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let world: CiWorld['world'];
let call: CiWorld['call'];
let all: CiWorld['all'];

beforeAll(async () => {
  ({ world, call, all } = await startCi());
});
afterAll(async () => world.close());

const yaml = `show:
  script:
    - echo "$CI_MERGE_REQUEST_EVENT_TYPE at $CI_COMMIT_SHA of $CI_COMMIT_REF_NAME from \${CI_MERGE_REQUEST_SOURCE_BRANCH_SHA:-nothing}"
    - echo "secret \${TOKEN_OF_SHOP:-none} in $CI_PROJECT_PATH for $CI_MERGE_REQUEST_PROJECT_PATH"
  rules: [{ if: $CI_PIPELINE_SOURCE == "merge_request_event" }]
`;

/** A project with a merge request, and the answer to its making once its pipeline has ended. */
async function requested(mergedResults: boolean) {
  const { path, url } = await all.create(yaml, (name) => {
    world.gitlab.configureProject(name, { mergedResults });
    world.gitlab.setVariable(name, { key: 'TOKEN_OF_SHOP', value: 'plain-secret' });
  });
  const head = await world.gitlab.seed(path, new Map([['a', '1']]), 'change', { branch: 'topic' });
  await world.gitlab.seed(path, new Map([['b', '1']]), 'meanwhile');
  const fields = { source_branch: 'topic', target_branch: 'main', title: 'Change' };
  const request = (await call('POST', `${url}/merge_requests`, fields)).body;
  const { pipeline, jobs } = await all.outcome(url);
  const log = world.gitlab.jobLog(path, jobs['show']?.id ?? 0);
  return { path, url, head, request, pipeline, log };
}

const headOf = async (url: string) => (await call('GET', `${url}/merge_requests/1`)).body.head_pipeline;

test('of the head: ref and commit are the source branch’s; a status without id joins it', async () => {
  const { url, head, pipeline, log } = await requested(false);
  expect(pipeline).toMatchObject({ ref: 'refs/merge-requests/1/head', sha: head, source: 'merge_request_event' });
  expect(log).toContain(`detached at ${head} of topic from nothing`);
  const posted = await call('POST', `${url}/statuses/${head}`, { state: 'success', name: 'x' });
  expect(posted.body.pipeline_id).toBe(pipeline.id);
  // With the branch as ref nothing matches: another pipeline, and the merge request keeps its own.
  const branch = await call('POST', `${url}/statuses/${head}`, { state: 'failed', name: 'y', ref: 'topic' });
  expect(branch.body.pipeline_id).not.toBe(pipeline.id);
  expect((await headOf(url)).id).toBe(pipeline.id);
});

test('of the merged result: another commit, which only its own statuses reach', async () => {
  const { path, url, head, pipeline, log } = await requested(true);
  expect(pipeline).toMatchObject({ ref: 'refs/merge-requests/1/merge', source: 'merge_request_event' });
  expect(pipeline.sha).not.toBe(head);
  expect(log).toContain(`merged_result at ${pipeline.sha} of topic from ${head}`);
  const commit = (await call('GET', `${url}/repository/commits/${pipeline.sha}`)).body;
  expect(commit.parent_ids[1]).toBe(head);
  // On the head's commit: a new pipeline of the branch; the merge request's stays as it is.
  const beside = await call('POST', `${url}/statuses/${head}`, { state: 'failed', name: 'beside' });
  expect([beside.status, beside.body.ref]).toEqual([201, 'topic']);
  expect(beside.body.pipeline_id).not.toBe(pipeline.id);
  const wrong = await call('POST', `${url}/statuses/${head}`, { state: 'failed', name: 'w', pipeline_id: pipeline.id });
  expect(wrong.status).toBe(404);
  const own = await call('POST', `${url}/statuses/${pipeline.sha}`, {
    state: 'failed',
    name: 'own',
    pipeline_id: pipeline.id,
  });
  expect([own.status, own.body.ref]).toEqual([201, 'refs/merge-requests/1/merge']);
  expect(await headOf(url)).toMatchObject({ id: pipeline.id, status: 'failed' });
  // A branch that cannot be merged gets a pipeline of its head.
  await world.gitlab.seed(path, new Map([['a', 'other']]), 'conflict');
  await world.gitlab.seed(path, new Map([['a', '2']]), 'again', { branch: 'topic' });
  expect((await all.outcome(url)).pipeline.ref).toBe('refs/merge-requests/1/head');
});

test('of a fork: it runs there, without the variables of the project that is asked', async () => {
  const { path, url } = await all.create(yaml, (name) =>
    world.gitlab.setVariable(name, { key: 'TOKEN_OF_SHOP', value: 'plain-secret' }),
  );
  const stranger = world.gitlab.createUser('stranger', { memberships: { [path]: 20 } });
  const fork = await world.gitlab.forkProject(path, 'stranger/fork', 'stranger');
  const theirs = world.as(stranger.token);
  const head = await world.gitlab.seed('stranger/fork', new Map([['a', '1']]), 'change', { branch: 'topic' });
  const target = (await call('GET', url)).body;
  const made = await theirs('POST', `/projects/${fork.id}/merge_requests`, {
    source_branch: 'topic',
    target_branch: 'main',
    title: 'From outside',
    target_project_id: target.id,
  });
  expect(made.body).toMatchObject({ source_project_id: fork.id, target_project_id: target.id, project_id: target.id });
  await world.gitlab.waitForPipelines();
  const [pipeline] = (await theirs('GET', `/projects/${fork.id}/pipelines`)).body;
  const [job] = (await theirs('GET', `/projects/${fork.id}/pipelines/${pipeline.id}/jobs`)).body;
  expect(pipeline).toMatchObject({ project_id: fork.id, ref: 'topic', sha: head, source: 'merge_request_event' });
  expect(world.gitlab.jobLog('stranger/fork', job.id)).toContain(`secret none in stranger/fork for ${path}`);
  expect((await headOf(url)).id).toBe(pipeline.id);
  // Somebody with rights in the project starts one there: it has the project's variables.
  expect((await call('POST', `${url}/merge_requests/1/pipelines`)).status).toBe(201);
  const inside = await all.outcome(url);
  expect(inside.pipeline).toMatchObject({ ref: 'refs/merge-requests/1/head', sha: head });
  expect(world.gitlab.jobLog(path, inside.jobs['show']?.id ?? 0)).toContain(`secret plain-secret in ${path}`);
});
