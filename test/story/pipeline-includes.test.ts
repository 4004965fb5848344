import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GitLabServer } from '../../sandbox/gitlab/handle.ts';
import { startGitLab } from '../../sandbox/gitlab/server.ts';

/** What a user sees who includes the components wrongly, or in one of the many right ways. */

let folder: string;
let gitlab: GitLabServer;
let token: string;
let commit: string;
const component = 'sluice/sluice';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-includes-'));
  gitlab = await startGitLab({ folder: join(folder, 'gitlab'), env: { PATH: process.env['PATH'] ?? '' } });
  await cp(join(import.meta.dirname, '..', '..', 'templates'), join(folder, 'component', 'templates'), {
    recursive: true,
  });
  commit = await gitlab.publishComponent(component, join(folder, 'component'), '1.4.2');
  gitlab.createProject('shop/podinfo');
  await gitlab.seed('shop/podinfo', new Map([['README.md', '# podinfo\n']]), 'Start', { pipeline: false });
  token = gitlab.createUser('dev', { memberships: { shop: 40 } }).token;
});
afterAll(async () => {
  await gitlab.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

interface Lint {
  readonly valid: boolean;
  readonly errors: readonly string[];
  readonly merged_yaml: string;
}

/** GitLab's answer to a configuration (`POST /ci/lint`). */
async function lint(content: string): Promise<Lint> {
  const answer = await fetch(`${gitlab.url}/api/v4/projects/shop%2Fpodinfo/ci/lint`, {
    method: 'POST',
    headers: { 'private-token': token, 'content-type': 'application/json' },
    body: JSON.stringify({ content }),
  });
  return (await answer.json()) as Lint;
}

const address = (name: string, version = '1.4.2') => `${gitlab.host}/${component}/${name}@${version}`;
const include = (name: string, inputs: string, version?: string) =>
  `  - component: ${address(name, version)}\n    inputs: ${inputs}\n`;

/** Jobs of a valid configuration, with their keys. */
async function jobs(content: string): Promise<Readonly<Record<string, Readonly<Record<string, unknown>>>>> {
  const { valid, errors, merged_yaml: text } = await lint(content);
  expect(errors).toEqual([]);
  expect(valid).toBe(true);
  const known = JSON.parse(text) as Record<string, Record<string, unknown>>;
  return Object.fromEntries(Object.entries(known).filter(([name]) => !name.startsWith('.') && name !== 'stages'));
}

const good = '{ app: podinfo, delivery: shop/delivery }';

test.each([
  ['unknown', '{ app: podinfo, delivery: shop/delivery, enviroment: staging }', 'unknown input arguments: enviroment'],
  ['missing', '{ delivery: shop/delivery }', '`app` input: required value has not been provided'],
  ['wrong type', '{ app: a, delivery: shop/delivery, wait: perhaps }', '`wait` input: provided value is not a boolean'],
  ['a text for a list', '{ app: a, delivery: b/c, rules: always }', '`rules` input: provided value is not an array'],
  [
    'none of the options',
    '{ app: a, delivery: shop/delivery, mode: pushy }',
    '`mode` input: `pushy` cannot be used because it is not in the list of allowed options',
  ],
])('an input that is %s: GitLab names the component and the input', async (_, inputs, says) => {
  const { valid, errors } = await lint(`include:\n${include('update', inputs)}`);
  expect(valid).toBe(false);
  expect(errors).toEqual([`\`${address('update')}\`: ${says}`]);
});

test('a component, a version or a project that is not there', async () => {
  const errors = async (name: string, version?: string) =>
    (await lint(`include:\n${include(name, good, version)}`)).errors;
  expect(await errors('updat')).toEqual([`Component '${address('updat')}' - content not found`]);
  expect(await errors('update', '9')).toEqual([`Component '${address('update', '9')}' - content not found`]);
  const other = `${gitlab.host}/sluice/none/update@1.4.2`;
  expect((await lint(`include: [{ component: ${other} }]\n`)).errors).toEqual([
    `Component '${other}' - content not found`,
  ]);
});

test.each(['1.4.2', '1.4', '1', '~latest', 'main', 'commit'])('included by %s: the same jobs', async (version) => {
  const named = version === 'commit' ? commit : version;
  expect(Object.keys(await jobs(`include:\n${include('update', good, named)}`))).toEqual(['sluice update']);
  const both = `include:\n${include('deliver', '{ environment: staging }', named)}${include('deliver', '{ environment: production }', named)}`;
  expect(Object.keys(await jobs(both)).toSorted()).toEqual([
    'sluice publish production',
    'sluice publish staging',
    'sluice sync production',
    'sluice sync staging',
  ]);
});

test('the same template twice: one job with the later one’s inputs, unless the jobs are named apart', async () => {
  const of = (app: string, more = '') => include('update', `{ app: ${app}, delivery: shop/delivery${more} }`);
  const merged = await jobs(`include:\n${of('one')}${of('two')}`);
  expect(Object.keys(merged)).toEqual(['sluice update']);
  expect(merged['sluice update']?.['variables']).toMatchObject({ SLUICE_APP: 'two' });
  const apart = await jobs(`include:\n${of('one')}${of('two', ', job_name: second update')}`);
  expect(Object.keys(apart).toSorted()).toEqual(['second update', 'sluice update']);
});

test('a job of the project’s own with a component’s name goes over it, key by key', async () => {
  const merged = await jobs(`include:\n${include('update', good)}sluice update: { when: manual, tags: [own] }\n`);
  expect(merged['sluice update']).toMatchObject({ when: 'manual', tags: ['own'], script: ['sluice update'] });
});

test('a list of rules that is empty is refused, and the job named', async () => {
  const yaml = `include:\n${include('update', '{ app: podinfo, delivery: shop/delivery, rules: [] }')}`;
  await gitlab.seed('shop/podinfo', new Map([['.gitlab-ci.yml', yaml]]), 'Include', { pipeline: false });
  const answer = await fetch(`${gitlab.url}/api/v4/projects/shop%2Fpodinfo/pipeline`, {
    method: 'POST',
    headers: { 'private-token': token, 'content-type': 'application/json' },
    body: JSON.stringify({ ref: 'main' }),
  });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toEqual({ message: { base: ["jobs:sluice update:rules config can't be blank"] } });
});

test('a private component project: a pipeline that a project’s bot started cannot read it', async () => {
  await gitlab.publishComponent('hidden/sluice', join(folder, 'component'), '1.4.2');
  gitlab.configureProject('hidden/sluice', { visibility: 'private' });
  const own = `${gitlab.host}/hidden/sluice/update@1.4.2`;
  const bot = gitlab.createToken('shop/podinfo', { name: 'bot', scopes: ['api'], accessLevel: 40 }).token;
  const answer = await fetch(`${gitlab.url}/api/v4/projects/shop%2Fpodinfo/ci/lint`, {
    method: 'POST',
    headers: { 'private-token': bot, 'content-type': 'application/json' },
    body: JSON.stringify({ content: `include: [{ component: ${own}, inputs: ${good} }]\n` }),
  });
  expect(((await answer.json()) as Lint).errors).toEqual([
    `Component '${own}' - project does not exist or you don't have sufficient permissions`,
  ]);
});
