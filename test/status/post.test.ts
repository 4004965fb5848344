import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/fault.ts';
import { post } from '../../src/status/post.ts';
import type { PostOptions } from '../../src/status/post.ts';
import type { StatusReport, StatusState } from '../../src/status/report.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import type { GitLab } from '../../src/systems/gitlab.ts';
import { gitlabWorld } from './world.ts';
import type { GitLabWorld } from './world.ts';

const name = 'sync: staging/podinfo';

function reportIn(world: GitLabWorld, state: StatusState, more: Partial<StatusReport> = {}): StatusReport {
  return {
    project: 'team/delivery',
    sha: world.commit,
    pipelineId: null,
    ref: 'main',
    name,
    state,
    description: `it is ${state}`,
    targetUrl: `${world.server.url}/team/delivery/-/jobs/1`,
    ...more,
  };
}

function optionsFor(more: Partial<PostOptions> = {}): PostOptions {
  return {
    clock: systemClock(),
    signal: new AbortController().signal,
    deadline: Date.now() + 20_000,
    bot: (gitlab) => gitlab.me(),
    ...more,
  };
}

const rows = (world: GitLabWorld, gitlab: GitLab = world.gitlab) => gitlab.statuses('team/delivery', world.commit);

describe('one status', () => {
  test.each([false, true])(
    'pending, running, success on one row (idempotent server: %s)',
    async (idempotentStatuses) => {
      await using world = await gitlabWorld({ idempotentStatuses });
      let pipelineId: number | null = null;
      for (const state of ['pending', 'running', 'success'] as const) {
        const posted = await post(world.gitlab, reportIn(world, state, { pipelineId }), optionsFor());
        expect(posted).toMatchObject({ outcome: 'posted', state });
        pipelineId = posted.pipelineId;
      }
      expect(await rows(world)).toEqual([
        {
          id: expect.any(Number),
          name,
          state: 'success',
          pipelineId,
          description: 'it is success',
          targetUrl: `${world.server.url}/team/delivery/-/jobs/1`,
          author: world.bot,
        },
      ]);
      expect(world.states()).toEqual([`${name} pending`, `${name} running`, `${name} success`]);
    },
  );

  test('what stands already is not posted', async () => {
    await using world = await gitlabWorld();
    const send = (state: StatusState) => post(world.gitlab, reportIn(world, state), optionsFor());
    expect((await send('pending')).outcome).toBe('posted');
    expect((await send('pending')).outcome).toBe('standing');
    await send('running');
    expect((await send('running')).outcome).toBe('standing');
    expect((await send('pending')).outcome).toBe('standing');
    await send('success');
    expect((await send('success')).outcome).toBe('standing');
    expect(world.states()).toEqual([`${name} pending`, `${name} running`, `${name} success`]);
  });

  test('a new run after the end is a new row, unless the end is to be kept', async () => {
    await using world = await gitlabWorld();
    const send = (state: StatusState, more: Partial<PostOptions> = {}) =>
      post(world.gitlab, reportIn(world, state), optionsFor(more));
    const first = await send('success');
    expect(await send('pending', { keep: 'success' })).toMatchObject({ outcome: 'standing', state: 'success' });
    const second = await send('failed', { keep: 'success' });
    expect(second.id).not.toBe(first.id);
    expect((await rows(world)).map(({ state }) => state)).toEqual(['failed']);
  });

  test('running cannot be skipped, so it is canceled', async () => {
    await using world = await gitlabWorld();
    await post(world.gitlab, reportIn(world, 'running'), optionsFor());
    expect(await post(world.gitlab, reportIn(world, 'skipped'), optionsFor())).toMatchObject({ state: 'canceled' });
  });

  test('another bot’s row of the name is not ours to change: a new one takes its place', async () => {
    await using world = await gitlabWorld();
    const other = world.server.createToken('team', { name: 'other', scopes: ['api'], accessLevel: 40 });
    await post(world.connect(other.token), reportIn(world, 'running'), optionsFor());
    expect((await post(world.gitlab, reportIn(world, 'running'), optionsFor())).outcome).toBe('posted');
    expect((await rows(world)).map(({ author, state }) => [author, state])).toEqual([[world.bot, 'running']]);
  });
});

