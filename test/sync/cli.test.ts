import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deliveryWorld } from './delivery-world.ts';
import type { DeliveryWorld, Run } from './delivery-world.ts';

let world: DeliveryWorld;
const runs: Run[] = [];

beforeAll(async () => {
  world = await deliveryWorld();
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

async function sluice(...args: Parameters<DeliveryWorld['sluice']>): Promise<Run> {
  const run = await world.sluice(...args);
  runs.push(run);
  return run;
}

const name = 'sync: staging/podinfo';

describe('sluice sync on simulated parts', () => {
  test('deliver: from the commit to both answers', async () => {
    const sha = await world.deliver('6.5.0');
    const run = await sluice(['deliver', '--format', 'json', '--timeout', '60s']);
    expect([run.exit, run.stderr]).toEqual([0, expect.stringContaining('staging/podinfo in eu')]);
    expect(run.record).toMatchObject({
      command: 'deliver',
      outcome: 'synced',
      commit: sha,
      artifacts: [{ outcome: 'pushed' }],
      pairs: [{ verdict: 'synced', clusters: [{ cluster: 'eu' }] }],
    });
    for (const commit of [sha, world.origin])
      expect(world.states(commit)).toEqual([`${name} pending`, `${name} running`, `${name} success`]);
  }, 90_000);

  test('sync without publish’s result asks registry and trailers', async () => {
    const plan = await sluice(['sync', '--dry-run', '--format', 'json']);
    expect([plan.exit, plan.record['outcome']]).toEqual([0, 'planned']);
    expect(plan.record['statuses']).toHaveLength(2);
    const run = await sluice(['sync', '--format', 'json', '--timeout', '60s']);
    expect([run.exit, run.record['outcome']]).toEqual([0, 'synced']);
  }, 90_000);

  test('a version that never becomes healthy: failed with its cause, exit 4', async () => {
    const sha = await world.deliver('6.6.0-crash');
    const run = await sluice(['deliver', '--timeout', '60s']);
    expect([run.exit, run.stdout]).toEqual([4, expect.stringMatching(/staging\/podinfo +eu +failed/)]);
    expect(world.states(sha)).toEqual([`${name} pending`, `${name} running`, `${name} failed`]);
    expect(world.states(world.origin).at(-1)).toBe(`${name} failed`);
  }, 90_000);

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    '%s: canceled, exit %i',
    async (signal, exit) => {
      const sha = await world.deliver(`6.7.0-broken-${signal.toLowerCase()}`);
      const begun = new Set<string>();
      const off: (() => void)[] = [];
      const run = await sluice(['deliver', '--timeout', '60s'], {
        during: (kill) => {
          off.push(
            world.gitlab.on((event) => {
              if (event.type !== 'status' || event.state !== 'running') return;
              // The two commits are told side by side: which is first is not certain.
              begun.add(event.sha);
              if (begun.has(sha) && begun.has(world.origin)) kill(signal);
            }),
          );
        },
      });
      off[0]?.();
      expect(run.exit).toBe(exit);
      expect(world.states(sha).at(-1)).toBe(`${name} canceled`);
      expect(world.states(world.origin).at(-1)).toBe(`${name} canceled`);
    },
    90_000,
  );

  test('killed outright: repair closes what it left', async () => {
    const sha = await world.deliver('6.8.0-broken');
    const off: (() => void)[] = [];
    await sluice(['deliver', '--timeout', '60s'], {
      during: (kill) => {
        off.push(
          world.gitlab.on((event) => {
            if (event.type === 'status' && event.state === 'running' && event.sha === sha) kill('SIGKILL');
          }),
        );
      },
    });
    off[0]?.();
    expect(world.states(sha).at(-1)).toBe(`${name} running`);
    const run = await sluice(['sync', '--repair', '--format', 'json'], { env: { CI_JOB_STATUS: 'failed' } });
    expect([run.exit, run.record['outcome']]).toEqual([0, 'repaired']);
    expect(world.states(sha).at(-1)).toBe(`${name} failed`);
  }, 90_000);

  test('notify asks and does not wait', async () => {
    const run = await sluice(['notify', '--environment', 'staging', '--format', 'json']);
    expect([run.exit, run.record]).toEqual([
      0,
      expect.objectContaining({
        outcome: 'asked',
        requests: [expect.objectContaining({ cluster: 'eu', way: 'annotate' })],
      }),
    ]);
  }, 60_000);

  test.each([
    ['an unknown environment', ['sync', '--environment', 'stagging'], {}, 2, 'staging'],
    ['a missing token', ['sync'], { SLUICE_GITLAB_TOKEN: '' }, 7, 'SLUICE_GITLAB_TOKEN'],
    ['a wrong token', ['sync', '--timeout', '60s'], { SLUICE_GITLAB_TOKEN: 'glpat-wrong' }, 7, '401'],
    ['a missing context', ['sync', '--timeout', '60s'], { KUBECONFIG: '/nowhere' }, 7, 'KUBECONFIG'],
    ['a result that is none', ['sync', '--published', 'sluice.yaml'], {}, 2, 'no JSON'],
    ['a missing result', ['sync', '--published', 'gone.json'], {}, 2, 'gone.json'],
  ])(
    '%s is one clear error',
    async (_, args, env, exit, said) => {
      const run = await sluice(args, { env });
      expect([run.exit, run.stdout + run.stderr]).toEqual([exit, expect.stringContaining(said)]);
    },
    60_000,
  );

  test('no output held a credential', () => {
    expect(runs.length).toBeGreaterThan(10);
    const leaks = runs.filter((run) => world.secrets.some((one) => (run.stdout + run.stderr).includes(one)));
    expect(leaks).toEqual([]);
  });
});
