import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { application, delivery, jobWorld, type JobWorld, type RunOptions, settings } from './job.ts';
import { expectFault } from './refused.ts';

let world: JobWorld;

beforeAll(async () => {
  world = await jobWorld();
  await world.version('1.0.0');
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** What a person gives, and what the answer must be. */
interface Case {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly without?: readonly string[];
  /** sluice.yaml that is named by --config. */
  readonly config?: string;
  readonly exit: number;
  readonly code: string;
  readonly message: RegExp;
  readonly hint: RegExp;
}

const update = (image = 'podinfo:2.0.0', more: readonly string[] = []) => [
  'update',
  '--delivery',
  delivery,
  '--app',
  'podinfo',
  '--environment',
  'staging',
  '--image',
  image,
  '--no-verify-image',
  ...more,
];
const closedPort = 'http://127.0.0.1:9';

const cases: readonly (readonly [string, Case])[] = [
  // Usage
  [
    'an unknown flag, with the nearest',
    {
      args: ['publish', '--enviroment', 'staging'],
      exit: 2,
      code: 'usage',
      message: /--enviroment.*--environment/s,
      hint: /--help/,
    },
  ],
  [
    'an argument too many',
    { args: ['publish', 'staging'], exit: 2, code: 'usage', message: /staging/, hint: /--help/ },
  ],
  [
    'a time that is none',
    { args: ['sync', '--timeout', 'soon'], exit: 2, code: 'usage', message: /"soon" is no duration/, hint: /--help/ },
  ],
  [
    'a variable that is no boolean',
    {
      args: ['sync'],
      env: { SLUICE_DRY_RUN: 'perhaps' },
      exit: 2,
      code: 'usage',
      message: /SLUICE_DRY_RUN: "perhaps"/,
      hint: /--help/,
    },
  ],
  [
    'nothing to change',
    {
      args: ['update', '--delivery', delivery, '--app', 'podinfo', '--environment', 'staging'],
      exit: 2,
      code: 'usage',
      message: /--image/,
      hint: /./,
    },
  ],
  [
    'no app',
    {
      args: ['update', '--delivery', delivery, '--environment', 'staging', '--image', 'podinfo:2.0.0'],
      exit: 2,
      code: 'usage',
      message: /--app is missing/,
      hint: /SLUICE_APP/,
    },
  ],
  [
    'an image that is none, with the position',
    {
      args: update('Podinfo:2.0.0'),
      exit: 2,
      code: 'image_reference',
      message: /Podinfo:2\.0\.0.*character 1\b/s,
      hint: /NAME\[:TAG\]/,
    },
  ],
  [
    'an image with a blank in its tag',
    { args: update('podinfo:2 0'), exit: 2, code: 'image_reference', message: /podinfo:2 0.*character 10/s, hint: /./ },
  ],
  [
    'a delivery repository that is no place',
    {
      args: [
        'update',
        '--delivery',
        'not a place',
        '--app',
        'podinfo',
        '--environment',
        'staging',
        '--image',
        'podinfo:2',
      ],
      exit: 2,
      code: 'usage',
      message: /not a place/,
      hint: /shop\/delivery/,
    },
  ],
  // sluice.yaml
  [
    'no sluice.yaml',
    {
      args: ['publish', '--config', 'nowhere.yaml'],
      exit: 2,
      code: 'config_missing',
      message: /nowhere\.yaml/,
      hint: /sluice\.yaml/,
    },
  ],
  [
    'YAML that cannot be parsed',
    {
      args: ['publish'],
      config: 'version: 1\napps: [\n',
      exit: 2,
      code: 'config_invalid',
      message: /\.yaml:\d+:\d+/,
      hint: /schema/,
    },
  ],
  [
    'an unknown key, with place and nearest',
    {
      args: ['sync'],
      config: settings.replace('promote_from', 'promot_from'),
      exit: 2,
      code: 'config_invalid',
      message: /\.yaml:4:\d+.*promot_from.*promote_from/s,
      hint: /schema/,
    },
  ],
  [
    'an unknown app, with the nearest',
    {
      args: ['publish', '--app', 'podinfoo'],
      exit: 2,
      code: 'unknown_app',
      message: /podinfoo.*podinfo\b/s,
      hint: /./,
    },
  ],
  [
    'an unknown environment, with the nearest',
    {
      args: ['sync', '--environment', 'stagging'],
      exit: 2,
      code: 'unknown_environment',
      message: /stagging.*staging\b/s,
      hint: /./,
    },
  ],
  [
    'an unknown app in update',
    { args: [...update(), '--app', 'podinf'], exit: 2, code: 'unknown_app', message: /podinf\b.*podinfo/s, hint: /./ },
  ],
  [
    'an image that no manifest holds',
    { args: update('postgres:17'), exit: 2, code: 'target_missing', message: /postgres/, hint: /./ },
  ],
  [
    'a commit that is not here',
    {
      args: ['publish', '--commit', 'f'.repeat(40)],
      exit: 2,
      code: 'commit_missing',
      message: /f{40}/,
      hint: /GIT_DEPTH/,
    },
  ],
  [
    'a result of publish that is none',
    { args: ['sync', '--published', 'sluice.yaml'], exit: 2, code: 'usage', message: /sluice\.yaml/, hint: /./ },
  ],
  [
    'a result of publish that is missing',
    {
      args: ['sync', '--published', 'gone.json'],
      exit: 2,
      code: 'file_missing',
      message: /gone\.json/,
      hint: /publish/,
    },
  ],
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

test.each(cases)('%s: one clear error, and nothing changes', async (_, one) => {
  const before = await world.snapshot();
  const args = [...one.args];
  if (one.config !== undefined) {
    const folder = join(world.folder, 'settings');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'own.yaml'), one.config);
    args.push('--config', join(folder, 'own.yaml'));
  }
  const ofApplication = one.args[0] === 'update' ? { CI_PROJECT_PATH: application, CI_COMMIT_SHA: world.origin } : {};
  const options: RunOptions = {
    env: { ...ofApplication, ...one.env },
    ...(one.without ? { without: one.without } : {}),
  };
  const ran = await world.run(args, options);
  expectFault(ran, one);
  expect(await world.snapshot()).toEqual(before);
});

test('no output, report, argument or file held a credential, and nothing was left behind', async () => {
  expect(await world.leaks()).toEqual([]);
});
