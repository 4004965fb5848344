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
