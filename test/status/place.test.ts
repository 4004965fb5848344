import { expect, test } from 'vitest';
import { systemClock } from '../../src/systems/clock-system.ts';
import { post } from '../../src/status/post.ts';
import { gitlabWorld } from './world.ts';

const ci = `workflow: { rules: [{ if: $CI_PIPELINE_SOURCE == "merge_request_event" }] }
test: { script: ["true"] }
`;

test('the application commit of a merge request pipeline: the status joins it, and no second pipeline is made', async () => {
  await using world = await gitlabWorld();
  await world.server.seed('team/podinfo', new Map([['.gitlab-ci.yml', ci]]), 'CI', { pipeline: false });
  const sha = await world.server.seed('team/podinfo', new Map([['new.go', 'y\n']]), 'Feature', { branch: 'feature' });
  await world.gitlab.createMergeRequest('team/podinfo', {
    sourceBranch: 'feature',
    targetBranch: 'main',
    title: 'Feature',
    description: '',
    labels: [],
  });
  await world.server.waitForPipelines();
  const [pipeline, ...others] = await world.gitlab.pipelines('team/podinfo', { sha });
  expect([pipeline?.source, others]).toEqual(['merge_request_event', []]);
  const clock = systemClock();
  // The trailers name the branch; the pipeline's ref is refs/merge-requests/1/head.
  const report = { project: 'team/podinfo', sha, ref: 'feature', name: 'sync: staging/podinfo', targetUrl: null };
  for (const state of ['pending', 'running', 'success'] as const)
    await post(
      world.gitlab,
      { ...report, pipelineId: null, state, description: state },
      {
        clock,
        signal: new AbortController().signal,
        deadline: clock.now() + 10_000,
        bot: async () => world.bot,
      },
    );
  expect(await world.gitlab.pipelines('team/podinfo', { sha })).toHaveLength(1);
  expect(await world.gitlab.statuses('team/podinfo', sha, { name: report.name })).toMatchObject([
    { state: 'success', pipelineId: pipeline?.id },
  ]);
});
