import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorld } from './gitlab-fixture.ts';
import type { Call, World } from './gitlab-fixture.ts';

/** Pipelines that really run, by gitlab-ci-local's shell executor. */

let world: World;
let call: Call;
let count = 0;

beforeAll(async () => {
  world = await startWorld({ registry: { host: '127.0.0.1:5000' } });
  call = world.as(world.gitlab.createUser('maintainer', { memberships: { ci: 40 } }).token);
});
afterAll(async () => world.close());

async function project(
  yaml: string,
  setUp?: (path: string) => void,
  files: Readonly<Record<string, string>> = {},
): Promise<{ readonly path: string; readonly url: string; readonly sha: string }> {
  count += 1;
  const path = `ci/p${count}`;
  world.gitlab.createProject(path);
  setUp?.(path);
  const sha = await world.gitlab.seed(
    path,
    new Map(Object.entries({ '.gitlab-ci.yml': yaml, ...files })),
    `first ${count}`,
  );
  return { path, url: `/projects/${encodeURIComponent(path)}`, sha };
}

interface Job {
  readonly id: number;
  readonly name: string;
  readonly status: string;
  readonly allow_failure: boolean;
  readonly failure_reason?: string;
}

/** Jobs of the newest pipeline by name, and the pipeline. */
async function outcome(url: string) {
  await world.gitlab.waitForPipelines();
  const [pipeline] = (await call('GET', `${url}/pipelines`)).body;
  const jobs = (await call('GET', `${url}/pipelines/${pipeline.id}/jobs`)).body as Job[];
  return {
    pipeline,
    jobs: Object.fromEntries(jobs.map((job) => [job.name, job])),
    states: Object.fromEntries(jobs.map((job) => [job.name, job.status])),
  };
}

test('stages, artifacts, dotenv, variables, masking, after_script, allowed exit codes', async () => {
  const { path, url, sha } = await project(
    `
stages: [build, test]
build:
  stage: build
  script:
    - echo "secret $TOKEN_OF_SHOP and $CI_JOB_TOKEN in $PLACE of $CI_PROJECT_PATH at $CI_COMMIT_SHA"
    - cat "$SETTINGS_FILE"
    - echo "VERSION=1.2.3" > build.env
    - mkdir -p out && echo made > out/file
  artifacts: { paths: [out/], reports: { dotenv: build.env } }
test:
  stage: test
  script:
    - test "$(cat out/file)" = made
    - echo "version $VERSION"
    - exit 42
  allow_failure: { exit_codes: [42] }
  after_script: ["echo after: $CI_JOB_STATUS"]
`,
    (name) => {
      world.gitlab.setVariable('ci', { key: 'PLACE', value: 'group' });
      world.gitlab.setVariable(name, { key: 'PLACE', value: 'project' });
      world.gitlab.setVariable(name, { key: 'TOKEN_OF_SHOP', value: 'value$with-dollar', masked: true });
      world.gitlab.setVariable(name, { key: 'SETTINGS_FILE', value: 'from a file variable\n', file: true });
    },
  );
  const { pipeline, jobs, states } = await outcome(url);
  expect(states).toEqual({ build: 'success', test: 'failed' });
  expect(pipeline).toMatchObject({ status: 'success', source: 'push', sha, ref: 'main' });
  const log = world.gitlab.jobLog(path, jobs['build']?.id ?? 0);
  expect(log).toContain(`secret [MASKED] and [MASKED] in project of ${path} at ${sha}`);
  expect(log).toContain('from a file variable');
  expect(log).toContain('Job succeeded');
  expect(world.gitlab.rawLogs()).toContain('secret value$with-dollar');
  const tested = (await call('GET', `${url}/jobs/${jobs['test']?.id}/trace`)).body as string;
  expect(tested).toContain('version 1.2.3');
  expect(tested).toContain('after: failed');
  expect(tested).toContain('exit status 42');
  expect(jobs['test']).toMatchObject({ allow_failure: true, failure_reason: 'script_failure' });
});

test('rules, needs, matrix; a failure skips what follows, on_failure runs', async () => {
  const { url } = await project(`
stages: [one, two]
never: { stage: one, script: "true", rules: [{ if: $CI_COMMIT_TAG }] }
matrix:
  stage: one
  parallel: { matrix: [{ TARGET: [a, b] }] }
  script: ["test $TARGET = a"]
needing: { stage: two, needs: [{ job: "matrix", parallel: { matrix: [{ TARGET: a }] } }], script: "true", when: always }
later: { stage: two, script: "true" }
rescue: { stage: two, script: "echo rescue", when: on_failure }
`);
  const { pipeline, states } = await outcome(url);
  expect(states).toEqual({
    'matrix: [a]': 'success',
    'matrix: [b]': 'failed',
    needing: 'success',
    later: 'skipped',
    rescue: 'success',
  });
  expect(pipeline.status).toBe('failed');
});

