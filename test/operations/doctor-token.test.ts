import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { doctorWorld, foundIn, inDays, settings, type DoctorWorld } from './doctor-world.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await doctorWorld();
});
afterEach(() => world.restore());
afterAll(() => world[Symbol.asyncDispose]());

const expectFound = foundIn(() => world);

describe('the token', () => {
  const args = ['--check', 'token'];
  const made = (
    scopes: readonly string[],
    fields: { accessLevel?: 10 | 20 | 30 | 40 | 50; expiresAt?: string } = {},
  ) => ({
    SLUICE_GITLAB_TOKEN: world.gitlab.createToken('shop/delivery', {
      name: 'other',
      scopes,
      accessLevel: 40,
      expiresAt: inDays(200),
      ...fields,
    }).token,
  });
  test('none, in a job', async () => {
    await expectFound(
      args,
      {
        id: 'token-missing',
        exit: 7,
        message: /no status can be posted/,
        repair: /project access token \(Maintainer, scope api\)/,
      },
      { SLUICE_GITLAB_TOKEN: '' },
    );
  });
  test('unknown to GitLab', async () => {
    await expectFound(
      args,
      { id: 'token-refused', exit: 7, message: /401/, repair: /^Make a project access token/ },
      { SLUICE_GITLAB_TOKEN: 'glpat-no-such-token-here' },
    );
  });
  test('expired', async () => {
    await expectFound(
      args,
      { id: 'token-refused', exit: 7, message: /401/, repair: /^Make a project access token/ },
      made(['api'], { expiresAt: '2020-01-01' }),
    );
  });
  test('without the scope api', async () => {
    await expectFound(
      args,
      {
        id: 'token-scopes',
        exit: 7,
        message: /has the scopes read_api, and not api/,
        repair: /^Make a new token with the scope api/,
      },
      made(['read_api']),
    );
  });
  test('a deploy token', async () => {
    await expectFound(
      args,
      { id: 'token-kind', exit: 7, message: /is a deploy token/, repair: /^Store a project access token/ },
      { SLUICE_GITLAB_TOKEN: world.pull.token },
    );
  });
  test('of a reporter', async () => {
    await expectFound(
      args,
      {
        id: 'role',
        exit: 7,
        message: /role Reporter in shop\/delivery; statuses need Developer or more/,
        repair: /role Maintainer/,
      },
      made(['api'], { accessLevel: 20 }),
    );
  });
  test('of a developer, whose statuses a protected branch refuses', async () => {
    await expectFound(
      args,
      {
        id: 'role',
        exit: 7,
        message: /role Developer, and main is protected: GitLab refuses its statuses/,
        repair: /role Maintainer/,
      },
      made(['api'], { accessLevel: 30 }),
    );
  });
  test('of another project', async () => {
    const { token } = world.gitlab.createToken('shop/podinfo', {
      name: 'app',
      scopes: ['api'],
      accessLevel: 40,
      expiresAt: inDays(200),
    });
    await expectFound(
      args,
      {
        id: 'project-missing',
        exit: 7,
        message: /no project shop\/delivery/,
        repair: /project access token of shop\/delivery/,
      },
      { SLUICE_GITLAB_TOKEN: token },
    );
  });
  test('that expires soon: to change, no fault', async () => {
    const looked = await world.doctor(args, made(['api'], { expiresAt: inDays(10) }));
    expect(looked).toMatchObject({ exit: 0, outcome: 'warn' });
    expect(looked.open).toMatchObject([
      {
        id: 'token-expiry',
        message: expect.stringMatching(/in (9|10) days/),
        repair: expect.stringMatching(/^Rotate it/),
      },
    ]);
  });
  test('of a person: to change in a job, right on a laptop', async () => {
    const person = world.gitlab.createUser('kim', { memberships: { shop: 40 }, scopes: ['api'] });
    const inJob = await world.doctor(args, { SLUICE_GITLAB_TOKEN: person.token });
    expect(inJob.open.map(({ id }) => id)).toContain('token-person');
    const laptop = await world.doctor(args, { SLUICE_GITLAB_TOKEN: person.token, CI_JOB_ID: '' });
    expect(laptop.open.map(({ id }) => id)).not.toContain('token-person');
  });
  test('of an owner: a narrower one does', async () => {
    const looked = await world.doctor(args, made(['api'], { accessLevel: 50 }));
    expect(looked.open).toMatchObject([
      { id: 'role-wide', state: 'warn', repair: expect.stringMatching(/role Maintainer/) },
    ]);
  });
  test('for pushing alone, with the scope api', async () => {
    const looked = await world.doctor(args, { SLUICE_GIT_TOKEN: world.bot.token });
    expect(looked.open).toMatchObject([
      { id: 'token-wide', subject: 'SLUICE_GIT_TOKEN', repair: expect.stringMatching(/write_repository alone/) },
    ]);
  });
});

