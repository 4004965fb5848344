import { afterAll, beforeAll, expect, test } from 'vitest';
import { updateOf } from './job-files.ts';
import { jobWorld, type JobWorld } from './job.ts';
import { type Case, expectRefusal } from './refused.ts';

let world: JobWorld;

beforeAll(async () => {
  world = await jobWorld();
  await world.version('1.0.0');
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const update = (image = 'podinfo:2.0.0') => updateOf(image, '--no-verify-image');
const closedPort = 'http://127.0.0.1:9';

const cases: readonly (readonly [string, Case])[] = [
  // Programs
  [
    'git is not installed (update)',
    {
      args: update(),
      without: ['git'],
      exit: 2,
      code: 'tool_missing',
      message: /git is not installed/,
      hint: /[Ii]nstall git/,
    },
  ],
  [
    'git is not installed (publish)',
    {
      args: ['publish'],
      without: ['git'],
      exit: 2,
      code: 'tool_missing',
      message: /git is not installed/,
      hint: /[Ii]nstall git/,
    },
  ],
  [
    'oras is not installed',
    {
      args: ['publish', '--environment', 'staging'],
      without: ['oras'],
      exit: 2,
      code: 'tool_missing',
      message: /oras is not installed/,
      hint: /oras\.land/,
    },
  ],
  [
    'kustomize is not installed',
    {
      args: ['publish', '--environment', 'staging'],
      without: ['kustomize'],
      exit: 2,
      code: 'tool_missing',
      message: /kustomize is not installed/,
      hint: /kustomize/,
    },
  ],
  // Credentials
  [
    'no token (update)',
    {
      args: update(),
      env: { SLUICE_GITLAB_TOKEN: '' },
      exit: 7,
      code: 'token_missing',
      message: /token/,
      hint: /SLUICE_GITLAB_TOKEN/,
    },
  ],
  [
    'no token (sync)',
    {
      args: ['sync', '--environment', 'staging'],
      env: { SLUICE_GITLAB_TOKEN: '' },
      exit: 7,
      code: 'token_missing',
      message: /SLUICE_GITLAB_TOKEN/,
      hint: /CI\/CD variable/,
    },
  ],
  [
    'a wrong token (update)',
    {
      args: update(),
      env: { SLUICE_GITLAB_TOKEN: 'glpat-wrongwrongwrong' },
      exit: 7,
      code: 'token_refused',
      message: /shop\/delivery/,
      hint: /write_repository/,
    },
  ],
  [
    'a wrong token (sync)',
    {
      args: ['sync', '--environment', 'staging'],
      env: { SLUICE_GITLAB_TOKEN: 'glpat-wrongwrongwrong' },
      exit: 7,
      code: 'token_refused',
      message: /401/,
      hint: /./,
    },
  ],
  [
    'no registry credentials',
    {
      args: ['publish', '--environment', 'staging'],
      env: { CI_REGISTRY_USER: '', CI_REGISTRY_PASSWORD: '' },
      exit: 7,
      code: 'token_refused',
      message: /localhost/,
      hint: /REGISTRY/,
    },
  ],
  [
    'a wrong registry password',
    {
      args: ['publish', '--environment', 'staging'],
      env: { CI_REGISTRY_PASSWORD: 'wrong-password' },
      exit: 7,
      code: 'token_refused',
      message: /localhost/,
      hint: /REGISTRY/,
    },
  ],
  // Places that do not answer
  [
    'GitLab does not answer (update)',
    {
      args: [...update(), '--timeout', '3s'],
      env: { CI_SERVER_URL: closedPort },
      exit: 6,
      code: 'git_unavailable',
      message: /127\.0\.0\.1:9/,
      hint: /again/,
    },
  ],
  [
    'GitLab does not answer (repair)',
    {
      args: ['sync', '--repair', '--environment', 'staging', '--timeout', '3s'],
      env: { CI_SERVER_URL: closedPort, CI_API_V4_URL: `${closedPort}/api/v4` },
      exit: 6,
      code: 'gitlab_unavailable',
      message: /127\.0\.0\.1:9/,
      hint: /again/,
    },
  ],
  [
    'the registry does not answer',
    {
      args: ['publish', '--environment', 'staging', '--timeout', '3s'],
      env: { CI_REGISTRY: 'localhost:9', CI_REGISTRY_IMAGE: 'localhost:9/shop/delivery' },
      exit: 6,
      code: 'registry_unavailable',
      message: /localhost:9/,
      hint: /again/,
    },
  ],
];

test.each(cases)('%s: one clear error, and nothing changes', (_, one) => expectRefusal(world, one));

test('no output, report, argument or file held a credential, and nothing was left behind', async () => {
  expect(await world.leaks()).toEqual([]);
});
