import { expect, test } from 'vitest';
import { requestDescription } from '../../src/delivery/request-text.ts';
import { requestClaims } from '../../src/artifact/request-claims.ts';
import { gitlabWorld } from '../status/world.ts';
import { originOf } from '../sync/build.ts';

const project = 'team/delivery';

test('a merged merge request claims what our own bot wrote, and nobody else', async () => {
  await using world = await gitlabWorld();
  const origin = originOf({ project: 'team/podinfo', commit: world.origin });
  const block = { app: 'podinfo', environment: 'production', images: ['podinfo:2'], origin, base: world.commit };
  const description = requestDescription(block, [], world.server.url);
  const other = world.server.createToken('team', { name: 'other', scopes: ['api'], accessLevel: 40 });
  const open = async (branch: string, gitlab = world.gitlab) => {
    const files = new Map([[`${branch}.yaml`, `${branch}: 1\n`]]);
    const sha = await world.server.seed(project, files, branch, { branch, pipeline: false });
    const fields = { sourceBranch: branch, targetBranch: 'main', title: branch, description, labels: [] };
    const { iid } = await gitlab.createMergeRequest(project, fields);
    return { sha, iid };
  };
  const ours = await open('ours');
  const forged = await open('forged', world.connect(other.token));
  expect(await requestClaims(world.gitlab, project, ours.sha)).toEqual([]);
  for (const { iid, sha } of [ours, forged]) {
    const answer = await fetch(`${world.server.url}/api/v4/projects/team%2Fdelivery/merge_requests/${iid}/merge`, {
      method: 'PUT',
      headers: { 'private-token': other.token, 'content-type': 'application/json' },
      body: JSON.stringify({ sha }),
    });
    expect(answer.status).toBe(200);
  }
  expect(await requestClaims(world.gitlab, project, ours.sha)).toEqual([
    { commit: ours.sha, apps: ['podinfo'], environments: ['production'], images: ['podinfo:2'], origin },
  ]);
  expect(await requestClaims(world.gitlab, project, forged.sha)).toEqual([]);
});
