import { describe, expect, test } from 'vitest';
import { parseClaim } from '../../src/delivery/message.ts';
import { repair } from '../../src/sync/repair.ts';
import type { RepairOptions } from '../../src/sync/repair.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import type { StatusState } from '../../src/status/report.ts';
import { gitlabWorld } from '../status/world.ts';
import type { GitLabWorld } from '../status/world.ts';
import { config } from './run.ts';

const message = (world: GitLabWorld) =>
  [
    'deploy(staging): podinfo 1',
    '',
    'Sluice-App: podinfo',
    'Sluice-Environment: staging',
    'Sluice-Source-Project: team/podinfo',
    `Sluice-Source-Commit: ${world.origin}`,
    '',
  ].join('\n');

function optionsIn(world: GitLabWorld, more: Partial<RepairOptions> = {}): RepairOptions {
  const claim = parseClaim({ sha: world.commit, message: message(world) });
  return {
    clock: systemClock(),
    signal: new AbortController().signal,
    deadline: Date.now() + 20_000,
    config,
    environments: ['staging'],
    project: 'team/delivery',
    commits: [{ sha: world.commit, claim }],
    gitlab: world.gitlab,
    gitlabFor: async () => world.gitlab,
    ownJob: null,
    ...more,
  };
}

async function leave(
  world: GitLabWorld,
  name: string,
  state: StatusState,
  job: string | null,
  project = 'team/delivery',
): Promise<void> {
  const sha = project === 'team/delivery' ? world.commit : world.origin;
  const targetUrl = job === null ? null : `${world.server.url}/team/delivery/-/jobs/${job}`;
  await world.gitlab.postStatus({
    project,
    sha,
    pipelineId: null,
    ref: 'main',
    name,
    state,
    description: '',
    targetUrl,
  });
}

async function standing(world: GitLabWorld): Promise<Readonly<Record<string, string>>> {
  const rows = [
    ...(await world.gitlab.statuses('team/delivery', world.commit)),
    ...(await world.gitlab.statuses('team/podinfo', world.origin)),
  ];
  return Object.fromEntries(rows.map(({ name, state }) => [name, state]));
}

describe('repair', () => {
  test('closes what ended jobs left on delivery and application commits, and nothing else', async () => {
    await using world = await gitlabWorld();
    await leave(world, 'sync: staging/podinfo', 'running', '9001');
    await leave(world, 'sync: staging/podinfo/eu', 'pending', '9001', 'team/podinfo');
    await leave(world, 'sync: staging/done', 'success', '9001');
    await leave(world, 'sync: staging/laptop', 'running', null);
    await leave(world, 'sync: production/podinfo', 'running', '9001');
    await leave(world, 'scan', 'running', '9001');
    const repaired = await repair(optionsIn(world));
    expect(repaired.map(({ project, name, state }) => `${project} ${name} ${state}`).toSorted()).toEqual([
      'team/delivery sync: staging/podinfo canceled',
      'team/podinfo sync: staging/podinfo/eu canceled',
    ]);
    expect(await standing(world)).toEqual({
      'sync: staging/podinfo': 'canceled',
      'sync: staging/podinfo/eu': 'canceled',
      'sync: staging/done': 'success',
      'sync: staging/laptop': 'running',
      'sync: production/podinfo': 'running',
      scan: 'running',
    });
    expect(await repair(optionsIn(world))).toEqual([]);
  });

  test('a live job’s statuses are left alone, also its own, unless it is its end', async () => {
    await using world = await gitlabWorld();
    const files = new Map([['.gitlab-ci.yml', 'wait:\n  when: manual\n  script: [echo]\n']]);
    const commit = await world.server.seed('team/delivery', files, message(world));
    const [pipeline] = await world.gitlab.pipelines('team/delivery', { sha: commit });
    const jobs = await fetch(`${world.server.url}/api/v4/projects/team%2Fdelivery/pipelines/${pipeline?.id}/jobs`, {
      headers: { 'private-token': world.server.createToken('team', { name: 'r', scopes: ['api'] }).token },
    });
    const [job] = (await jobs.json()) as readonly { readonly id: number; readonly status: string }[];
    expect(job?.status).toBe('manual');
    await leave(world, 'sync: staging/podinfo', 'running', String(job?.id));
    expect(await repair(optionsIn(world))).toEqual([]);
    const repaired = await repair(optionsIn(world, { ownJob: { id: job!.id, state: 'failed' } }));
    expect(repaired.map(({ name, state }) => [name, state])).toEqual([['sync: staging/podinfo', 'failed']]);
  });

  test('a target elsewhere proves nothing', async () => {
    await using world = await gitlabWorld();
    await world.gitlab.postStatus({
      project: 'team/delivery',
      sha: world.commit,
      pipelineId: null,
      ref: 'main',
      name: 'sync: staging/podinfo',
      state: 'running',
      description: '',
      targetUrl: 'https://elsewhere.test/team/delivery/-/jobs/1',
    });
    expect(await repair(optionsIn(world))).toEqual([]);
  });

  test('another bot’s open status is closed too', async () => {
    await using world = await gitlabWorld();
    await leave(world, 'sync: staging/podinfo', 'running', '9001');
    const successor = world.connect(
      world.server.createToken('team', { name: 'new', scopes: ['api'], accessLevel: 40 }).token,
    );
    await repair(optionsIn(world, { gitlab: successor, gitlabFor: async () => successor }));
    expect(await standing(world)).toEqual({ 'sync: staging/podinfo': 'canceled' });
  });

  test('a forged origin is not looked at', async () => {
    await using world = await gitlabWorld();
    await leave(world, 'sync: staging/podinfo', 'running', '9001', 'team/podinfo');
    const claim = parseClaim({ sha: world.commit, message: message(world).replace('App: podinfo', 'App: cart') });
    expect(await repair(optionsIn(world, { commits: [{ sha: world.commit, claim }] }))).toEqual([]);
  });

  test('what this run posts itself is left to it', async () => {
    await using world = await gitlabWorld();
    await leave(world, 'sync: staging/podinfo', 'running', '9001');
    expect(await repair(optionsIn(world, { own: (_, sha) => sha === world.commit }))).toEqual([]);
  });
});
