import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startCi, type CiWorld } from './gitlab-project.ts';

/** Includes: where they come from, for whom, with which inputs; what GitLab refuses with which words. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let world: CiWorld['world'];
let call: CiWorld['call'];
let all: CiWorld['all'];

beforeAll(async () => {
  ({ world, call, all } = await startCi());
});
afterAll(async () => world.close());

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
  const old = await startCi({ profile: '17.11' });
  try {
    const errorsOf = async (ci: Pick<CiWorld, 'call' | 'all'>, include: string) => {
      const { url } = await ci.all.create(`include: [${include}]\n`, undefined, files);
      const { pipeline } = await ci.all.outcome(url);
      return (await ci.call('GET', `${url}/pipelines/${pipeline.id}`)).body.yaml_errors as string | null;
    };
    const seen = async (include: string) => [await errorsOf(old, include), await errorsOf({ call, all }, include)];
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
    await old.world.close();
  }
});

test('a pipeline that a job token starts: of the source pipeline, and without any component', async () => {
  world.gitlab.createProject('components/open', { visibility: 'public' });
  await world.gitlab.seed('components/open', new Map([['templates/greet.yml', component]]), 'first', { tag: '1.0.0' });
  const address = `${world.gitlab.host}/components/open/greet@1.0.0`;
  const rules = 'rules: [{ if: $CI_PIPELINE_SOURCE == "pipeline" }]';
  const plain = await all.create(`job: { script: "echo from $WHO", ${rules} }\n`);
  const withComponent = await all.create(`include: [{ component: ${address}, inputs: { who: me } }]\n`);
  for (const { path } of [plain, withComponent]) world.gitlab.configureProject(path, { jobTokenAllowlist: ['ci'] });
  const start = [
    'const { CI_API_V4_URL: api, CI_JOB_TOKEN: token } = process.env;',
    'for (const project of process.argv.slice(2)) {',
    '  const body = new URLSearchParams({ token, ref: "main", "variables[WHO]": "me" });',
    '  const answer = await fetch(`${api}${project}/trigger/pipeline`, { method: "POST", body });',
    '  console.log(answer.status, await answer.text());',
    '}',
  ].join('\n');
  const sender = await all.create(`go: { script: "node start.mjs ${plain.url} ${withComponent.url}" }\n`, undefined, {
    'start.mjs': start,
  });
  const { jobs } = await all.outcome(sender.url);
  const made = await all.outcome(plain.url);
  expect(made.pipeline.source).toBe('pipeline');
  expect(world.gitlab.jobLog(plain.path, made.jobs['job']?.id ?? 0)).toContain('from me');
  expect(world.gitlab.jobLog(sender.path, jobs['go']?.id ?? 0)).toContain(
    `Component '${address}' - project does not exist or you don't have sufficient permissions`,
  );
});
