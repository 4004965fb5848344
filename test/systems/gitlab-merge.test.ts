import { describe, expect, test } from 'vitest';
import { secret } from '../../src/secret.ts';
import type { GitLab } from '../../src/systems/gitlab.ts';
import { connectGitLab } from '../../src/systems/gitlab-rest.ts';
import { gitlabWorld } from '../status/world.ts';
import type { GitLabWorld } from '../status/world.ts';
import { jumpingClock } from './gitlab-answers.ts';

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
