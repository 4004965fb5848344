import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { noteMarker, noteText } from '../../src/status/note.ts';
import { targetsOf } from '../../src/sync/target.ts';
import { gitlabWorld } from '../status/world.ts';
import type { GitLabWorld } from '../status/world.ts';
import { artifactOf, originOf } from './build.ts';
import { healthy, optionsIn, scripted, sync } from './run.ts';
import type { Script } from './run.ts';

const config = parseConfig(
  [
    'version: 1',
    'environments:',
    '  staging: { clusters: [{ name: eu, context: "k:eu" }] }',
    '  production:',
    '    promote_from: staging',
    '    clusters: [{ name: prod, agent: "team/agents:prod" }]',
    'apps: { podinfo: { project: team/podinfo } }',
    '',
  ].join('\n'),
  'sluice.yaml',
);
const broken: Script = () => [['applied', 'failed']];

/** What follows one commit of the application into an environment. */
function targetsFor({ commit }: GitLabWorld, sha: string, environment: string) {
  const origins = [originOf({ project: 'team/podinfo', commit: sha, pipeline: null })];
  const artifacts = [artifactOf({ environment, origins })];
  const publication = { project: 'team/delivery', branch: 'main', commit, ranges: [], artifacts };
  return targetsOf(publication, config, { environments: [], apps: [] });
}

function run(world: GitLabWorld, sha: string, environment: string, script: Script = healthy) {
  const targets = targetsFor(world, sha, environment);
  return sync(optionsIn(world, [], { targets, follow: scripted(script) }));
}

/** A merge request of the application project, merged; answers the commit on main. */
async function merged(world: GitLabWorld): Promise<string> {
  const sha = await world.server.seed('team/podinfo', new Map([['new.go', 'y\n']]), 'Feature', {
    branch: 'feature',
    pipeline: false,
  });
  const request = await world.gitlab.createMergeRequest('team/podinfo', {
    sourceBranch: 'feature',
    targetBranch: 'main',
    title: 'Feature',
    description: '',
    labels: [],
  });
  await world.gitlab.autoMerge('team/podinfo', request.iid, sha);
  const after = await world.gitlab.mergeRequest('team/podinfo', request.iid);
  return after?.mergeCommit ?? sha;
}

describe('later environments', () => {
  test('a deployment in the application project and a note on its merge request, no status', async () => {
    await using world = await gitlabWorld();
    const sha = await merged(world);
    const result = await run(world, sha, 'production');
    expect(result).toMatchObject({ outcome: 'synced', exit: 0 });
    expect(result.pairs[0]?.announced.map(({ way, message }) => [way, message])).toEqual([
      ['deployment', 'production: success'],
      ['note', '!1'],
    ]);
    expect(await world.gitlab.deployments('team/podinfo', 'production')).toMatchObject([{ sha, state: 'success' }]);
    const [note] = await world.gitlab.notes('team/podinfo', 1);
    expect(note?.body).toContain('| production | podinfo | ✅ synced |');
    expect(note?.body).toContain(`/team/delivery/-/commit/${world.commit}`);
    expect(world.states(sha)).toEqual([]);
  });

  test('one note and one deployment, however often it is told; another result changes them', async () => {
    await using world = await gitlabWorld();
    const sha = await merged(world);
    await run(world, sha, 'production', broken);
    await run(world, sha, 'production', broken);
    expect(await world.gitlab.deployments('team/podinfo', 'production')).toMatchObject([{ sha, state: 'failed' }]);
    expect(await world.gitlab.notes('team/podinfo', 1)).toHaveLength(1);
    await run(world, sha, 'production');
    expect((await world.gitlab.deployments('team/podinfo', 'production')).map(({ state }) => state)).toEqual([
      'success',
      'failed',
    ]);
    const notes = await world.gitlab.notes('team/podinfo', 1);
    expect(notes).toHaveLength(1);
    expect(notes[0]?.body).not.toContain('failed');
  });

  test('the first environment gets statuses and neither of the two', async () => {
    await using world = await gitlabWorld();
    const sha = await merged(world);
    const result = await run(world, sha, 'staging');
    expect(result.pairs[0]?.announced).toEqual([]);
    expect(world.states(sha).at(-1)).toBe('sync: staging/podinfo success');
    expect(await world.gitlab.notes('team/podinfo', 1)).toEqual([]);
  });

  test('the environment shows the cluster: agent and Flux object', async () => {
    await using world = await gitlabWorld();
    world.server.createProject('team/agents');
    world.server.registerAgent({ configProject: 'team/agents', name: 'prod', cluster: { url: 'http://127.0.0.1:1' } });
    const sha = await merged(world);
    const object = { kind: 'Kustomization', namespace: 'flux-system', name: 'podinfo', state: 'ready' } as const;
    const verdict = { verdict: 'synced', reason: 'Said', message: 'ok' } as const;
    await sync(
      optionsIn(world, [], {
        targets: targetsFor(world, sha, 'production'),
        async *follow(_cluster, [followed]) {
          const objects = [{ ...object, reason: 'Ready', message: '' }];
          yield { followed: followed!, at: 0, phase: 'healthy', message: 'ok', verdict: { ...verdict, objects } };
        },
      }),
    );
    const { token } = world.server.createToken('team', { name: 'reader', scopes: ['api'], accessLevel: 40 });
    const answer = await fetch(`${world.server.url}/api/v4/projects/team%2Fpodinfo/environments?name=production`, {
      headers: { 'private-token': token },
    });
    const [{ id }] = (await answer.json()) as { id: number }[] as [{ id: number }];
    const shown = await fetch(`${world.server.url}/api/v4/projects/team%2Fpodinfo/environments/${id}`, {
      headers: { 'private-token': token },
    });
    expect(await shown.json()).toMatchObject({
      flux_resource_path: 'kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/podinfo',
    });
  });

  test('a token that may not: said, in the result, exit 7, and the status stands all the same', async () => {
    await using world = await gitlabWorld();
    const sha = await merged(world);
    const weak = world.connect(
      world.server.createToken('team', { name: 'reader', scopes: ['read_api'], accessLevel: 40 }).token,
    );
    const targets = targetsFor(world, sha, 'production');
    const options = optionsIn(world, [], { targets, gitlabFor: async () => weak });
    const result = await sync(options);
    expect(result).toMatchObject({ outcome: 'synced', exit: 7 });
    expect(result.pairs[0]?.announced).toMatchObject([
      { way: 'deployment', id: null, fault: { code: 'token_refused' } },
      { way: 'note', id: null, fault: { code: 'token_refused' } },
    ]);
    expect(options.said.join('\n')).toContain('no deployment can be posted to team/podinfo');
    expect(world.states(world.commit).at(-1)).toBe('sync: production/podinfo success');
  });
});

test('the note keeps the rows of others and lets no text of a cluster out of its cell', () => {
  const row = (environment: string, message: string) => ({
    environment,
    app: 'podinfo',
    result: 'failed',
    message,
    links: [],
  });
  const first = noteText(null, [row('staging', 'x')]);
  const both = noteText(first, [row('production', 'a | b\n@all `c` <img>')]);
  expect(both.split('\n').filter((line) => line.startsWith('| '))).toEqual([
    '| environment | app | result | what | where |',
    '| staging | podinfo | ❌ failed | `x` |  |',
    String.raw`| production | podinfo | ❌ failed | ${'`'}a \| b @all c <img>${'`'} |  |`,
  ]);
  expect(noteText(both, [row('staging', 'x')])).toBe(both);
  expect(both.startsWith(noteMarker)).toBe(true);
});