test('workflow rules, [skip ci], and no file: no pipeline', async () => {
  const { path, url } = await project(
    'workflow: { rules: [{ if: $CI_COMMIT_BRANCH == "release" }] }\njob: { script: "true" }\n',
  );
  await world.gitlab.waitForPipelines();
  expect((await call('GET', `${url}/pipelines`)).body).toEqual([]);
  await world.gitlab.seed(path, new Map([['a', 'a']]), 'release', { branch: 'release' });
  await world.gitlab.seed(path, new Map([['a', 'b']]), 'quiet [skip ci]', { branch: 'release' });
  expect((await outcome(url)).pipeline.ref).toBe('release');
  expect((await call('GET', `${url}/pipelines`)).body).toHaveLength(1);
});

test('rules:changes compares with the state before the push', async () => {
  const { path, url } = await project(
    'a: { script: "true", rules: [{ changes: [a/**] }] }\nb: { script: "true", rules: [{ changes: [b/**] }] }\n',
    undefined,
    { 'a/x': '1', 'b/x': '1' },
  );
  expect(Object.keys((await outcome(url)).states).toSorted()).toEqual(['a', 'b']);
  await world.gitlab.seed(path, new Map([['b/x', '2']]), 'second');
  expect(Object.keys((await outcome(url)).states)).toEqual(['b']);
});

test('a file that cannot be read: failed pipeline with yaml_errors and no jobs', async () => {
  const { url } = await project('job: { stage: nowhere, script: "true" }\n');
  const { pipeline, states } = await outcome(url);
  expect(states).toEqual({});
  expect(pipeline.status).toBe('failed');
  expect((await call('GET', `${url}/pipelines/${pipeline.id}`)).body.yaml_errors).toContain('nowhere');
  const lint = await call('POST', `${url}/ci/lint`, { content: 'job: { script: "true" }\n' });
  expect(lint.body).toMatchObject({ valid: true, errors: [] });
});

test('components of another project, by version', async () => {
  await world.gitlab.seed(
    (world.gitlab.createProject('components/tools', { visibility: 'public' }), 'components/tools'),
    new Map([
      [
        'templates/greet.yml',
        'spec:\n  inputs:\n    who: { type: string }\n---\n"greet $[[ inputs.who ]]": { script: "echo hello $[[ inputs.who ]]" }\n',
      ],
    ]),
    'release',
    { tag: '1.0.0' },
  );
  const { url, path } = await project(
    'include:\n  - component: $CI_SERVER_FQDN/components/tools/greet@1.0.0\n    inputs: { who: world }\n',
  );
  const { jobs, states } = await outcome(url);
  expect(states).toEqual({ 'greet world': 'success' });
  expect(world.gitlab.jobLog(path, jobs['greet world']?.id ?? 0)).toContain('hello world');
});

test('environments, protected variables, resource groups, deployments', async () => {
  const { path, url } = await project(
    `
.deploy: { script: ["echo $CI_ENVIRONMENT_NAME has $KEY and ${'${HIDDEN:-nothing}'}"], resource_group: shared }
staging: { extends: .deploy, environment: { name: staging } }
production: { extends: .deploy, environment: { name: production } }
check: { extends: .deploy, environment: { name: staging, action: verify } }
`,
    (name) => {
      world.gitlab.setVariable(name, { key: 'KEY', value: 'for-all' });
      world.gitlab.setVariable(name, { key: 'KEY', value: 'for-production', environmentScope: 'production' });
      world.gitlab.setVariable(name, { key: 'HIDDEN', value: 'hidden-value', protected: true });
    },
  );
  const { jobs, states } = await outcome(url);
  expect(new Set(Object.values(states))).toEqual(new Set(['success']));
  expect(world.gitlab.jobLog(path, jobs['production']?.id ?? 0)).toContain(
    'production has for-production and hidden-value',
  );
  expect(world.gitlab.jobLog(path, jobs['staging']?.id ?? 0)).toContain('staging has for-all and hidden-value');
  const deployments = (await call('GET', `${url}/deployments`)).body as {
    status: string;
    environment: { name: string };
  }[];
  expect(deployments.map((each) => [each.environment.name, each.status])).toEqual([
    ['staging', 'success'],
    ['production', 'success'],
  ]);
  const running = world.events
    .filter((event) => event.type === 'job' && event.project === path && ['running', 'success'].includes(event.status))
    .map((event) => (event.type === 'job' ? event.status : ''));
  expect(running).toEqual(['running', 'success', 'running', 'success', 'running', 'success']);
  await world.gitlab.seed(path, new Map([['a', 'a']]), 'unprotected', { branch: 'feature' });
  const again = await outcome(url);
  expect(world.gitlab.jobLog(path, again.jobs['staging']?.id ?? 0)).toContain('staging has for-all and nothing');
  expect((await call('GET', `${url}/resource_groups`)).body).toMatchObject([
    { key: 'shared', process_mode: 'unordered' },
  ]);
});

