import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startWorld } from './gitlab-fixture.ts';
import type { Call, World } from './gitlab-fixture.ts';
import { projects } from './gitlab-project.ts';
import type { Projects } from './gitlab-project.ts';

/** Pipeline inputs and those of includes: what reaches the jobs, and what GitLab refuses with which words. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let world: World;
let call: Call;
let all: Projects;

beforeAll(async () => {
  world = await startWorld();
  call = world.as(world.gitlab.createUser('maintainer', { memberships: { ci: 40 } }).token);
  all = projects(world, call);
});
afterAll(async () => world.close());

const deploy = `
spec:
  inputs:
    app: { type: string, regex: '^[a-z]+$' }
    replicas: { type: number, default: 1, options: [1, 2] }
    dry: { type: boolean, default: false }
    hosts: { type: array, default: [] }
    level: { default: low, options: [low, high] }
---
workflow: { rules: [{ if: $CI_PIPELINE_SOURCE != "push" }] }
"deploy $[[ inputs.app ]]":
  variables: { DRY: '$[[ inputs.dry ]]', HOSTS: '($[[ inputs.hosts ]])', LEVEL: '$[[ inputs.level ]]!' }
  script: ["echo app $[[ inputs.app | truncate(0,3) ]] x$[[ inputs.replicas ]] dry $DRY hosts $HOSTS level $LEVEL"]
`;

test('inputs of POST pipeline, by type; interpolation alone and inside a text', async () => {
  const { path, url } = await all.create(deploy);
  const inputs = { app: 'podinfo', replicas: 2, dry: true, hosts: ['a', 'b'], level: 'high' };
  const made = await call('POST', `${url}/pipeline`, { ref: 'main', inputs });
  expect([made.status, made.body.source]).toEqual([201, 'api']);
  const { jobs } = await all.outcome(url);
  const log = world.gitlab.jobLog(path, jobs['deploy podinfo']?.id ?? 0);
  expect(log).toContain('app pod x2 dry true hosts (["a", "b"]) level high!');
});

test('refused inputs, in GitLab’s words; nothing is left behind', async () => {
  const { url } = await all.create(deploy);
  const refused = async (inputs: unknown) => {
    const { status, body } = await call('POST', `${url}/pipeline`, { ref: 'main', inputs });
    expect(status).toBe(400);
    return body.message?.base?.[0] ?? body.error;
  };
  const at = '`.gitlab-ci.yml`: ';
  expect(await refused({})).toBe(`${at}\`app\` input: required value has not been provided`);
  expect(await refused({ app: 'a', other: 1 })).toBe(`${at}unknown input arguments: other`);
  expect(await refused({ app: 'UPPER' })).toBe(
    `${at}\`app\` input: provided value does not match required RegEx pattern`,
  );
  expect(await refused({ app: 'a', replicas: 3 })).toBe(
    `${at}\`replicas\` input: \`3\` cannot be used because it is not in the list of the allowed options`,
  );
  expect(await refused({ app: 'a', level: 'mid' })).toBe(
    `${at}\`level\` input: \`mid\` cannot be used because it is not in the list of allowed options`,
  );
  expect(await refused({ app: 'a', dry: 'perhaps', hosts: 'x', replicas: 'many' })).toBe(
    `${at}\`replicas\` input: provided value is not a number, \`replicas\` input: \`many\` cannot be used because it is not in the list of the allowed options, \`dry\` input: provided value is not a boolean`,
  );
  expect(await refused([])).toBe('inputs is invalid');
  // The push itself gave no inputs: a mandatory one without default breaks such pipelines.
  const left = (await call('GET', `${url}/pipelines`)).body as { readonly source: string; readonly status: string }[];
  expect(left.map(({ source, status }) => [source, status])).toEqual([['push', 'failed']]);
});

test('a file without spec takes no inputs', async () => {
  const { url } = await all.create('job: { script: "true", rules: [{ if: $CI_PIPELINE_SOURCE == "api" }] }\n');
  const { status, body } = await call('POST', `${url}/pipeline`, { ref: 'main', inputs: { app: 'a' } });
  expect([status, body.message.base[0]]).toEqual([
    400,
    '`.gitlab-ci.yml`: Given inputs not defined in the `spec` section of the included configuration file',
  ]);
});

test('inputs by trigger token, as JSON and as form; a refusal is 422 and leaves a failed pipeline', async () => {
  const { path, url } = await all.create(deploy);
  const token = world.gitlab.createTriggerToken(path, 'deploy');
  const made = await world.as(null)('POST', `${url}/trigger/pipeline`, { token, ref: 'main', inputs: { app: 'json' } });
  expect([made.status, made.body.source]).toEqual([201, 'trigger']);
  const form = await fetch(`${world.gitlab.url}/api/v4${url}/trigger/pipeline`, {
    method: 'POST',
    body: new URLSearchParams({
      token,
      ref: 'main',
      'inputs[app]': 'form',
      'inputs[dry]': 'true',
      'inputs[hosts]': '["h"]',
    }),
  });
  expect(form.status).toBe(201);
  const { jobs } = await all.outcome(url);
  expect(world.gitlab.jobLog(path, jobs['deploy form']?.id ?? 0)).toContain('dry true hosts (["h"])');
  const refused = await world.as(null)('POST', `${url}/trigger/pipeline`, { token, ref: 'main', inputs: { no: 1 } });
  expect([refused.status, refused.body.message.base[0]]).toEqual([
    422,
    '`.gitlab-ci.yml`: unknown input arguments: no, `app` input: required value has not been provided',
  ]);
  expect((await all.outcome(url)).pipeline).toMatchObject({ status: 'failed', source: 'trigger' });
});

test('a text that is JSON: kept for an input of the type string, refused by GitLab 17.11', async () => {
  const yaml =
    'spec: { inputs: { change: { default: "" } } }\n---\nshow: { variables: { C: "$[[ inputs.change ]]" }, script: "echo got $C" }\n';
  const inputs = { change: '[{"app":"podinfo"}]' };
  const { path, url } = await all.create(yaml);
  expect((await call('POST', `${url}/pipeline`, { ref: 'main', inputs })).status).toBe(201);
  const { jobs } = await all.outcome(url);
  expect(world.gitlab.jobLog(path, jobs['show']?.id ?? 0)).toContain('got [{"app":"podinfo"}]');
  const old = await startWorld({ profile: '17.11' });
  try {
    const token = old.gitlab.createUser('maintainer', { memberships: { ci: 40 } }).token;
    const made = await projects(old, old.as(token)).create(yaml);
    const refused = await old.as(token)('POST', `${made.url}/pipeline`, { ref: 'main', inputs });
    expect([refused.status, refused.body.message.base[0]]).toEqual([
      400,
      '`.gitlab-ci.yml`: `change` input: provided value is not a string',
    ]);
    await old.gitlab.waitForPipelines();
  } finally {
    await old.close();
  }
});

const component = `
spec:
  inputs:
    who: { type: string }
    names: { type: array, default: [a] }
---
"greet $[[ inputs.who ]]": { script: ["echo hello $[[ inputs.who | expand_vars ]]", "echo names: '$[[ inputs.names ]]'"] }
`;

/** A project that includes a component, and what its pipeline said. */
async function including(
  entry: string,
): Promise<{ readonly errors: string | null; readonly names: readonly string[] }> {
  const { url } = await all.create(`include:\n  - ${entry}\n`);
  const { pipeline, states } = await all.outcome(url);
  const whole = await call('GET', `${url}/pipelines/${pipeline.id}`);
  return { errors: whole.body.yaml_errors, names: Object.keys(states) };
}

