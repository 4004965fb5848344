import { describe, expect, test } from 'vitest';
import { secret } from '../../src/secret.ts';
import type { GitLab } from '../../src/systems/gitlab.ts';
import { connectGitLab } from '../../src/systems/gitlab-rest.ts';
import { gitlabWorld } from '../status/world.ts';
import type { GitLabWorld } from '../status/world.ts';
import { answering, jumpingClock } from './gitlab-answers.ts';
import type { Answer } from './gitlab-answers.ts';

const project = 'team/delivery';
const branch = 'sluice/podinfo-production';
const fields = {
  sourceBranch: branch,
  targetBranch: 'main',
  title: 'Deploy podinfo 2',
  description: 'a → b',
  labels: ['sluice', 'production'],
};

/** A branch with a commit of its own; answers its tip. */
function branchOff(world: GitLabWorld, files = new Map([['b.yaml', 'b: 2\n']])): Promise<string> {
  return world.server.seed(project, files, 'change', { branch, pipeline: false });
}

function connect(world: GitLabWorld): { readonly gitlab: GitLab; readonly waits: readonly number[] } {
  const clock = jumpingClock();
  const { token } = world.server.createToken('team', { name: 'merger', scopes: ['api'], accessLevel: 40 });
  return {
    gitlab: connectGitLab({ url: world.server.url, token: secret(token), tokenKind: 'private', clock }),
    waits: clock.waits,
  };
}

describe('merge requests', () => {
  test('opened once, found, changed, closed', async () => {
    await using world = await gitlabWorld();
    const sha = await branchOff(world);
    const { gitlab } = connect(world);
    const opened = await gitlab.createMergeRequest(project, fields);
    expect(opened).toMatchObject({ iid: 1, state: 'opened', branch, targetBranch: 'main', sha, title: fields.title });
    // GitLab answers 409 to the second; what stands is taken.
    expect((await gitlab.createMergeRequest(project, fields)).iid).toBe(1);
    expect(await gitlab.mergeRequests(project, { sourceBranch: branch })).toHaveLength(1);
    expect((await gitlab.commitMergeRequests(project, sha)).map(({ iid }) => iid)).toEqual([1]);
    const changed = await gitlab.updateMergeRequest(project, 1, { title: 'Deploy podinfo 3' });
    expect(changed.title).toBe('Deploy podinfo 3');
    expect((await gitlab.updateMergeRequest(project, 1, { state: 'close' })).state).toBe('closed');
    expect(await gitlab.mergeRequests(project, { sourceBranch: branch })).toEqual([]);
    expect(await gitlab.mergeRequests(project, { sourceBranch: branch, state: 'all' })).toHaveLength(1);
    expect(await gitlab.mergeRequest(project, 7)).toBeNull();
  });

  test('merged once GitLab has made up its mind, where there is no pipeline to wait for', async () => {
    await using world = await gitlabWorld();
    world.server.setFaults({ checkingReads: 3 });
    const sha = await branchOff(world);
    const { gitlab } = connect(world);
    const { iid } = await gitlab.createMergeRequest(project, fields);
    await gitlab.autoMerge(project, iid, sha);
    expect(await gitlab.mergeRequest(project, iid)).toMatchObject({ state: 'merged' });
    await gitlab.autoMerge(project, iid, sha);
  });

  test('a branch that has moved is not merged', async () => {
    await using world = await gitlabWorld();
    const sha = await branchOff(world);
    const { gitlab } = connect(world);
    const { iid } = await gitlab.createMergeRequest(project, fields);
    await branchOff(world, new Map([['c.yaml', 'c: 3\n']]));
    await expect(gitlab.autoMerge(project, iid, sha)).rejects.toMatchObject({ code: 'branch_taken' });
    expect(await gitlab.mergeRequest(project, iid)).toMatchObject({ state: 'opened' });
  });

  test('what cannot be merged is said with GitLab’s words, after it had time to settle', async () => {
    await using world = await gitlabWorld();
    const sha = await branchOff(world, new Map([['a.yaml', 'a: theirs\n']]));
    await world.server.seed(project, new Map([['a.yaml', 'a: ours\n']]), 'conflict', { pipeline: false });
    const { gitlab, waits } = connect(world);
    const { iid } = await gitlab.createMergeRequest(project, fields);
    await expect(gitlab.autoMerge(project, iid, sha)).rejects.toMatchObject({
      code: 'push_refused',
      message: expect.stringContaining(`/merge_requests/${iid}`),
    });
    expect(waits.length).toBeGreaterThan(3);
  });
});