describe('what the delivery project keeps', () => {
  const keep = (
    key: string,
    fields: { readonly protected?: boolean; readonly masked?: boolean; readonly file?: boolean },
  ) => world.gitlab.setVariable('shop/delivery', { key, value: 'a-value-of-this-test', ...fields });
  test('variables that jobs of any branch, or their logs, would tell; never a value', async () => {
    await world.configure(settings.replace('agent:', 'receiver: { name: sluice, secret_env: HOOK_STAGING }, agent:'));
    keep('SLUICE_GITLAB_TOKEN', { masked: true });
    keep('SLUICE_GIT_TOKEN', {});
    keep('HOOK_STAGING', { protected: true });
    keep('SLUICE_COSIGN_KEY', { protected: true, file: true });
    keep('SOMETHING_ELSE', {});
    const looked = await world.doctor(['--check', 'token']);
    expect(looked).toMatchObject({ exit: 0, outcome: 'warn' });
    expect(looked.open.map(({ id, message }) => `${id}: ${message}`)).toEqual([
      'variable-open: the CI/CD variable SLUICE_GITLAB_TOKEN is not protected: jobs of any branch can read it',
      'variable-open: the CI/CD variable SLUICE_GIT_TOKEN is not protected and not masked: jobs of any branch can read it',
      'variable-open: the CI/CD variable HOOK_STAGING is not masked: a job log can show it',
    ]);
    expect(JSON.stringify(looked)).not.toContain('a-value-of-this-test');
    for (const key of ['SLUICE_GITLAB_TOKEN', 'SLUICE_GIT_TOKEN', 'HOOK_STAGING'])
      keep(key, { protected: true, masked: true });
    expect((await world.doctor(['--check', 'token'])).open).toEqual([]);
  });
  test('variables that a Developer’s token does not see', async () => {
    const fields = { name: 'narrow', scopes: ['api'], accessLevel: 30, expiresAt: inDays(200) } as const;
    world.gitlab.protectBranch('shop/delivery', 'main', { push: 30, merge: 30 });
    const { token } = world.gitlab.createToken('shop/delivery', fields);
    const looked = await world.doctor(['--check', 'token'], { SLUICE_GITLAB_TOKEN: token });
    world.gitlab.protectBranch('shop/delivery', 'main', { push: 40, merge: 40 });
    expect(looked.open).toMatchObject([{ id: 'variables-unknown', state: 'unknown' }]);
  });
  test('a pipeline file that GitLab refuses is told in its words', async () => {
    const commit = (text: string) =>
      world.gitlab.seed('shop/delivery', new Map([['.gitlab-ci.yml', text]]), 'Pipeline', { pipeline: false });
    await commit('check: { script: "true" }\n');
    const valid = await world.doctor(['--check', 'config']);
    expect(valid.findings).toMatchObject([{ id: 'config' }, { id: 'pipeline', state: 'ok' }]);
    await commit('include: [{ component: $CI_SERVER_FQDN/nobody/nothing/deliver@1 }]\n');
    await expectFound(['--check', 'config'], {
      id: 'pipeline-invalid',
      exit: 2,
      message: /starts no pipeline from it: .*nobody\/nothing\/deliver/,
      repair: /pipeline editor/,
    });
  });
});

describe('the branch', () => {
  const args = ['--check', 'branch'];
  test('nobody may push, and changes are pushed', async () => {
    world.gitlab.protectBranch('shop/delivery', 'main', { push: 0, merge: 40 });
    await expectFound(args, {
      id: 'branch-push',
      exit: 3,
      message: /may not push, and changes for staging are pushed \(may push: No one\)/,
      repair: /changes: merge-request/,
    });
    await world.configure(settings.replace('staging: {', 'staging: { changes: merge-request,'));
    expect((await world.doctor(args)).open).toEqual([]);
    world.gitlab.protectBranch('shop/delivery', 'main', { push: 40, merge: 40 });
  });
  test('that is not there', async () => {
    await expectFound(
      args,
      { id: 'branch-missing', exit: 2, message: /no branch release/, repair: /--branch/ },
      { CI_COMMIT_BRANCH: 'release' },
    );
  });
});

describe('application projects', () => {
  const args = ['--check', 'projects'];
  test('a token that does not reach it', async () => {
    const { token } = world.gitlab.createToken('shop/delivery', { name: 'own', scopes: ['api'], accessLevel: 40 });
    await expectFound(
      args,
      {
        id: 'project-missing',
        exit: 7,
        message: /no project shop\/podinfo to SLUICE_GITLAB_TOKEN_PODINFO/,
        repair: /project access token of shop\/podinfo/,
      },
      { SLUICE_GITLAB_TOKEN: token },
    );
  });
  test('an own token of a guest', async () => {
    const { token } = world.gitlab.createToken('shop/podinfo', {
      name: 'own',
      scopes: ['api'],
      accessLevel: 10,
      expiresAt: inDays(90),
    });
    await expectFound(
      args,
      { id: 'role', exit: 7, message: /role Guest in shop\/podinfo/, repair: /SLUICE_GITLAB_TOKEN_PODINFO/ },
      { SLUICE_GITLAB_TOKEN_PODINFO: token },
    );
  });

  test('an own token that expires soon is told with its project', async () => {
    const fields = { name: 'own', scopes: ['api'], accessLevel: 40, expiresAt: inDays(3) } as const;
    const { token } = world.gitlab.createToken('shop/podinfo', fields);
    const looked = await world.doctor(args, { SLUICE_GITLAB_TOKEN_PODINFO: token });
    expect(looked.open).toMatchObject([
      { check: 'projects', id: 'token-expiry', subject: 'SLUICE_GITLAB_TOKEN_PODINFO' },
    ]);
  });
});