test('manual jobs are played, failed ones retried', async () => {
  const { url } = await project(`
stages: [one, two]
flaky: { stage: one, script: ["git ls-remote origin refs/heads/fixed | grep -q fixed"] }
gate: { stage: two, script: "true", when: manual, allow_failure: false }
`);
  const first = await outcome(url);
  expect(first.states).toEqual({ flaky: 'failed', gate: 'skipped' });
  await call('POST', `${url}/repository/branches`, { branch: 'fixed', ref: 'main' });
  await world.gitlab.waitForPipelines();
  const id = first.pipeline.id as number;
  const retried = await call('POST', `${url}/jobs/${first.jobs['flaky']?.id}/retry`);
  expect([retried.status, retried.body.name]).toEqual([201, 'flaky']);
  await world.gitlab.waitForPipelines();
  const jobs = (await call('GET', `${url}/pipelines/${id}/jobs`)).body as Job[];
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
  const { path, url } = await project(
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
  const job = await waitForJob(path, 'slow');
  await untilLogged(path, job, 'started');
  const canceled = await call('POST', `${url}/jobs/${job}/cancel`);
  expect(canceled.status).toBe(201);
  const { states, pipeline } = await outcome(url);
  expect(states).toEqual({ slow: 'canceled' });
  expect(pipeline.status).toBe('canceled');
  const log = world.gitlab.jobLog(path, job);
  expect(log).toContain('caught the signal');
  expect(log).toContain('after: canceled');
  const { readFile } = await import('node:fs/promises');
  const token = (await readFile(`${world.folder}/handover`, 'utf8')).trim().split(' ').at(-1) ?? '';
  expect((await world.as(null)('GET', '/job', undefined, { 'job-token': token })).status).toBe(401);
});

test('a job may push to its own project when allowed; that starts no pipeline', async () => {
  const yaml = `push:
  script:
    - git -c user.name=ci -c user.email=ci@example.com commit -q --allow-empty -m by-job
    - git push -q origin HEAD:refs/heads/by-job
`;
  const refused = await project(yaml);
  const first = await outcome(refused.url);
  expect(first.states).toEqual({ push: 'failed' });
  expect(world.gitlab.jobLog(refused.path, first.jobs['push']?.id ?? 0)).toContain(
    'You are not allowed to upload code.',
  );
  const allowed = await project(yaml, (name) => world.gitlab.configureProject(name, { jobTokenPush: true }));
  expect((await outcome(allowed.url)).states).toEqual({ push: 'success' });
  expect((await call('GET', `${allowed.url}/pipelines`)).body).toHaveLength(1);
});

test('pipelines by API and by trigger token, with variables', async () => {
  const { path, url } = await project(
    'job: { script: ["echo got $GIVEN from $CI_PIPELINE_SOURCE"], rules: [{ if: $CI_PIPELINE_SOURCE != "push" }] }\n',
  );
  const made = await call('POST', `${url}/pipeline`, { ref: 'main', variables: [{ key: 'GIVEN', value: 'by-api' }] });
  expect([made.status, made.body.source]).toEqual([201, 'api']);
  const first = await outcome(url);
  expect(world.gitlab.jobLog(path, first.jobs['job']?.id ?? 0)).toContain('got by-api from api');
  const token = world.gitlab.createTriggerToken(path, 'sluice');
  const triggered = await world.as(null)('POST', `${url}/trigger/pipeline`, {
    token,
    ref: 'main',
    variables: { GIVEN: 'by-trigger' },
  });
  expect(triggered.status).toBe(201);
  const second = await outcome(url);
  expect(world.gitlab.jobLog(path, second.jobs['job']?.id ?? 0)).toContain('got by-trigger from trigger');
  expect((await world.as(null)('POST', `${url}/trigger/pipeline`, { token: 'glptt-wrong', ref: 'main' })).status).toBe(
    404,
  );
});

async function waitForJob(path: string, name: string): Promise<number> {
  for (;;) {
    const found = world.events.find(
      (event) => event.type === 'job' && event.project === path && event.name === name && event.status === 'running',
    );
    if (found?.type === 'job') return found.id;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function untilLogged(path: string, id: number, text: string): Promise<void> {
  while (!world.gitlab.jobLog(path, id).split('\n').includes(text))
    await new Promise((resolve) => setTimeout(resolve, 20));
}