test('components by version, range, ~latest, tag, branch and commit', async () => {
  const host = world.gitlab.host;
  const file = (who: string) => new Map([['templates/greet.yml', `spec: {}\n---\n${who}: { script: "true" }\n`]]);
  const folderless = async (name: string, version: string) => {
    await world.gitlab.seed('components/many', file(name), `Release ${version}`, { pipeline: false, tag: version });
    await world.gitlab.publishVersion('components/many', version);
  };
  world.gitlab.createProject('components/many', { visibility: 'public' });
  for (const version of ['1.0.0', '1.2.0', '1.10.1', '2.0.0', '3.0.0-rc1']) await folderless(`v${version}`, version);
  const head = await world.gitlab.seed('components/many', file('branch'), 'next', { pipeline: false });
  const named = async (reference: string) =>
    (await including(`component: ${host}/components/many/greet@${reference}`)).names;
  expect(await named('1.0.0')).toEqual(['v1.0.0']);
  expect(await named('1')).toEqual(['v1.10.1']);
  expect(await named('1.2')).toEqual(['v1.2.0']);
  expect(await named('~latest')).toEqual(['v2.0.0']);
  expect(await named('3.0.0-rc1')).toEqual(['v3.0.0-rc1']);
  expect(await named('main')).toEqual(['branch']);
  expect(await named(head)).toEqual(['branch']);
  const missing = await including(`component: ${host}/components/many/greet@9`);
  expect(missing).toEqual({ errors: `Component '${host}/components/many/greet@9' - content not found`, names: [] });
});

