import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deliveryWorld } from './delivery-world.ts';
import type { DeliveryWorld } from './delivery-world.ts';

const name = 'sync: staging/podinfo';

describe('trouble while it is followed', () => {
  let world: DeliveryWorld;
  beforeAll(async () => {
    world = await deliveryWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test('the reports tell how long each phase took', async () => {
    await world.deliver('1.0.0');
    const run = await world.sluice(['deliver', '--timeout', '300s', '--report-dir', '.reports']);
    expect([run.exit, run.stdout]).toEqual([0, expect.stringMatching(/VERDICT +FETCHED +APPLIED +HEALTHY +MESSAGE/)]);
    const read = (file: string) => readFile(join(world.checkout, '.reports', file), 'utf8');
    const labels = 'environment="staging",app="podinfo",artifact="podinfo",cluster="eu"';
    const metrics = await read('metrics.txt');
    for (const phase of ['fetched', 'applied', 'healthy'])
      expect(metrics).toMatch(new RegExp(`^sluice_phase_seconds{${labels},phase="${phase}"} [0-9.]+$`, 'm'));
    expect(metrics).toMatch(/^# TYPE sluice_phase_seconds gauge$[^]*# EOF\n$/m);
    expect(await read('summary.md')).toMatch(
      /\| staging \| podinfo \| eu \| synced \| [0-9.]+ s \| [0-9.]+ s \| [0-9.]+ s \|/,
    );
    expect(await read('sluice.env')).toContain('SLUICE_SYNC_SYNCED=staging/podinfo');
  });

  test('the token is revoked in the middle: exit 7, the verdict is told, and repair closes what stands open', async () => {
    const { token } = world.gitlab.createToken('team', {
      name: 'brief',
      scopes: ['api', 'write_repository'],
      accessLevel: 40,
    });
    const sha = await world.deliver('1.1.0');
    world.cluster.scripts.pause('kustomize-controller');
    const running = world.sluice(['deliver', '--format', 'json', '--timeout', '300s'], {
      env: { SLUICE_GITLAB_TOKEN: token },
    });
    await expect.poll(() => world.states(world.origin), { timeout: 300_000 }).toContain(`${name} running`);
    await expect.poll(() => world.states(sha), { timeout: 300_000 }).toContain(`${name} running`);
    world.gitlab.revokeToken(token);
    world.cluster.scripts.resume('kustomize-controller');
    const run = await running;
    expect([run.exit, run.record['outcome']]).toEqual([7, 'synced']);
    expect(run.stderr).toContain('wrong, expired or revoked');
    const repaired = await world.sluice(['sync', '--repair']);
    expect(repaired.exit).toBe(0);
    for (const commit of [sha, world.origin]) expect(world.states(commit).at(-1)).toBe(`${name} canceled`);
  });

  test('the tag is deleted before Flux fetches: no verdict in time, with the registry’s word', async () => {
    const sha = await world.deliver('1.2.0');
    world.cluster.scripts.pause('source-controller');
    const published = await world.sluice(['publish', '--report-dir', '.reports']);
    expect(published.exit).toBe(0);
    world.registry.faults.add({ path: /manifests\/staging$/, status: 404 });
    world.cluster.scripts.resume('source-controller');
    const run = await world.sluice(['sync', '--published', '.reports/result.json', '--timeout', '30s']);
    world.registry.faults.clear();
    expect([run.exit, run.stdout]).toEqual([
      5,
      expect.stringMatching(/timed-out .*OCIRepository flux-system\/podinfo/),
    ]);
    expect(world.states(sha).at(-1)).toBe(`${name} failed`);
  });

  test('nothing stands under the tag, and publish’s result is not at hand', async () => {
    await world.deliver('1.3.0');
    world.registry.faults.add({ path: /manifests\/staging$/, status: 404 });
    const run = await world.sluice(['sync', '--timeout', '60s', '--format', 'json']);
    world.registry.faults.clear();
    expect([run.exit, run.record['outcome']]).toEqual([3, 'unpublished']);
  });
});

test.each([-3, 3])('the cluster’s clock is %i h off', async (hours) => {
  await using world = await deliveryWorld({ skewMs: hours * 3_600_000 });
  await world.deliver('1.0.0');
  expect((await world.sluice(['deliver', '--timeout', '300s'])).exit).toBe(0);
  await world.deliver('1.0.1-broken');
  expect((await world.sluice(['deliver', '--timeout', '300s'])).exit).toBe(4);
});
