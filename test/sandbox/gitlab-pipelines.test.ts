import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startCi, type CiWorld } from './gitlab-project.ts';

/** Pipelines that really run, by gitlab-ci-local's shell executor. */

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let world: CiWorld['world'];
let call: CiWorld['call'];
let all: CiWorld['all'];

beforeAll(async () => {
  ({ world, call, all } = await startCi({ registry: { host: '127.0.0.1:5000' } }));
});
afterAll(async () => world.close());

test('stages, artifacts, dotenv, variables, masking, after_script, allowed exit codes', async () => {
  const { path, url, sha } = await all.create(
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
  const { pipeline, jobs, states } = await all.outcome(url);
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
  const { url } = await all.create(`
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
  const { pipeline, states } = await all.outcome(url);
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
  const { path, url } = await all.create(
    'workflow: { rules: [{ if: $CI_COMMIT_BRANCH == "release" }] }\njob: { script: "true" }\n',
  );
  await world.gitlab.waitForPipelines();
  expect((await call('GET', `${url}/pipelines`)).body).toEqual([]);
  await world.gitlab.seed(path, new Map([['a', 'a']]), 'release', { branch: 'release' });
  await world.gitlab.seed(path, new Map([['a', 'b']]), 'quiet [skip ci]', { branch: 'release' });
  expect((await all.outcome(url)).pipeline.ref).toBe('release');
  expect((await call('GET', `${url}/pipelines`)).body).toHaveLength(1);
});

test('rules:changes compares with the state before the push', async () => {
  const { path, url } = await all.create(
    'a: { script: "true", rules: [{ changes: [a/**] }] }\nb: { script: "true", rules: [{ changes: [b/**] }] }\n',
    undefined,
    { 'a/x': '1', 'b/x': '1' },
  );
  expect(Object.keys((await all.outcome(url)).states).toSorted()).toEqual(['a', 'b']);
  await world.gitlab.seed(path, new Map([['b/x', '2']]), 'second');
  expect(Object.keys((await all.outcome(url)).states)).toEqual(['b']);
});

test('a file that cannot be read: failed pipeline with yaml_errors and no jobs', async () => {
  const { url } = await all.create('job: { stage: nowhere, script: "true" }\n');
  const { pipeline, states } = await all.outcome(url);
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
  const { url, path } = await all.create(
    'include:\n  - component: $CI_SERVER_FQDN/components/tools/greet@1.0.0\n    inputs: { who: world }\n',
  );
  const { jobs, states } = await all.outcome(url);
  expect(states).toEqual({ 'greet world': 'success' });
  expect(world.gitlab.jobLog(path, jobs['greet world']?.id ?? 0)).toContain('hello world');
});

test('environments, protected variables, resource groups, deployments', async () => {
  const { path, url } = await all.create(
    `
.deploy: { script: ["echo $CI_ENVIRONMENT_NAME has $KEY and \${HIDDEN:-nothing}"], resource_group: shared }
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
  const { jobs, states } = await all.outcome(url);
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
  const again = await all.outcome(url);
  expect(world.gitlab.jobLog(path, again.jobs['staging']?.id ?? 0)).toContain('staging has for-all and nothing');
  expect((await call('GET', `${url}/resource_groups`)).body).toMatchObject([
    { key: 'shared', process_mode: 'unordered' },
  ]);
});
