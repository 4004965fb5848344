import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { GitLabEvent } from '../../sandbox/gitlab/handle.ts';
import { paths } from '../../sandbox/seed.ts';
import { ensureBuilt } from './cli.ts';
import { openWorld, type StoryWorld } from './parts.ts';

/** What a user sees of includes that cannot work, and of jobs that lack what they need. */

let world: StoryWorld;
let version: string;
let release: string;
const events: GitLabEvent[] = [];
let count = 0;

beforeAll(async () => {
  await ensureBuilt();
  world = await openWorld({ clusters: [] });
  world.gitlab.on((event) => void events.push(event));
  ({ version } = JSON.parse(await readFile(join(world.root, 'package.json'), 'utf8')) as { version: string });
  const commits = (await api(`/projects/${encodeURIComponent(paths.component)}/repository/commits`)) as {
    id: string;
  }[];
  release = commits[0]!.id;
});
afterAll(() => world[Symbol.asyncDispose]());

async function api(path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(`${world.gitlab.url}/api/v4${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'private-token': world.person.token, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

type Inputs = Readonly<Record<string, unknown>>;
const include = (name: string, inputs: Inputs, at = version) => ({
  component: `$CI_SERVER_FQDN/${paths.component}/${name}@${at}`,
  inputs,
});

interface Outcome {
  /** Why the pipeline has no jobs. */
  readonly errors: string | null;
  readonly jobs: Readonly<Record<string, { readonly exit: number | null; readonly log: string }>>;
}

/** Pushes a configuration to a project of its own and tells what came of it. */
async function push(includes: readonly unknown[], more = '', files: Readonly<Record<string, string>> = {}) {
  const project = `shop/case-${(count += 1)}`;
  world.gitlab.createProject(project);
  const content = `${stringify({ include: includes })}${more}`;
  const from = events.length;
  await world.gitlab.seed(project, new Map(Object.entries({ ...files, '.gitlab-ci.yml': content })), 'Start');
  return { project, outcome: await outcome(from) };
}

async function outcome(from: number): Promise<Outcome> {
  await world.gitlab.waitForPipelines();
  const happened = events.slice(from);
  const errors = happened.flatMap((event) => (event.type === 'pipeline' ? (event.yamlErrors ?? []) : []));
  const jobs = happened.flatMap((event) =>
    event.type === 'job' && ['success', 'failed', 'manual'].includes(event.status)
      ? [[event.name, { exit: event.exitCode, log: world.gitlab.jobLog(event.project, event.id) }] as const]
      : [],
  );
  return { errors: errors[0] ?? null, jobs: Object.fromEntries(jobs) };
}

const update: Inputs = { app: 'podinfo', delivery: paths.delivery };

describe('GitLab refuses the include, and says which input and why', () => {
  test.each<[string, string, Inputs, string]>([
    [
      'an input that does not exist',
      'update',
      { ...update, envronment: 'staging' },
      'unknown input arguments: envronment',
    ],
    ['a missing input', 'update', { app: 'podinfo' }, '`delivery` input: required value has not been provided'],
    [
      'a text for a list',
      'publish',
      { environment: 'staging', needs: 'scan' },
      '`needs` input: provided value is not an array',
    ],
    [
      'a text for a boolean',
      'update',
      { ...update, wait: 'sometimes' },
      '`wait` input: provided value is not a boolean',
    ],
    [
      'a value outside the options',
      'deliver',
      { environment: 'staging', publish: 'never' },
      '`publish` input: `never` cannot be used because it is not in the list of allowed options',
    ],
    [
      'a name with a command in it',
      'deliver',
      { environment: '$(id)' },
      '`environment` input: provided value does not match required RegEx pattern',
    ],
    [
      'a duration that is none',
      'sync',
      { environment: 'staging', timeout: 'soon' },
      '`timeout` input: provided value does not match required RegEx pattern',
    ],
  ])('%s', async (_, name, inputs, words) => {
    const { outcome: seen } = await push([include(name, inputs)]);
    expect(seen.errors).toContain(words);
    expect(seen.jobs).toEqual({});
  });

  test('no rule at all', async () => {
    const { outcome: seen } = await push([include('update', { ...update, rules: [] })]);
    expect(seen).toMatchObject({ jobs: {} });
    expect(seen.errors).toMatch(/rules/);
  });

  test.each([
    ['a version that was never released', '9.9.9', 'content not found'],
    ['a branch that is not there', 'nowhere', 'content not found'],
  ])('%s', async (_, at, words) => {
    const { outcome: seen } = await push([include('update', update, at)]);
    expect(seen.errors).toContain(words);
  });
});

test('by version, branch and commit: the same jobs, with the image of the release', async () => {
  for (const at of [version, 'main', release]) {
    const { outcome: seen } = await push([
      include('publish', { environment: 'staging', rules: [{ if: '$NEVER' }] }, at),
    ]);
    expect([at, seen.errors]).toEqual([at, null]);
    const content = stringify({ include: [include('publish', { environment: 'staging' }, at)] });
    const lint = (await api(`/projects/${encodeURIComponent(`shop/case-${count}`)}/ci/lint`, { content })) as {
      valid: boolean;
      merged_yaml: string;
    };
    expect([at, lint.valid]).toEqual([at, true]);
    expect(lint.merged_yaml).toContain(`registry.gitlab.com/sluice/sluice:${version}`);
  }
});

/** The jobs of a configuration, as GitLab's lint merges it. */
async function merged(includes: readonly unknown[], more = ''): Promise<Readonly<Record<string, Job>>> {
  const { project } = await push([include('update', { ...update, rules: [{ if: '$NEVER' }] })]);
  const content = `${stringify({ include: includes })}${more}`;
  const lint = (await api(`/projects/${encodeURIComponent(project)}/ci/lint`, { content })) as { merged_yaml: string };
  return parse(lint.merged_yaml, { merge: true }) as Record<string, Job>;
}

interface Job {
  readonly script: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

test('two includes of one component: the last of two jobs with one name stays, names of their own keep both', async () => {
  const twice = (fields: Inputs) => [
    include('update', update),
    include('update', { ...update, environment: 'production', ...fields }),
  ];
  const environments = (jobs: Readonly<Record<string, Job>>) =>
    Object.entries(jobs).flatMap(([name, job]) =>
      job.script === undefined ? [] : [[name, job.variables['SLUICE_ENVIRONMENT']]],
    );
  expect(environments(await merged(twice({})))).toEqual([['sluice update', 'production']]);
  expect(environments(await merged(twice({ job_name: 'to production' })))).toEqual([
    ['sluice update', 'staging'],
    ['to production', 'production'],
  ]);
});

test('a job of one’s own under the component’s name changes what it says, and the rest stays', async () => {
  const own = 'sluice update: { variables: { SLUICE_LABEL: mine } }\n';
  const jobs = await merged([include('update', update)], own);
  expect(jobs['sluice update']).toMatchObject({
    script: ['sluice update'],
    variables: { SLUICE_LABEL: 'mine', SLUICE_APP: 'podinfo' },
  });
});

test('only a remote failure is tried again: exit code 6 twice, exit code 7 not', async () => {
  const exits = async (inputs: Inputs, more = '') => {
    const from = events.length;
    await push([include('update', { ...update, no_verify_image: true, ...inputs })], more);
    return events
      .slice(from)
      .flatMap((event) => (event.type === 'job' && event.exitCode !== null ? [event.exitCode] : []));
  };
  const token = 'variables: { SLUICE_GIT_TOKEN: some-token }\n';
  expect(await exits({ delivery: 'http://127.0.0.1:9/shop/delivery.git' }, token)).toEqual([6, 6, 6]);
  expect(await exits({})).toEqual([7]);
});

describe('a job without what it needs ends with 7, and says what to store where', () => {
  test('update without a token', async () => {
    const { outcome: seen } = await push([include('update', { ...update, no_verify_image: true })]);
    const job = seen.jobs['sluice update']!;
    expect(job.exit).toBe(7);
    expect(job.log).toContain('no token to push to shop/delivery');
    expect(job.log).toContain('Set SLUICE_GIT_TOKEN (write_repository) or SLUICE_GITLAB_TOKEN (api)');
  });

  test('a pipeline of a merge request whose branch is not protected, as from a fork: no protected variable is there', async () => {
    const rules = [{ if: '$CI_PIPELINE_SOURCE == "merge_request_event"' }];
    const { project } = await push([include('update', { ...update, rules, no_verify_image: true })]);
    const bot = world.gitlab.createToken(project, { name: 'sluice', scopes: ['api'], accessLevel: 40 });
    world.gitlab.setVariable(project, { key: 'SLUICE_GITLAB_TOKEN', value: bot.token, masked: true, protected: true });
    const from = events.length;
    await world.gitlab.seed(project, new Map([['note.txt', 'x']]), 'Change', { branch: 'feature', pipeline: false });
    await api(`/projects/${encodeURIComponent(project)}/merge_requests`, {
      source_branch: 'feature',
      target_branch: 'main',
      title: 'Change',
    });
    const job = (await outcome(from)).jobs['sluice update']!;
    expect(job.exit).toBe(7);
    expect(job.log).toContain('no token to push to shop/delivery');
    expect(job.log).not.toContain(bot.token);
  });

  test('by default nothing runs in a merge request, so that a fork’s pipeline is not red', async () => {
    const { project } = await push([include('update', { ...update, rules: [{ if: '$NEVER' }] })]);
    await world.gitlab.seed(
      project,
      new Map([
        [
          '.gitlab-ci.yml',
          stringify({ include: [include('update', update), include('deliver', { environment: 'staging' })] }),
        ],
      ]),
      'Defaults',
      { branch: 'feature', pipeline: false },
    );
    const from = events.length;
    await api(`/projects/${encodeURIComponent(project)}/merge_requests`, {
      source_branch: 'feature',
      target_branch: 'main',
      title: 'Change',
    });
    expect((await outcome(from)).jobs).toEqual({});
  });
});
