import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/fault.ts';
import { secret } from '../../src/secret.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { connectGitLab } from '../../src/systems/gitlab-rest.ts';
import { gitlabWorld } from '../status/world.ts';
import type { GitLabWorld } from '../status/world.ts';
import { targetsOf } from '../../src/sync/target.ts';
import { artifactOf, configOf, originOf } from './build.ts';
import { healthy, openStatuses, optionsIn, scripted, sync } from './run.ts';

const own = (world: GitLabWorld) => originOf({ project: 'team/podinfo', commit: world.origin, pipeline: null });
const production = { environment: 'production', app: 'cart' };
const steps = (name: string, ...states: readonly string[]) => states.map((state) => `${name} ${state}`);

describe('the loop', () => {
  test('pending, running, success on the delivery commit and on the application commit', async () => {
    await using world = await gitlabWorld();
    const result = await sync(optionsIn(world, [{ origins: [own(world)] }]));
    expect(result).toMatchObject({ outcome: 'synced', exit: 0, refused: [] });
    for (const sha of [world.commit, world.origin])
      for (const name of ['sync: staging/podinfo', 'sync: staging/podinfo/eu', 'sync: staging/podinfo/us'])
        expect(world.states(sha).filter((state) => state.startsWith(`${name} `))).toEqual(
          steps(name, 'pending', 'running', 'success'),
        );
    const [pair] = result.pairs;
    expect(pair?.clusters.map(({ cluster, verdict }) => [cluster, verdict])).toEqual([
      ['eu', 'synced'],
      ['us', 'synced'],
    ]);
    expect(pair?.statuses).toHaveLength(6);
    expect(pair?.statuses.every(({ state, id }) => state === 'success' && id !== null)).toBe(true);
    expect(pair?.seconds.healthy).toBeGreaterThanOrEqual(0);
  });

  test('one broken cluster: the sum is failed, the other stays green', async () => {
    await using world = await gitlabWorld();
    const follow = scripted((cluster, app) => (cluster === 'eu' ? [['applied', 'failed']] : healthy(cluster, app)));
    const result = await sync(optionsIn(world, [{}], { follow }));
    expect(result).toMatchObject({ outcome: 'failed', exit: 4 });
    const rows = await world.gitlab.statuses('team/delivery', world.commit);
    expect(new Set(rows.map(({ name, state, description }) => [name, state, description]))).toEqual(
      new Set([
        ['sync: staging/podinfo', 'failed', 'failed: eu: podinfo failed'],
        ['sync: staging/podinfo/eu', 'failed', 'failed: podinfo failed'],
        ['sync: staging/podinfo/us', 'success', 'podinfo synced'],
      ]),
    );
  });

  test('the sum is told before the last cluster has its verdict', async () => {
    await using world = await gitlabWorld();
    const stop = new AbortController();
    const follow = scripted((cluster) => (cluster === 'eu' ? [['applied', 'failed']] : [['fetched', null], null]));
    world.server.on((event) => {
      if (event.type === 'status' && event.name === 'sync: staging/podinfo' && event.state === 'failed')
        stop.abort(new Fault('interrupted', 'seen enough'));
    });
    await expect(sync(optionsIn(world, [{}], { follow, signal: stop.signal }))).rejects.toThrow('seen enough');
    expect(world.states()).toContain('sync: staging/podinfo/us canceled');
    expect(await openStatuses(world)).toEqual([]);
  });

  test('held and refused are told once and leave nothing pending', async () => {
    await using world = await gitlabWorld();
    const artifacts = [
      { ...production, outcome: 'held', reason: 'outside of the window' },
      { ...production, app: 'podinfo', outcome: 'refused', reason: 'kustomize says no' },
    ] as const;
    const follow = scripted(() => {
      throw new Error('nothing is to be followed');
    });
    const result = await sync(optionsIn(world, artifacts, { follow }));
    expect(result.exit).toBe(3);
    expect(world.states().toSorted()).toEqual(['sync: production/cart skipped', 'sync: production/podinfo failed']);
  });

  test('unchanged content without origin says nothing; with one its present state', async () => {
    await using world = await gitlabWorld();
    const gitlab = async () => {
      throw new Fault('token_missing', 'no token is needed where there is nothing to say');
    };
    expect(await sync(optionsIn(world, [{ ...production, outcome: 'unchanged' }], { gitlab }))).toMatchObject({
      outcome: 'nothing',
      exit: 0,
    });
    expect(world.states()).toEqual([]);
    const waiting = { outcome: 'unchanged', origins: [own(world)] } as const;
    expect((await sync(optionsIn(world, [waiting]))).outcome).toBe('synced');
    const told = world.states().length;
    // A second pipeline of the same commit does not reopen what is green.
    expect((await sync(optionsIn(world, [waiting]))).outcome).toBe('synced');
    expect(world.states()).toHaveLength(told);
  });

  test('superseded where a newer commit took our values, followed where it holds them', async () => {
    await using world = await gitlabWorld();
    const artifact = { ...production, outcome: 'superseded', origins: [originOf()] } as const;
    const replaced = await sync(optionsIn(world, [artifact], { lineage: async () => 'replaced' }));
    expect(replaced).toMatchObject({ outcome: 'superseded', exit: 0 });
    expect(world.states()).toEqual(['sync: production/cart canceled']);
    expect((await sync(optionsIn(world, [artifact]))).outcome).toBe('synced');
  });

  test('more than 20 pairs of one commit share one status, with the one that spoils it', async () => {
    await using world = await gitlabWorld();
    const apps = Array.from({ length: 21 }, (_, index) => `app-${index}`);
    const artifacts = apps.map((app) => artifactOf({ app }));
    const publication = { project: 'team/delivery', branch: 'main', commit: world.commit, ranges: [], artifacts };
    const targets = targetsOf(publication, configOf({ apps }), { environments: [], apps: [] });
    const follow = scripted((cluster, app) => (app === 'app-7' ? [['applied', 'failed']] : healthy(cluster, app)));
    const result = await sync(optionsIn(world, [], { targets, follow }));
    expect([result.exit, result.pairs.length]).toEqual([4, 21]);
    expect(world.states()).toEqual(steps('sync: staging', 'pending', 'running', 'failed'));
    const [row] = await world.gitlab.statuses('team/delivery', world.commit);
    expect(row?.description).toBe('failed: app-7: app-7 failed');
  });

  test('a cluster that cannot be reached spoils its own verdict only', async () => {
    await using world = await gitlabWorld();
    const ok = scripted(healthy);
    const result = await sync(
      optionsIn(world, [{}], {
        async *follow(cluster, ...rest) {
          if (cluster.name === 'us') throw new Fault('context_missing', 'no context k:us');
          yield* ok(cluster, ...rest);
        },
      }),
    );
    expect(result.exit).toBe(7);
    expect(result.pairs[0]?.clusters.map(({ cluster, verdict }) => [cluster, verdict])).toEqual([
      ['eu', 'synced'],
      ['us', 'unknown'],
    ]);
    expect(await openStatuses(world)).toEqual([]);
  });
});

