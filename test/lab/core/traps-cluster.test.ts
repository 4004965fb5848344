import { beforeAll, describe, expect, test } from 'vitest';
import { openCutter } from '../cut-connections.ts';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectVersions } from '../versions.ts';
import { connectWatcher } from '../watcher.ts';
import type { Watcher } from '../watcher.ts';

/**
 * The numbers are those of docs/truth-table.md and of the tests of test/watch/traps-*.test.ts. There is no
 * notification-controller on these stages: events reach nobody (24).
 */
describe('traps of the cluster itself', () => {
  const stage = setStage({ tier: 'core', featureGates: ['CancelHealthCheckOnNewRevision'] }, [
    'canceled',
    'restarted',
    'cut',
    'hung',
  ]);
  let watcher: Watcher;
  const { push, stand, watch } = connectVersions(stage, () => watcher);
  const app = (namespace: string, more: object = {}) => sampleApp({ namespace, ...more });
  beforeAll(async () => {
    watcher = await connectWatcher(stage().stack);
  });

  test('21: a health check that the next version, which holds our values, cancels', async () => {
    const { scene } = stage();
    await stand('canceled', app('canceled'), { timeout: '10m' });
    const ours = await push('canceled', app('canceled', { fate: 'stuck', color: 'ours' }));
    const contains = async () => true;
    const following = watch(ours, { contains, stillHolds: contains });
    await scene.waitFor('Kustomization', 'canceled', ({ status }) =>
      JSON.stringify(status?.conditions).includes('Running health checks for revision main@' + ours.wanted),
    );
    await push('canceled', app('canceled', { color: 'ours' }));
    await scene.poke('OCIRepository', 'canceled');
    const { verdict, messages } = await following;
    expect([verdict.verdict, messages]).toEqual(['synced', expect.any(Array)]);
  });

  test('23: source-controller restarts and loses its artifacts', async () => {
    const { stack } = stage();
    await stand('restarted', app('restarted'));
    const ours = await push('restarted', app('restarted', { color: 'green' }));
    const [{ verdict }] = await Promise.all([watch(ours), stack.restart('source-controller')]);
    expect(verdict).toMatchObject({ verdict: 'synced' });
    const again = await Promise.all([
      watch(await push('restarted', app('restarted', { tag: '2.0.0-broken' }))),
      stack.restart('kustomize-controller'),
    ]);
    expect(again[0].verdict).toMatchObject({ verdict: 'failed' });
  });

  test('29: all connections are lost again and again', async () => {
    const { stack } = stage();
    const cutter = await openCutter(stack.url);
    const shaky = await connectWatcher(stack, { url: cutter.url });
    await stand('cut', app('cut'));
    const ours = await push('cut', app('cut', { color: 'green' }));
    const cutting = setInterval(() => cutter.cut(), 400);
    try {
      expect((await shaky.watch(shaky.followed(ours))).verdict).toMatchObject({ verdict: 'synced' });
      const broken = await push('cut', app('cut', { tag: '2.0.0-broken' }));
      expect((await shaky.watch(shaky.followed(broken))).verdict).toMatchObject({ verdict: 'failed' });
    } finally {
      clearInterval(cutting);
      cutter.stop();
    }
  });

  test('30: kustomize-controller hangs: no verdict, and no green', async () => {
    const { stack } = stage();
    await stand('hung', app('hung'));
    stack.freeze('kustomize-controller', true);
    try {
      const { verdict, phases } = await watch(await push('hung', app('hung', { color: 'green' })), { seconds: 5 });
      expect([verdict.verdict, phases.at(-1)]).toEqual(['timed-out', 'fetched']);
    } finally {
      stack.freeze('kustomize-controller', false);
    }
  });
});
