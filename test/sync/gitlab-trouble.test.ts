import { describe, expect, test, vi } from 'vitest';
import { secret } from '../../src/secret.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { connectGitLab } from '../../src/systems/gitlab-rest.ts';
import { gitlabWorld } from '../status/world.ts';
import type { GitLabWorld } from '../status/world.ts';
import { originOf } from './build.ts';
import { healthy, openStatuses, optionsIn, scripted, sync } from './run.ts';

const own = (world: GitLabWorld) => originOf({ project: 'team/podinfo', commit: world.origin, pipeline: null });
const production = { environment: 'production', app: 'cart' };
const steps = (name: string, ...states: readonly string[]) => states.map((state) => `${name} ${state}`);

describe('a GitLab in trouble', () => {
  test('GitLab away in the middle: the states are caught up', async () => {
    await using world = await gitlabWorld();
    const said: string[] = [];
    const options = optionsIn(world, [{ origins: [own(world)] }], {
      warn: (text) => {
        said.push(text);
        world.server.setFaults({});
      },
      async *follow(...rest) {
        world.server.setFaults({ down: 502 });
        yield* scripted(healthy)(...rest);
      },
    });
    const result = await sync(options);
    expect(result).toMatchObject({ outcome: 'synced', exit: 0 });
    expect(said.join()).toContain('caught up');
    expect(await openStatuses(world)).toEqual([]);
  });

  test('GitLab away from the start: both commits have their answer when it is back', async () => {
    await using world = await gitlabWorld();
    world.server.setFaults({ down: 503 });
    const options = optionsIn(world, [{ origins: [own(world)] }], { warn: () => world.server.setFaults({}) });
    expect(await sync(options)).toMatchObject({ outcome: 'synced', exit: 0, refused: [] });
    for (const sha of [world.commit, world.origin])
      expect(world.states(sha)).toEqual(
        expect.arrayContaining(steps('sync: staging/podinfo', 'pending', 'running', 'success')),
      );
    expect(await openStatuses(world)).toEqual([]);
  });

  test('a GitLab that takes requests and never answers ends with the time: exit 6, the verdict stands in the record', async () => {
    await using world = await gitlabWorld();
    const silent = connectGitLab({
      url: world.server.url,
      token: secret('glpat-silent'),
      tokenKind: 'private',
      clock: systemClock(),
      fetch: (_, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error), { once: true });
        }),
    });
    const options = optionsIn(world, [{ origins: [own(world)] }, production], {
      gitlab: async () => silent,
      gitlabFor: async () => silent,
      deadline: Date.now() + 200,
    });
    const result = await sync(options);
    expect(result).toMatchObject({ outcome: 'synced', exit: 6 });
    const faults = result.pairs.flatMap(({ statuses }) => statuses.map(({ fault }) => fault?.code));
    expect(new Set(faults)).toEqual(new Set(['gitlab_unavailable']));
    expect(result.refused).toMatchObject([{ app: 'podinfo', reason: 'GitLab gave no answer in time' }]);
  });

  test('the token revoked in the middle: said, exit 7, the verdict stands in the record', async () => {
    await using world = await gitlabWorld();
    const bot = world.server.createToken('team', { name: 'brief', scopes: ['api'], accessLevel: 40 });
    const options = optionsIn(world, [production], {
      gitlab: async () => world.connect(bot.token),
      async *follow(...rest) {
        await vi.waitFor(() => expect(world.states()).toContain('sync: production/cart running'));
        world.server.revokeToken(bot.token);
        yield* scripted(healthy)(...rest);
      },
    });
    const result = await sync(options);
    expect(result).toMatchObject({ outcome: 'synced', exit: 7 });
    expect(result.pairs[0]?.statuses[0]?.fault?.code).toBe('token_refused');
    expect(options.said.join('\n')).toContain('no status can be posted to team/delivery');
  });

  test('two runs of one commit at once leave nothing open', async () => {
    await using world = await gitlabWorld();
    const options = () => optionsIn(world, [{ origins: [own(world)] }]);
    const results = await Promise.all([sync(options()), sync(options())]);
    expect(results.map(({ outcome }) => outcome)).toEqual(['synced', 'synced']);
    expect(await openStatuses(world)).toEqual([]);
  });
});
