import { afterAll, beforeAll, expect, test } from 'vitest';
import { delivery, settings, updateOf } from './job-files.ts';
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
];

test.each(cases)('%s: one clear error, and nothing changes', (_, one) => expectRefusal(world, one));

test('a report folder that cannot be: said, and stdout still has its document', async () => {
  const before = await world.snapshot();
  const ran = await world.run(['publish', '--dry-run', '--report-dir', 'sluice.yaml/reports']);
  expect([ran.code, ran.document.fault]).toMatchObject([2, { code: 'file_unreadable' }]);
  expect(await world.snapshot()).toEqual(before);
});

test('no output, report, argument or file held a credential, and nothing was left behind', async () => {
  expect(await world.leaks()).toEqual([]);
});