describe('claims', () => {
  test('forged ones are shown and not followed', async () => {
    await using world = await gitlabWorld();
    const origins = [
      own(world),
      originOf({ project: 'team/delivery', commit: world.commit }),
      originOf({ project: 'team/podinfo', commit: '0'.repeat(40) }),
    ];
    const options = optionsIn(world, [{ origins }]);
    const result = await sync(options);
    expect(result.outcome).toBe('synced');
    expect(result.refused.map(({ project, reason }) => [project, reason])).toEqual([
      ['team/delivery', 'apps.podinfo.project is team/podinfo'],
      ['team/podinfo', expect.stringContaining('has no commit')],
    ]);
    expect(new Set(world.events.map(({ project, sha }) => `${project}@${sha}`))).toEqual(
      new Set([`team/podinfo@${world.origin}`, `team/delivery@${world.commit}`]),
    );
    expect(options.said.filter((line) => line.startsWith('warning:'))).toHaveLength(2);
  });

  test('a token that may not post there is said; the delivery commit has its answer all the same', async () => {
    await using world = await gitlabWorld();
    const reader = world.server.createToken('team/podinfo', { name: 'r', scopes: ['api'], accessLevel: 20 });
    const gitlabFor = async () => world.connect(reader.token);
    const options = optionsIn(world, [{ origins: [own(world)] }], { gitlabFor });
    const result = await sync(options);
    expect(options.said.filter((line) => line.startsWith('warning: no status can be posted'))).toEqual([
      expect.stringMatching(/team\/podinfo: .*403.*Developer/),
    ]);
    expect(result.exit).toBe(7);
    expect(world.states(world.origin)).toEqual([]);
    expect(world.states(world.commit)).toContain('sync: staging/podinfo success');
    expect(result.pairs[0]?.statuses.find(({ sha }) => sha === world.origin)?.fault?.code).toBe('token_refused');
  });
});

