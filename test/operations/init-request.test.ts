import { afterAll, beforeAll, expect, test } from 'vitest';
import { initCommand } from '../../runner/commands/init.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { runCommand } from '../doubles/run-command.ts';
import { doctorWorld, type DoctorWorld } from './doctor-world.ts';

const project = 'shop/fleet';
let world: DoctorWorld;
beforeAll(async () => {
  world = await doctorWorld();
  world.gitlab.createProject(project);
  const kustomization = 'resources: [deployment.yaml]\nnamespace: web\n';
  const files = {
    'apps/web/staging/kustomization.yaml': kustomization,
    'apps/web/staging/deployment.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\n',
    '.gitlab-ci.yml': 'stages: [deploy]\n',
  };
  await world.gitlab.seed(project, new Map(Object.entries(files)), 'Start', { pipeline: false });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

function init(...args: readonly string[]) {
  const env = { SLUICE_GITLAB_TOKEN: world.bot.token };
  const place = ['--gitlab', world.gitlab.url, '--delivery', project, '--merge-request'];
  return runCommand(initCommand, [...place, ...args], { env, folder: world.folder, clock: systemClock() });
}

async function api(path: string): Promise<unknown> {
  const headers = { 'private-token': world.bot.token };
  return (
    await fetch(`${world.gitlab.url}/api/v4/projects/${encodeURIComponent(project)}/${path}`, { headers })
  ).json();
}

test('one merge request with the new files; what stands is in its description alone', async () => {
  const planned = await init('--dry-run');
  expect(planned.record).toMatchObject({ outcome: 'planned', mergeRequest: null });
  expect(await api('merge_requests')).toEqual([]);

  const ran = await init();
  expect(ran.record).toMatchObject({ outcome: 'merge-request', mergeRequest: { iid: 1, branch: 'sluice/init' } });
  const [request] = (await api('merge_requests')) as {
    title: string;
    description: string;
    source_branch: string;
    target_branch: string;
  }[];
  expect(request).toMatchObject({ title: 'Set up sluice', source_branch: 'sluice/init', target_branch: 'main' });
  expect(request?.description).toMatch(/To be changed by a person\n\n```diff\ndiff --git a\/\.gitlab-ci\.yml/);
  expect(request?.description).toMatch(/Once, by hand/);
  const tree = (await api('repository/tree?ref=sluice%2Finit&recursive=true&per_page=100')) as {
    path: string;
    type: string;
  }[];
  const paths = tree.filter(({ type }) => type === 'blob').map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining([
      'sluice.yaml',
      'clusters/staging/web.yaml',
      '.gitlab/agents/staging/config.yaml',
      'apps/web/staging/kustomization.yaml',
    ]),
  );
  const standing = await fetch(
    `${world.gitlab.url}/api/v4/projects/${encodeURIComponent(project)}/repository/files/.gitlab-ci.yml/raw?ref=sluice%2Finit`,
    { headers: { 'private-token': world.bot.token } },
  );
  expect(await standing.text()).toBe('stages: [deploy]\n');
  expect(JSON.stringify(ran)).not.toContain(world.bot.token);
});

test('again: the same merge request, renewed', async () => {
  const ran = await init('--application', 'web=shop/web');
  expect(ran.record).toMatchObject({ outcome: 'merge-request', mergeRequest: { iid: 1 } });
  expect(await api('merge_requests?state=opened')).toHaveLength(1);
});

test('a branch that somebody else committed to is left alone', async () => {
  await world.gitlab.seed(project, new Map([['NOTES.md', 'mine\n']]), 'Mine', {
    branch: 'sluice/init',
    pipeline: false,
  });
  await expect(init()).rejects.toMatchObject({ code: 'branch_taken' });
});

test('without a token, and without a project', async () => {
  const options = { folder: world.folder, clock: systemClock() };
  const place = ['--gitlab', world.gitlab.url, '--merge-request'];
  await expect(runCommand(initCommand, place, { ...options, env: {} })).rejects.toMatchObject({ code: 'usage' });
  const without = runCommand(initCommand, [...place, '--delivery', project], { ...options, env: {} });
  await expect(without).rejects.toMatchObject({ exit: 7 });
});