describe('pipelines', () => {
  test('one that is gone is found anew', async () => {
    await using world = await gitlabWorld();
    const first = await post(world.gitlab, reportIn(world, 'running'), optionsFor());
    const posted = await post(world.gitlab, reportIn(world, 'success', { pipelineId: 987_654 }), optionsFor());
    expect(posted).toMatchObject({ outcome: 'posted', pipelineId: first.pipelineId, id: first.id });
  });

  test('where the commit has none, GitLab makes one on the ref', async () => {
    await using world = await gitlabWorld();
    const posted = await post(world.gitlab, reportIn(world, 'running', { pipelineId: 987_654 }), optionsFor());
    const [pipeline] = await world.gitlab.pipelines('team/delivery', { sha: world.commit });
    expect(posted.outcome).toBe('posted');
    expect(pipeline).toMatchObject({ id: posted.pipelineId, ref: 'main', source: 'external' });
  });

  test('a full one is said plainly', async () => {
    await using world = await gitlabWorld();
    const { pipelineId } = await post(world.gitlab, reportIn(world, 'success', { name: 'other' }), optionsFor());
    world.server.setFaults({ pipelineSize: 1 });
    const posted = await post(world.gitlab, reportIn(world, 'running', { pipelineId }), optionsFor());
    expect(posted).toMatchObject({ outcome: 'invalid', state: null });
    expect(posted.message).toContain('exceeded the limit');
  });
});

describe('refusals', () => {
  test('an unknown commit is missing', async () => {
    await using world = await gitlabWorld();
    const posted = await post(world.gitlab, reportIn(world, 'running', { sha: '0'.repeat(40) }), optionsFor());
    expect(posted).toMatchObject({ outcome: 'missing', state: null });
  });

  test('a protected ref wants more than Developer, and it is said so', async () => {
    await using world = await gitlabWorld();
    world.server.protectBranch('team/delivery', 'main', { push: 40 });
    const developer = world.server.createToken('team', { name: 'dev', scopes: ['api'], accessLevel: 30 });
    const refused = post(world.connect(developer.token), reportIn(world, 'running'), optionsFor());
    await expect(refused).rejects.toMatchObject({
      code: 'token_refused',
      hint: expect.stringMatching(/protected.*Maintainer/),
    });
  });

  test('a revoked token', async () => {
    await using world = await gitlabWorld();
    const token = world.server.createToken('team', { name: 'gone', scopes: ['api'], accessLevel: 40 });
    world.server.revokeToken(token.token);
    await expect(post(world.connect(token.token), reportIn(world, 'running'), optionsFor())).rejects.toMatchObject({
      code: 'token_refused',
    });
  });

  test('the lock held by others', async () => {
    await using world = await gitlabWorld();
    world.server.setFaults({ lockedStatuses: 2 });
    expect((await post(world.gitlab, reportIn(world, 'running'), optionsFor())).outcome).toBe('posted');
  });
});

describe('GitLab away', () => {
  test('it is asked until it answers', async () => {
    await using world = await gitlabWorld();
    world.server.setFaults({ down: 503 });
    const waited: string[] = [];
    const posted = await post(world.gitlab, reportIn(world, 'running'), {
      ...optionsFor(),
      onWait: (fault) => {
        waited.push(fault.code);
        world.server.setFaults({});
      },
    });
    expect(posted.outcome).toBe('posted');
    expect(waited).toEqual(['gitlab_unavailable']);
  });

  test('after the deadline the fault is said', async () => {
    await using world = await gitlabWorld();
    world.server.setFaults({ down: 502 });
    const away = post(world.gitlab, reportIn(world, 'running'), optionsFor({ deadline: Date.now() }));
    await expect(away).rejects.toMatchObject({ code: 'gitlab_unavailable' });
  });

  test('the signal’s reason ends it', async () => {
    await using world = await gitlabWorld();
    world.server.setFaults({ down: 502 });
    const stop = new AbortController();
    const reason = new Fault('interrupted', 'enough');
    const away = post(
      world.gitlab,
      reportIn(world, 'running'),
      optionsFor({ signal: stop.signal, onWait: () => stop.abort(reason) }),
    );
    await expect(away).rejects.toBe(reason);
  });
});