describe('every way out leaves a final state', () => {
  const endless = scripted(() => [['fetched', null], null]);

  test.each(['interrupted', 'terminated'] as const)('%s: canceled', async (code) => {
    await using world = await gitlabWorld();
    const stop = new AbortController();
    const reason = new Fault(code, 'stop');
    const options = optionsIn(world, [{ origins: [own(world)] }], { follow: endless, signal: stop.signal });
    world.server.on((event) => {
      if (event.type === 'status' && event.state === 'running') stop.abort(reason);
    });
    await expect(sync(options)).rejects.toBe(reason);
    expect(await openStatuses(world)).toEqual([]);
    expect(world.states().some((state) => state.endsWith('canceled'))).toBe(true);
  });

  test.each(['pending', 'running'])('GitLab takes up %s late: canceled comes after it', async (state) => {
    await using world = await gitlabWorld();
    const stop = new AbortController();
    const slow = connectGitLab({
      url: world.server.url,
      token: secret(world.server.createToken('team', { name: 'slow', scopes: ['api'], accessLevel: 40 }).token),
      tokenKind: 'private',
      clock: systemClock(),
      async fetch(input, init) {
        const body = typeof init?.body === 'string' ? init.body : '';
        if (stop.signal.aborted || !body.includes(`"state":"${state}"`)) return fetch(input, init);
        // What has been sent is carried out, whether or not anybody waits for the answer.
        const answer = delay(300).then(() => fetch(input, { ...init, signal: null }));
        const gone = new Promise<never>((_, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error), { once: true });
        });
        stop.abort(new Fault('terminated', 'stop'));
        return Promise.race([answer, gone]);
      },
    });
    const more = { follow: endless, signal: stop.signal, gitlab: async () => slow };
    await expect(sync(optionsIn(world, [production], more))).rejects.toThrow('stop');
    await delay(600);
    expect(world.states().at(-1)).toBe('sync: production/cart canceled');
    expect(await openStatuses(world)).toEqual([]);
  });

  test('an error nobody caught, which aborts the run: failed', async () => {
    await using world = await gitlabWorld();
    const stop = new AbortController();
    world.server.on((event) => {
      if (event.type === 'status' && event.state === 'running') stop.abort(new TypeError('a bug elsewhere'));
    });
    await expect(sync(optionsIn(world, [{}], { follow: endless, signal: stop.signal }))).rejects.toThrow('a bug');
    expect(await openStatuses(world)).toEqual([]);
    expect(world.states().some((state) => state.endsWith('failed'))).toBe(true);
  });

  test('canceled before anything was posted', async () => {
    await using world = await gitlabWorld();
    const stop = new AbortController();
    stop.abort(new Fault('terminated', 'stop'));
    await expect(sync(optionsIn(world, [{}], { signal: stop.signal }))).rejects.toThrow('stop');
    expect(world.states()).toEqual([]);
  });

  test('a bug: failed', async () => {
    await using world = await gitlabWorld();
    const options = optionsIn(world, [{ origins: [own(world)] }], {
      // eslint-disable-next-line require-yield
      async *follow() {
        throw new TypeError('a bug');
      },
    });
    await expect(sync(options)).rejects.toThrow('a bug');
    expect(await openStatuses(world)).toEqual([]);
    expect(world.states().filter((state) => state.endsWith('failed')).length).toBeGreaterThan(0);
  });

  test('the deadline: failed as timed out, with what was seen last', async () => {
    await using world = await gitlabWorld();
    const result = await sync(
      optionsIn(world, [production], {
        follow: scripted(() => [['applied', null]]),
        deadline: Date.now() + 50,
      }),
    );
    expect(result).toMatchObject({ outcome: 'timed-out', exit: 5 });
    const [row] = await world.gitlab.statuses('team/delivery', world.commit);
    expect(row).toMatchObject({ state: 'failed', description: expect.stringContaining('cart applied') });
  });
});
