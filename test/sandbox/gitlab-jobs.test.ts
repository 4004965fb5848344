import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startCi, type CiWorld } from './gitlab-project.ts';

/** Jobs that people and programs act on: played, retried, canceled, triggered. */

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let world: CiWorld['world'];
let call: CiWorld['call'];
let all: CiWorld['all'];

beforeAll(async () => {
  ({ world, call, all } = await startCi({ registry: { host: '127.0.0.1:5000' } }));
});
afterAll(async () => world.close());

test('manual jobs are played, failed ones retried', async () => {
  const { url } = await all.create(`
stages: [one, two]
flaky: { stage: one, script: ["git ls-remote origin refs/heads/fixed | grep -q fixed"] }
gate: { stage: two, script: "true", when: manual, allow_failure: false }
`);
  const first = await all.outcome(url);
  expect(first.states).toEqual({ flaky: 'failed', gate: 'skipped' });
  await call('POST', `${url}/repository/branches`, { branch: 'fixed', ref: 'main' });
  await world.gitlab.waitForPipelines();
  const id = first.pipeline.id as number;
  const retried = await call('POST', `${url}/jobs/${first.jobs['flaky']?.id}/retry`);
  expect([retried.status, retried.body.name]).toEqual([201, 'flaky']);
  await world.gitlab.waitForPipelines();
  const jobs = (await call('GET', `${url}/pipelines/${id}/jobs`)).body as {
    readonly id: number;
    readonly name: string;
    readonly status: string;
  }[];
  expect(jobs.map((job) => [job.name, job.status])).toEqual([
    ['flaky', 'success'],
    ['gate', 'manual'],
  ]);
  expect((await call('GET', `${url}/pipelines/${id}`)).body.status).toBe('manual');
  await call('POST', `${url}/jobs/${jobs[1]?.id}/play`);
  await world.gitlab.waitForPipelines();
  expect((await call('GET', `${url}/pipelines/${id}`)).body.status).toBe('success');
  expect((await call('POST', `${url}/jobs/${jobs[1]?.id}/play`)).status).toBe(400);
});

test('cancel: SIGTERM reaches the script, after_script runs and knows, the token dies', async () => {
  const { path, url } = await all.create(
    `
slow:
  script:
    - trap 'echo caught the signal; exit 1' TERM
    - echo "token is $CI_JOB_TOKEN" > "$HANDOVER"; echo started
    - for i in $(seq 600); do sleep 0.1; done
  after_script: ["echo after: $CI_JOB_STATUS"]
`,
    (name) => world.gitlab.setVariable(name, { key: 'HANDOVER', value: `${world.folder}/handover` }),
  );
  const job = await all.runningJob(path, 'slow');
  await all.untilLogged(path, job, 'started');
  const canceled = await call('POST', `${url}/jobs/${job}/cancel`);
  expect(canceled.status).toBe(201);
  const { states, pipeline } = await all.outcome(url);
  expect(states).toEqual({ slow: 'canceled' });
  expect(pipeline.status).toBe('canceled');
  const log = world.gitlab.jobLog(path, job);
  expect(log).toContain('caught the signal');
  expect(log).toContain('after: canceled');
  const token = (await readFile(`${world.folder}/handover`, 'utf8')).trim().split(' ').at(-1) ?? '';
  expect((await world.as(null)('GET', '/job', undefined, { 'job-token': token })).status).toBe(401);
});

test('cancel, while the job is prepared: its script does not run to its end', async () => {
  const { path, url } = await all.create('slow: { script: ["sleep 20", "echo done"] }\n');
  const job = await all.runningJob(path, 'slow');
  expect((await call('POST', `${url}/jobs/${job}/cancel`)).status).toBe(201);
  expect((await all.outcome(url)).states).toEqual({ slow: 'canceled' });
  expect(world.gitlab.jobLog(path, job)).not.toContain('\ndone\n');
});

test('a job may push to its own project when allowed; that starts no pipeline', async () => {
  const yaml = `push:
  script:
    - git -c user.name=ci -c user.email=ci@example.com commit -q --allow-empty -m by-job
    - git push -q origin HEAD:refs/heads/by-job
`;
  const refused = await all.create(yaml);
  const first = await all.outcome(refused.url);
  expect(first.states).toEqual({ push: 'failed' });
  expect(world.gitlab.jobLog(refused.path, first.jobs['push']?.id ?? 0)).toContain(
    'You are not allowed to upload code.',
  );
  const allowed = await all.create(yaml, (name) => world.gitlab.configureProject(name, { jobTokenPush: true }));
  expect((await all.outcome(allowed.url)).states).toEqual({ push: 'success' });
  expect((await call('GET', `${allowed.url}/pipelines`)).body).toHaveLength(1);
});

test('pipelines by API and by trigger token, with variables', async () => {
  const { path, url } = await all.create(
    'job: { script: ["echo got $GIVEN from $CI_PIPELINE_SOURCE"], rules: [{ if: $CI_PIPELINE_SOURCE != "push" }] }\n',
  );
  const made = await call('POST', `${url}/pipeline`, { ref: 'main', variables: [{ key: 'GIVEN', value: 'by-api' }] });
  expect([made.status, made.body.source]).toEqual([201, 'api']);
  const first = await all.outcome(url);
  expect(world.gitlab.jobLog(path, first.jobs['job']?.id ?? 0)).toContain('got by-api from api');
  const token = world.gitlab.createTriggerToken(path, 'sluice');
  const triggered = await world.as(null)('POST', `${url}/trigger/pipeline`, {
    token,
    ref: 'main',
    variables: { GIVEN: 'by-trigger' },
  });
  expect(triggered.status).toBe(201);
  const second = await all.outcome(url);
  expect(world.gitlab.jobLog(path, second.jobs['job']?.id ?? 0)).toContain('got by-trigger from trigger');
  expect((await world.as(null)('POST', `${url}/trigger/pipeline`, { token: 'glptt-wrong', ref: 'main' })).status).toBe(
    404,
  );
});

test('only and except, and jobs that wait for a time', async () => {
  const { url, path } = await all.create(`
branches: { script: "true", only: [branches] }
tags: { script: "true", only: [tags] }
pattern: { script: "true", only: [/^ma/] }
except: { script: "true", except: [main] }
condition: { script: "true", only: { refs: [branches], variables: [$CI_COMMIT_BRANCH == "main"] } }
later: { script: "true", when: delayed, start_in: 1 second }
requests: { script: "true", only: [merge_requests] }
`);
  expect(Object.keys((await all.outcome(url)).states).toSorted()).toEqual([
    'branches',
    'condition',
    'later',
    'pattern',
  ]);
  const scheduled = world.events.filter(
    (event) => event.type === 'job' && event.project === path && event.name === 'later',
  );
  expect(scheduled.map((event) => event.type === 'job' && event.status)).toEqual([
    'scheduled',
    'pending',
    'running',
    'success',
  ]);
  await world.gitlab.seed(path, new Map([['a', 'a']]), 'tagged', { tag: 'v1' });
  const tagged = (await call('GET', `${url}/pipelines?ref=v1`)).body as { readonly id: number }[];
  await world.gitlab.waitForPipelines();
  const jobs = (await call('GET', `${url}/pipelines/${tagged[0]?.id}/jobs`)).body as { readonly name: string }[];
  expect(jobs.map((job) => job.name).toSorted()).toEqual(['except', 'later', 'tags']);
});
