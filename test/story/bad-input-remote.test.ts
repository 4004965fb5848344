import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { application, claim, delivery, manifests, settings, updateOf } from './job-files.ts';
import { jobWorld, type JobWorld } from './job.ts';
import { expectFault, expectReports, type Expected } from './refused.ts';

let world: JobWorld;
let version = 1;

beforeAll(async () => {
  world = await jobWorld();
  await world.version('1.0.0');
  const first = await world.run(['publish', '--environment', 'staging']);
  if (first.code !== 0) throw new Error(first.stderr);
});
afterEach(() => {
  world.registry.faults.clear();
  world.gitlab.setFaults({});
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const ofApplication = () => ({ CI_PROJECT_PATH: application, CI_COMMIT_SHA: world.origin });
const unverified = () => updateOf(`${world.host}/shop/podinfo:2.0.0`, '--no-verify-image');

/** A new version whose artifact is not there yet. */
const next = () => world.version(`1.${(version += 1)}.0`);

async function expectUnchanged(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  expected: Expected,
): Promise<void> {
  const before = await world.snapshot();
  const ran = await world.run(args, { env });
  expectFault(ran, expected);
  expect(await world.snapshot()).toEqual(before);
}

describe('tokens that GitLab refuses', () => {
  test.each([
    ['a token that only reads', 'read_api', {}],
    ['a token that only reads the repository', 'read_repository', {}],
    ['an expired token', 'api', { expiresAt: '2020-01-01' }],
    ['a token of a guest', 'api', { accessLevel: 10 as const }],
  ])('%s (update)', async (_, scope, fields) => {
    await expectUnchanged(
      unverified(),
      { ...ofApplication(), SLUICE_GITLAB_TOKEN: world.token([scope], fields) },
      {
        exit: 7,
        code: 'token_refused',
        message: /shop\/delivery/,
        hint: /write_repository/,
      },
    );
  });

  test.each([
    ['an expired token', 'api', { expiresAt: '2020-01-01' }, /401/],
    ['a token that only reads', 'read_api', {}, /403/],
  ])('%s (sync)', async (_, scope, fields, message) => {
    const env = { SLUICE_GITLAB_TOKEN: world.token([scope], fields) };
    const before = await world.snapshot();
    const ran = await world.run(['sync', '--environment', 'staging', '--timeout', '60s'], { env });
    expectFault(ran, { exit: 7, code: 'token_refused', message, hint: /./ });
    const after = await world.snapshot();
    expect(after).toMatchObject({ ...(before as object), changes: expect.any(Number) });
  });

  test('a revoked token', async () => {
    const token = world.token(['api']);
    world.gitlab.revokeToken(token);
    await expectUnchanged(
      unverified(),
      { ...ofApplication(), SLUICE_GITLAB_TOKEN: token },
      {
        exit: 7,
        code: 'token_refused',
        message: /shop\/delivery/,
        hint: /write_repository/,
      },
    );
  });

  test('a push that the protected branch refuses', async () => {
    world.gitlab.protectBranch(delivery, 'main', { push: 0 });
    await expectUnchanged(unverified(), ofApplication(), {
      exit: 3,
      code: 'push_refused',
      message: /protected branch/i,
      hint: /merge-request/,
    });
    world.gitlab.protectBranch(delivery, 'main', { push: 40 });
  });
});

describe('a registry that refuses', () => {
  beforeAll(async () => {
    await next();
  });
  const manifest = /\/manifests\//;
  test.each([
    [401, 'UNAUTHORIZED', 7, 'token_refused', /./],
    [403, 'DENIED', 7, 'token_refused', /./],
    [500, 'UNKNOWN', 6, 'registry_unavailable', /again/],
    [429, 'TOOMANYREQUESTS', 6, 'registry_unavailable', /again/],
    [400, 'MANIFEST_INVALID', 3, 'registry_refused', /media type/],
  ] as const)('%i %s', async (status, code, exit, fault, hint) => {
    const said = status === 400 ? 'unknown media type: application/vnd.cncf.flux.config.v1+json' : `says ${code}`;
    world.registry.faults.add({
      method: 'PUT',
      path: manifest,
      status,
      body: JSON.stringify({ errors: [{ code, message: said }] }),
    });
    const ran = await world.run(['publish', '--environment', 'staging', '--timeout', '60s']);
    expectFault(ran, { exit, code: fault, message: /localhost:\d+/, hint });
    expect(world.registry.tags(`${delivery}/podinfo`).get('staging')).toBe(
      world.registry.pushes.find(({ tag }) => tag === 'staging')!.digest,
    );
  });

  test('a deploy token that only reads', async () => {
    const pull = world.gitlab.createDeployToken(delivery, { name: 'reader', scopes: ['read_registry'] });
    await expectUnchanged(
      ['publish', '--environment', 'staging'],
      { CI_REGISTRY_USER: pull.username, CI_REGISTRY_PASSWORD: pull.token },
      { exit: 7, code: 'token_refused', message: /localhost/, hint: /./ },
    );
  });

  test('an image that is not in its registry', async () => {
    const image = `${world.host}/${application}:9.9.9`;
    const reader = world.gitlab.createDeployToken(application, { name: 'reader', scopes: ['read_registry'] });
    await expectUnchanged(
      updateOf(image),
      {
        ...ofApplication(),
        CI_REGISTRY_IMAGE: `${world.host}/${application}`,
        CI_REGISTRY_USER: reader.username,
        CI_REGISTRY_PASSWORD: reader.token,
      },
      { exit: 3, code: 'image_missing', message: /shop\/podinfo has no tag 9\.9\.9/, hint: /--no-verify-image/ },
    );
  });
});

describe('what the delivery repository says itself', () => {
  test('a sluice.yaml there that cannot be parsed', async () => {
    await world.commit({ 'sluice.yaml': 'version: 1\nenvironments: {staging: }}\n' });
    await expectUnchanged(unverified(), ofApplication(), {
      exit: 2,
      code: 'config_invalid',
      message: /sluice\.yaml:2:\d+/,
      hint: /schema/,
    });
    await next();
  });

  test('a hold: nothing moves', async () => {
    await world.commit({
      'sluice.yaml': settings.replace('project: shop/podinfo', 'project: shop/podinfo, hold: "migration runs"'),
    });
    const before = await world.snapshot();
    const ran = await world.run(unverified(), { env: ofApplication() });
    expect([ran.code, ran.stderr + ran.stdout]).toEqual([3, expect.stringContaining('migration runs')]);
    expectReports(ran, 3);
    expect(await world.snapshot()).toEqual(before);
  });

  test('a closed window: publish holds, and sync says so once', async () => {
    const day = new Date(Date.now() + 3 * 86_400_000).toLocaleDateString('en-GB', {
      weekday: 'short',
      timeZone: 'UTC',
    });
    const sha = await world.commit(
      {
        'sluice.yaml': settings.replace('staging: {', `staging: { gates: { windows: ["${day} 01:00-02:00"] },`),
        ...manifests(world.host, '3.0.0'),
      },
      claim(world.origin, '3.0.0'),
    );
    const standing = () => world.registry.tags(`${delivery}/podinfo`).get('staging');
    const before = standing();
    const publishing = world.start(['publish', '--environment', 'staging']);
    const published = await publishing.ended;
    expect([published.code, published.document]).toMatchObject([
      3,
      { outcome: 'held', artifacts: [{ outcome: 'held' }] },
    ]);
    expectReports(published, 3);
    expect(standing()).toBe(before);
    const synced = await world.run(['sync', '--environment', 'staging', '--published', publishing.result]);
    expect([synced.code, world.states(sha)]).toEqual([3, ['sync: staging/podinfo skipped']]);
  });

  test('an older pipeline: refused where it is a re-run, superseded where it is not', async () => {
    await world.commit({ 'sluice.yaml': settings, ...manifests(world.host, '4.0.0') }, claim(world.origin, '4.0.0', 7));
    await world.commit({ ...manifests(world.host, '5.0.0') }, claim(world.origin, '5.0.0', 9));
    await expectUnchanged(
      unverified(),
      { ...ofApplication(), CI_PIPELINE_ID: '7' },
      {
        exit: 3,
        code: 'older_run',
        message: /7/,
        hint: /rollback|--allow-older/,
      },
    );
    const before = await world.snapshot();
    const ran = await world.run(unverified(), { env: { ...ofApplication(), CI_PIPELINE_ID: '8' } });
    expect([ran.code, ran.document]).toMatchObject([0, { outcome: 'superseded' }]);
    expectReports(ran, 0);
    expect(await world.snapshot()).toEqual(before);
  });
});

test('no report speaks to a flag of a later job, no credential is told, nothing is left', async () => {
  const { commands } = await import('../../runner/cli.ts');
  const { globalFlags, variableOf } = await import('../../runner/settings/flags.ts');
  const variables = new Set(
    [...globalFlags, ...commands.flatMap(({ flags }) => flags)].map(({ name }) => variableOf(name)),
  );
  expect(world.dotenvKeys.size).toBeGreaterThan(3);
  expect([...world.dotenvKeys].filter((key) => variables.has(key))).toEqual([]);
  expect(await world.leaks()).toEqual([]);
});