test('inputs of a component: unknown, missing, of a wrong type, an empty array; variables', async () => {
  const host = world.gitlab.host;
  world.gitlab.createProject('components/tools', { visibility: 'public' });
  await world.gitlab.seed('components/tools', new Map([['templates/greet.yml', component]]), 'release', {
    tag: '1.0.0',
  });
  const address = `${host}/components/tools/greet@1.0.0`;
  const errors = async (inputs: string) => (await including(`component: ${address}\n    inputs: ${inputs}`)).errors;
  expect(await errors('{ who: world, how: loud }')).toBe(`\`${address}\`: unknown input arguments: how`);
  expect(await errors('{}')).toBe(`\`${address}\`: \`who\` input: required value has not been provided`);
  expect(await errors('{ who: w, names: w }')).toBe(`\`${address}\`: \`names\` input: provided value is not an array`);
  expect(await errors('{ who: w, names: [] }')).toBeNull();
  const { path, url } = await all.create(
    `include:\n  - component: $CI_SERVER_FQDN/components/tools/greet@1.0.0\n    inputs: { who: $CI_PROJECT_NAME }\n`,
  );
  const { jobs } = await all.outcome(url);
  const job = jobs['greet $CI_PROJECT_NAME'];
  expect(world.gitlab.jobLog(path, job?.id ?? 0)).toContain(`hello ${path.split('/')[1]}`);
  const latest = await including(`component: ${host}/components/tools/greet@~latest`);
  expect(latest.errors).toContain('The ~latest version reference is not supported for non-catalog resources');
});

test('two includes with jobs of one name are merged, the later one wins; the file itself wins over both', async () => {
  const { path, url } = await all.create('include: [one.yml, two.yml]\nsame: { variables: { B: file } }\n', undefined, {
    'one.yml': 'same: { script: "echo $A $B $C", variables: { A: one, B: one, C: one } }\n',
    'two.yml': 'same: { variables: { B: two, C: two } }\n',
  });
  const { jobs } = await all.outcome(url);
  expect(Object.keys(jobs)).toEqual(['same']);
  expect(world.gitlab.jobLog(path, jobs['same']?.id ?? 0)).toContain('one file two');
});

