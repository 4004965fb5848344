import { expect, test } from 'vitest';
import type { Origin } from '../../src/app/change.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { verifyOrigin } from '../../src/delivery/origin.ts';
import { gitlabWorld } from '../status/world.ts';

const project = 'team/podinfo';
const config = parseConfig(
  `version: 1
environments: { staging: { clusters: [{ name: eu, context: eu }] } }
apps: { podinfo: { project: ${project} } }
`,
  'sluice.yaml',
);
const yaml = `wait: { script: "true", when: manual, rules: [{ if: $CI_PIPELINE_SOURCE == "merge_request_event", when: manual }] }
`;

test('a merge request’s pipeline, of its head or of the merged result, speaks for its source branch alone', async () => {
  await using world = await gitlabWorld();
  const { server, gitlab } = world;
  await server.seed(project, new Map([['.gitlab-ci.yml', yaml]]), 'ci', { pipeline: false });
  for (const [branch, mergedResults] of [
    ['head', false],
    ['merged', true],
  ] as const) {
    server.configureProject(project, { mergedResults });
    await server.seed(project, new Map([[branch, '1']]), branch, { branch, pipeline: false });
    await gitlab.createMergeRequest(project, {
      sourceBranch: branch,
      targetBranch: 'main',
      title: branch,
      description: '',
      labels: [],
    });
    await server.waitForPipelines();
    const [pipeline] = await gitlab.pipelines(project, {});
    expect(pipeline?.ref).toMatch(
      mergedResults ? /^refs\/merge-requests\/2\/merge$/ : /^refs\/merge-requests\/1\/head$/,
    );
    const origin: Origin = { project, commit: pipeline!.sha, ref: branch, pipeline: pipeline!.id };
    const verify = (claim: Partial<Origin>) =>
      verifyOrigin({ app: 'podinfo', origin: { ...origin, ...claim } }, config, gitlab, null);
    await verify({});
    await expect(verify({ ref: 'main' })).rejects.toMatchObject({ code: 'origin_refused' });
    await expect(verify({ commit: world.origin })).rejects.toMatchObject({ code: 'origin_refused' });
    // A member can run a fork's merge request in the project: its branch may be called as ours are.
    const ofFork: typeof gitlab = {
      ...gitlab,
      mergeRequest: async (...asked) => ({ ...(await gitlab.mergeRequest(...asked))!, fork: true }),
    };
    await expect(verifyOrigin({ app: 'podinfo', origin }, config, ofFork, null)).rejects.toMatchObject({
      code: 'origin_refused',
      message: expect.stringContaining('fork'),
    });
  }
});

test('what a trigger brings must come from a pipeline that ran then, or ended shortly before', async () => {
  await using world = await gitlabWorld();
  const { server, gitlab } = world;
  const ci = 'build: { script: "true" }\n';
  const commit = await server.seed(project, new Map([['.gitlab-ci.yml', ci]]), 'ci');
  await server.waitForPipelines();
  const { id } = (await gitlab.pipelines(project, {}))[0]!;
  const { finishedAt } = (await gitlab.pipeline(project, id))!;
  const origin: Origin = { project, commit, ref: 'main', pipeline: id };
  const verify = (triggeredAt: number) => verifyOrigin({ app: 'podinfo', origin }, config, gitlab, triggeredAt);
  await verify(finishedAt! - 60_000);
  await verify(finishedAt! + 1_800_000);
  await expect(verify(finishedAt! + 7_200_000)).rejects.toMatchObject({
    code: 'origin_refused',
    message: expect.stringContaining('long before it was triggered'),
  });
});

test('a project that the token cannot see is a matter of the token, not of the change', async () => {
  await using world = await gitlabWorld();
  world.server.createProject('other/delivery');
  const { token } = world.server.createToken('other', { name: 'sluice', scopes: ['api'], accessLevel: 40 });
  const origin: Origin = { project, commit: world.origin, ref: 'main', pipeline: 1 };
  const verify = (gitlab: typeof world.gitlab) => verifyOrigin({ app: 'podinfo', origin }, config, gitlab, null);
  await expect(verify(world.connect(token))).rejects.toMatchObject({
    code: 'token_refused',
    exit: 7,
    hint: expect.stringContaining('SLUICE_GITLAB_TOKEN_PODINFO'),
  });
  await expect(verify(world.gitlab)).rejects.toMatchObject({ code: 'origin_refused', exit: 3 });
});
