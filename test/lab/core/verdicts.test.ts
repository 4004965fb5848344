import { beforeAll, describe, expect, test } from 'vitest';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectVersions } from '../versions.ts';
import { connectWatcher } from '../watcher.ts';
import type { Watcher } from '../watcher.ts';

const app = (more: object = {}) => sampleApp({ namespace: 'demo', ...more });
const failures = [
  {
    name: 'broken-yaml',
    files: { ...app(), 'service.yaml': 'apiVersion: v1\nkind: Service\nmetadata: {name: a\n' },
    reason: 'BuildFailed',
    says: 'service.yaml',
  },
  {
    name: 'undefined-variable',
    files: app({ color: '${COLOR}' }),
    spec: { postBuild: { substitute: { OTHER: 'x' } } },
    reason: 'BuildFailed',
    says: 'COLOR',
  },
  {
    name: 'invalid-object',
    files: { ...app(), 'service.yaml': (app()['service.yaml'] ?? '').replace('port: 80', 'port: 99999') },
    reason: 'ReconciliationFailed',
    says: '99999',
  },
  {
    name: 'missing-namespace',
    files: sampleApp({ namespace: 'absent' }),
    reason: 'ReconciliationFailed',
    says: 'absent',
  },
  {
    name: 'dead-deployment',
    files: sampleApp({ namespace: 'dead', fate: 'deadline' }),
    reason: 'HealthCheckFailed',
    says: 'Deployment dead/podinfo',
  },
] as const;