test('includes that are not there, or not for everybody', async () => {
  world.gitlab.createProject('secret/tools');
  await world.gitlab.seed(
    'secret/tools',
    new Map([
      ['templates/greet.yml', component],
      ['ci.yml', 'a: { script: "true" }'],
    ]),
    'first',
  );
  const host = world.gitlab.host;
  const errors = async (entry: string) => (await including(entry)).errors;
  expect(await errors('local: nowhere.yml')).toBe('Local file `nowhere.yml` does not exist!');
  expect(await errors('{ project: secret/none, file: ci.yml }')).toContain('not found or access denied!');
  expect(await errors(`component: ${host}/secret/none/greet@main`)).toBe(
    `Component '${host}/secret/none/greet@main' - content not found`,
  );
  // The first pusher is the instance's owner; a bot of one project sees no private other.
  const { path, url } = await all.create(`job: { script: "true" }\n`);
  const bot = world.gitlab.createToken(path, { name: 'bot', scopes: ['api'] }).token;
  const commit = await world.as(bot)('POST', `${url}/repository/commits`, {
    branch: 'bot',
    start_branch: 'main',
    commit_message: 'include',
    actions: [
      {
        action: 'update',
        file_path: '.gitlab-ci.yml',
        content: `include: [{ component: ${host}/secret/tools/greet@main }]\n`,
      },
    ],
  });
  expect(commit.status).toBe(201);
  const { pipeline } = await all.outcome(url);
  expect((await call('GET', `${url}/pipelines/${pipeline.id}`)).body.yaml_errors).toBe(
    `Component '${host}/secret/tools/greet@main' - project does not exist or you don't have sufficient permissions`,
  );
});

test('rules on includes; lint shows the whole file', async () => {
  const { url } = await all.create(
    'include:\n  - { local: a.yml, rules: [{ if: $CI_COMMIT_BRANCH == "main" && $CI_PROJECT_NAME =~ /^p/ }] }\n  - { local: b.yml, rules: [{ if: $NOPE, when: always }] }\n',
    undefined,
    { 'a.yml': 'a: { script: "true" }\n', 'b.yml': 'b: { script: "true" }\n' },
  );
  expect(Object.keys((await all.outcome(url)).states)).toEqual(['a']);
  const lint = await call('GET', `${url}/ci/lint`);
  expect(lint.body).toMatchObject({ valid: true });
  expect(lint.body.merged_yaml).toContain('"script"');
});

test('GitLab 17.11 knows neither the dashboard keys nor component headers nor posix_escape; 18.6 does', async () => {
  const files = {
    'escape.yml': 'spec: { inputs: { a: {} } }\n---\nb: { script: "echo $[[ inputs.a | posix_escape ]]" }\n',
    'dashboard.yml':
      'b: { script: "true", when: manual, environment: { name: x, kubernetes: { agent: "a:b", dashboard: { namespace: n } } } }\n',
    'header.yml': 'spec: { component: [name] }\n---\nb: { script: "true" }\n',
  };
  const old = await startWorld({ profile: '17.11' });
  try {
    const token = old.gitlab.createUser('maintainer', { memberships: { ci: 40 } }).token;
    const errorsOf = async (where: World, asked: Call, made: Projects, include: string) => {
      const { url } = await made.create(`include: [${include}]\n`, undefined, files);
      const { pipeline } = await made.outcome(url);
      await where.gitlab.waitForPipelines();
      return (await asked('GET', `${url}/pipelines/${pipeline.id}`)).body.yaml_errors as string | null;
    };
    const again = projects(old, old.as(token));
    const seen = async (include: string) => [
      await errorsOf(old, old.as(token), again, include),
      await errorsOf(world, call, all, include),
    ];
    expect(await seen('{ local: escape.yml, inputs: { a: b c } }')).toEqual([
      '`escape.yml`: no function matching `posix_escape`: check that the function name, arguments, and types are correct',
      null,
    ]);
    expect(await seen('dashboard.yml')).toEqual([
      'jobs:b:environment:kubernetes config contains unknown keys: dashboard',
      null,
    ]);
    const [header] = await seen('header.yml');
    expect(header).toBe('`header.yml`: header:spec config contains unknown keys: component');
  } finally {
    await old.close();
  }
});
