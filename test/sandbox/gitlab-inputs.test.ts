import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startCi, type CiWorld } from './gitlab-project.ts';

/** Pipeline inputs: what reaches the jobs, and what GitLab refuses with which words. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let world: CiWorld['world'];
let call: CiWorld['call'];
let all: CiWorld['all'];

beforeAll(async () => {
  ({ world, call, all } = await startCi());
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
  const old = await startCi({ profile: '17.11' });
  try {
    const made = await old.all.create(yaml);
    const refused = await old.call('POST', `${made.url}/pipeline`, { ref: 'main', inputs });
    expect([refused.status, refused.body.message.base[0]]).toEqual([
      400,
      '`.gitlab-ci.yml`: `change` input: provided value is not a string',
    ]);
    await old.world.gitlab.waitForPipelines();
  } finally {
    await old.world.close();
  }
});