describe('sluice’s verdict on the real Flux, with the rights of its Role', () => {
  const stage = setStage({ tier: 'core' }, [
    'demo',
    'dead',
    'stuck',
    'broken',
    'suspended',
    'superseded',
    'no-wait',
    'late',
  ]);
  let watcher: Watcher;
  const { push, follow, stand } = connectVersions(stage, () => watcher);
  beforeAll(async () => {
    watcher = await connectWatcher(stage().stack);
  });

  test('synced: a first deployment, although its first look fails', async () => {
    const pushed = await push('first', app());
    const [{ verdict, phases }] = await Promise.all([watcher.watch(watcher.followed(pushed)), follow('first')]);
    expect(verdict).toMatchObject({ verdict: 'synced' });
    expect(phases.at(-1)).toBe('healthy');
  });

  test('synced: an update that sluice asks for, bound to its digest', async () => {
    await stand('update', app());
    const { verdict, phases } = await watcher.watch(watcher.followed(await push('update', app({ color: 'green' }))));
    expect(verdict).toMatchObject({ verdict: 'synced' });
    expect(phases[0]).toBe('waiting');
  });

  test.each(failures)('failed: $name', async ({ name, files, reason, says, ...more }) => {
    const pushed = await push(name, files);
    const [{ verdict }] = await Promise.all([
      watcher.watch(watcher.followed(pushed)),
      follow(name, 'spec' in more ? more.spec : {}),
    ]);
    expect(verdict).toMatchObject({ verdict: 'failed', reason });
    expect(verdict.message).toContain(says);
    expect(verdict.message).not.toContain('\n');
  });

  test('failed: a wrong path, after the patience for artifacts', async () => {
    const pushed = await push('wrong-path', app());
    const [{ verdict }] = await Promise.all([
      watcher.watch(watcher.followed(pushed), { patience: { artifact: 5_000 } }),
      follow('wrong-path', { path: './nope' }),
    ]);
    expect(verdict).toMatchObject({ verdict: 'failed', reason: 'ArtifactFailed' });
  });

  test('failed, then healed: an image that never comes up and a roll-forward', async () => {
    await stand('broken', sampleApp({ namespace: 'broken' }));
    const broken = await watcher.watch(
      watcher.followed(await push('broken', sampleApp({ namespace: 'broken', tag: '2.0.0-broken' }))),
    );
    expect(broken.verdict).toMatchObject({ verdict: 'failed' });
    expect(broken.verdict.message).toContain('Deployment broken/podinfo');
    const healed = await watcher.watch(
      watcher.followed(await push('broken', sampleApp({ namespace: 'broken', tag: '2.0.1' }))),
    );
    expect(healed.verdict).toMatchObject({ verdict: 'synced' });
  });

  test('suspended: although everything looks green', async () => {
    const { scene } = stage();
    await stand('suspended', sampleApp({ namespace: 'suspended' }));
    await scene.patch('Kustomization', 'suspended', { spec: { suspend: true } });
    const { verdict } = await watcher.watch(
      watcher.followed(await push('suspended', sampleApp({ namespace: 'suspended', color: 'red' }))),
    );
    expect(verdict).toMatchObject({ verdict: 'suspended' });
  });

  test('unconsumed: a source that no Kustomization uses', async () => {
    const { scene } = stage();
    const pushed = await push('unconsumed', app());
    await scene.put('OCIRepository', 'unconsumed', scene.ociSpec('team/unconsumed'));
    const { verdict } = await watcher.watch(watcher.followed(pushed), { patience: { unconsumed: 3_000 } });
    expect(verdict).toMatchObject({ verdict: 'unconsumed' });
  });

  test('timed-out: a Deployment that says nothing, with the last known reason', async () => {
    const pushed = await push('stuck', sampleApp({ namespace: 'stuck', fate: 'stuck' }));
    const [{ verdict }] = await Promise.all([
      watcher.watch(watcher.followed(pushed), { seconds: 6 }),
      follow('stuck', { timeout: '10m' }),
    ]);
    expect(verdict).toMatchObject({ verdict: 'timed-out' });
    expect(verdict.message).toContain('podinfo');
  });

  test('timed-out: a dependency that is never ready', async () => {
    const pushed = await push('dependent', app());
    const [{ verdict }] = await Promise.all([
      watcher.watch(watcher.followed(pushed), { seconds: 6 }),
      follow('dependent', { dependsOn: [{ name: 'never-there' }] }),
    ]);
    expect(verdict).toMatchObject({ verdict: 'timed-out' });
    expect(verdict.message).toContain('never-there');
  });

  test('failed: a tag that is not there, after the patience for fetching', async () => {
    const { scene } = stage();
    const pushed = await push('no-tag', app());
    await scene.put('OCIRepository', 'no-tag', scene.ociSpec('team/no-tag', { ref: { tag: 'absent' } }));
    await scene.put('Kustomization', 'no-tag', scene.kustomizationSpec('no-tag'));
    const { verdict } = await watcher.watch(watcher.followed({ ...pushed, reference: 'absent' }), {
      patience: { fetch: 4_000 },
    });
    expect(verdict).toMatchObject({ verdict: 'failed', reason: 'OCIArtifactPullFailed' });
  });

  test('superseded where a newer version lost our values, synced where it holds them', async () => {
    await stand('superseded', sampleApp({ namespace: 'superseded' }));
    const ours = await push('superseded', sampleApp({ namespace: 'superseded', color: 'ours' }));
    const newer = await push('superseded', sampleApp({ namespace: 'superseded', color: 'newer' }));
    const contains = async (own: string, theirs: string) => own === theirs || theirs === newer.commit;
    const gone = await watcher.watch(watcher.followed(ours), { contains });
    expect(gone.verdict).toMatchObject({ verdict: 'superseded' });
    const held = await watcher.watch(watcher.followed(ours), { contains, stillHolds: async () => true });
    expect(held.verdict).toMatchObject({ verdict: 'synced' });
  });

  test('without wait sluice looks at the workloads itself', async () => {
    await stand('no-wait', sampleApp({ namespace: 'no-wait' }), { wait: false });
    const good = await watcher.watch(
      watcher.followed(await push('no-wait', sampleApp({ namespace: 'no-wait', color: 'good' }))),
    );
    expect(good.verdict).toMatchObject({ verdict: 'synced' });
    const bad = await watcher.watch(
      watcher.followed(await push('no-wait', sampleApp({ namespace: 'no-wait', tag: '2.0.0-broken' }))),
    );
    expect(bad.verdict).toMatchObject({ verdict: 'failed' });
    expect(bad.verdict.message).toContain('podinfo');
  });
});
