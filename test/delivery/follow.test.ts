import { expect, test } from 'vitest';
import { type Following, followMerge, followStatuses } from '../../src/delivery/follow.ts';
import { gitlabWorld } from '../status/world.ts';
import type { GitLabWorld } from '../status/world.ts';
import { jumpingClock } from '../systems/gitlab-answers.ts';

const project = 'team/delivery';
const source = 'sluice/production/web';
const pairs = [{ app: 'web', environment: 'production' }];
const fields = { sourceBranch: source, targetBranch: 'main', title: 'Deploy web', description: '', labels: [] };

function following(world: GitLabWorld, minutes = 10, signal = new AbortController().signal) {
  const clock = jumpingClock();
  const notes: string[] = [];
  const work: Following = {
    gitlab: world.gitlab,
    clock,
    deadline: clock.now() + minutes * 60_000,
    signal,
    note: (text) => void notes.push(text),
  };
  return { work, notes };
}

/** The branch of a merge request, with a pipeline that has succeeded there. */
async function branchOff({ server }: GitLabWorld): Promise<string> {
  const ci = 'check: { script: "true" }\n';
  const sha = await server.seed(project, new Map([['.gitlab-ci.yml', ci]]), 'deploy', { branch: source });
  await server.waitForPipelines();
  return sha;
}

test('a pipeline that ran for the same commit on another branch says nothing about the delivery', async () => {
  await using world = await gitlabWorld();
  const sha = await branchOff(world);
  expect(await world.gitlab.pipelines(project, { sha })).toMatchObject([{ status: 'success', ref: source }]);
  const { work } = following(world);
  await expect(followStatuses({ project, branch: 'main', sha }, pairs, work)).rejects.toMatchObject({
    code: 'pipeline_missing',
    message: expect.stringContaining('on main'),
  });
});

test('the commit of a merge request is followed where the merge brought it', async () => {
  await using world = await gitlabWorld();
  const sha = await branchOff(world);
  const { iid } = await world.gitlab.createMergeRequest(project, fields);
  await world.gitlab.autoMerge(project, iid, sha);
  const { work } = following(world);
  const merged = await followMerge(project, iid, work);
  expect(merged).not.toBe(sha);
  await world.server.waitForPipelines();
  const place = { project, sha: merged, pipelineId: null, ref: 'main', targetUrl: null };
  const report = { ...place, name: 'sync: production/web', state: 'failed', description: 'no image' } as const;
  expect(await world.gitlab.postStatus(report)).toMatchObject({ outcome: 'posted' });
  expect(await followStatuses({ project, branch: 'main', sha }, pairs, work)).toMatchObject([
    { state: 'failed', description: 'no image' },
  ]);
});

test('what waits for a person is told, also in the end', async () => {
  await using world = await gitlabWorld();
  const ci = 'deploy: { script: "true", when: manual, allow_failure: false }\n';
  const sha = await world.server.seed(project, new Map([['.gitlab-ci.yml', ci]]), 'ci');
  const { work, notes } = following(world);
  await expect(followStatuses({ project, branch: 'main', sha }, pairs, work)).rejects.toMatchObject({
    code: 'timed_out',
    message: expect.stringContaining('(manual)'),
  });
  expect(notes).toEqual([expect.stringContaining('waits for somebody')]);
});

test('a project that the token cannot see is said at once', async () => {
  await using world = await gitlabWorld();
  const { work } = following(world);
  const commit = { project: 'team/hidden', branch: 'main', sha: world.commit };
  await expect(followStatuses(commit, pairs, work)).rejects.toMatchObject({ code: 'token_refused' });
});

test('a merge request that nobody merges is told with GitLab’s reason; waiting ends with the signal', async () => {
  await using world = await gitlabWorld();
  await world.server.seed(project, new Map([['a.yaml', 'a: 2\n']]), 'deploy', { branch: source, pipeline: false });
  const { iid } = await world.gitlab.createMergeRequest(project, { ...fields, title: 'Draft: Deploy web' });
  const { work, notes } = following(world);
  await expect(followMerge(project, iid, work)).rejects.toMatchObject({
    code: 'timed_out',
    message: expect.stringContaining('draft_status'),
  });
  expect(notes.at(-1)).toContain('draft_status');
  const abort = new AbortController();
  const waiting = followMerge(project, iid, { ...following(world, 1e6, abort.signal).work, signal: abort.signal });
  const reason = new Error('canceled');
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});