/** A merge request as GitLab shows it. */
const shown = (over: object = {}) => ({
  body: {
    iid: 4,
    web_url: 'https://gitlab.example.com/team/delivery/-/merge_requests/4',
    state: 'opened',
    source_branch: branch,
    target_branch: 'main',
    source_project_id: 1,
    target_project_id: 1,
    sha: 'b'.repeat(40),
    title: 'Deploy',
    author: { username: 'bot' },
    detailed_merge_status: 'mergeable',
    ...over,
  },
});

async function asking<T>(answers: readonly Answer[], ask: (gitlab: GitLab) => Promise<T>) {
  await using server = await answering(...answers);
  const token = secret('glpat-merge-requests');
  const gitlab = connectGitLab({ url: server.url, token, tokenKind: 'private', clock: jumpingClock() });
  const [result] = await Promise.allSettled([ask(gitlab)]);
  return { result, asked: server.received.map(({ method, path, body }) => `${method} ${path} ${body}`.trim()) };
}
const merge = (gitlab: GitLab) => gitlab.autoMerge('a/b.c/d', 4, 'b'.repeat(40));

describe('answers of another GitLab', () => {
  test('its view of the branch lags behind the push: the merge waits, and is asked once under both names', async () => {
    const { result, asked } = await asking(
      [shown({ sha: 'a'.repeat(40) }), shown({ detailed_merge_status: 'preparing' }), shown(), shown()],
      merge,
    );
    expect(result).toMatchObject({ status: 'fulfilled' });
    const path = '/api/v4/projects/a%2Fb.c%2Fd/merge_requests/4';
    expect(asked.slice(0, 3)).toEqual([`GET ${path}`, `GET ${path}`, `GET ${path}`]);
    expect(asked).toHaveLength(4);
    expect(asked[3]).toMatch(`PUT ${path}/merge `);
    expect(JSON.parse(asked[3]!.split('/merge ')[1]!)).toEqual({
      auto_merge: true,
      merge_when_pipeline_succeeds: true,
      sha: 'b'.repeat(40),
    });
  });

  test.each<[string, readonly Answer[], string]>([
    ['may not merge', [shown(), { status: 401, body: { message: '401 Unauthorized' } }], 'token_refused'],
    ['is rewritten meanwhile', [shown(), { status: 409, body: { message: 'SHA does not match' } }], 'branch_taken'],
    ['is closed meanwhile', [shown({ state: 'closed' })], 'push_refused'],
    ['is not visible', [{ status: 404 }], 'token_refused'],
    ['has an answer that does not fit', [{ body: { iid: 4 } }], 'gitlab_unavailable'],
    ['has an unknown state of its server', [{ status: 500, body: 'boom' }], 'gitlab_unavailable'],
  ])('a merge request that %s', async (_, answers, code) => {
    const { result } = await asking(answers, merge);
    expect(result).toMatchObject({ status: 'rejected', reason: { code } });
  });

  test('whose answers are partial or refuse the text: a fault of GitLab’s, not of sluice', async () => {
    const change = (gitlab: GitLab) => gitlab.updateMergeRequest(project, 4, { title: 'x' });
    const long = { status: 422, body: { message: { description: ['is too long (maximum is 1048576 characters)'] } } };
    expect((await asking([long], change)).result).toMatchObject({
      reason: { code: 'push_refused', message: expect.stringContaining('is too long') },
    });
    expect((await asking([{ body: {} }], change)).result).toMatchObject({ reason: { code: 'gitlab_unavailable' } });
    const create = (gitlab: GitLab) => gitlab.createMergeRequest(project, fields);
    expect((await asking([{ status: 201, body: [] }], create)).result).toMatchObject({
      reason: { code: 'gitlab_unavailable' },
    });
  });

  test('a fork’s branch of the same name is not ours; a gone fork’s neither', async () => {
    const forks = [{ source_project_id: 9 }, { source_project_id: null }].map((over) => shown(over).body);
    const find = (gitlab: GitLab) => gitlab.mergeRequests(project, { sourceBranch: branch });
    expect((await asking([{ body: forks }], find)).result).toMatchObject({ value: [] });
    const own = await asking([{ body: [...forks, shown().body] }], find);
    expect(own.result).toMatchObject({ value: [{ iid: 4, fork: false }] });
    // 409 speaks of a branch of the project itself; what a fork has open is not taken for it.
    const create = (gitlab: GitLab) => gitlab.createMergeRequest(project, fields);
    const { result } = await asking([{ status: 409, body: { message: ['Another open'] } }, { body: forks }], create);
    expect(result).toMatchObject({ reason: { code: 'branch_taken' } });
  });
});
