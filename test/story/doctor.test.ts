import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GitLabEvent } from '../../sandbox/gitlab/handle.ts';
import { paths } from '../../sandbox/seed.ts';
import { leaksIn } from './leaks.ts';
import { openExamples, type ExamplesWorld } from './parts.ts';

const job = (environment: string) => `doctor:
  environment: { name: ${environment}, action: verify }
  script: [sluice doctor --report-dir report]
  artifacts: { when: always, paths: [report] }
`;

/** Doctor as a job of the delivery project: token, registry and agent are what GitLab gives a job. */
describe('doctor in a job', () => {
  let world: ExamplesWorld;
  const ended: (GitLabEvent & { readonly type: 'job' })[] = [];
  beforeAll(async () => {
    world = await openExamples({ clusters: ['staging-eu', 'prod-eu'] });
    world.gitlab.on((event) => {
      if (event.type === 'job' && event.exitCode !== null) ended.push(event);
    });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function look(environment: string): Promise<{ readonly exit: number | null; readonly log: string }> {
    const files = new Map([['.gitlab-ci.yml', job(environment)]]);
    await world.gitlab.seed(paths.delivery, files, `Look at ${environment}`);
    await world.gitlab.waitForPipelines();
    const last = ended.at(-1)!;
    const log = world.gitlab.jobLog(paths.delivery, last.id);
    expect(leaksIn('the job log', log, world.seeded.secrets)).toEqual([]);
    return { exit: last.exitCode, log };
  }

  test('after the first delivery all is as it should be', async () => {
    const { exit, log } = await look('staging');
    expect(log).toMatch(/0 at fault/);
    expect(exit).toBe(0);
    expect(log).toMatch(/shop\/agents:staging-eu answers/);
    expect(log).toMatch(/gitlab:ci_job:\d+ may do what sluice needs/);
    expect(log).toMatch(/media types: an artifact stands there/);
    expect(log).toMatch(/OCIRepository flux-system\/podinfo follows it every 10m/);
  });

  test('an agent that is not connected', async () => {
    world.gitlab.setFaults({ agentsOffline: true });
    const { exit, log } = await look('staging');
    world.gitlab.setFaults({});
    expect(exit).toBe(6);
    expect(log).toMatch(/the agent staging-eu is not connected/);
    expect(log).toMatch(/Look at agentk in that cluster/);
  });

  test('an environment that no agent is shared for', async () => {
    const { exit, log } = await look('review');
    expect(exit).toBe(7);
    expect(log).toMatch(/the job has no context shop\/agents:staging-eu/);
    expect(log).toMatch(/an entry with `environments:` must name review/);
  });
});
