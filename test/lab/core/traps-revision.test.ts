import { beforeAll, describe, expect, test } from 'vitest';
import { hasFailed } from '../flux-object.ts';
import type { FluxObject } from '../flux-object.ts';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectVersions } from '../versions.ts';
import { connectWatcher } from '../watcher.ts';
import type { Watcher } from '../watcher.ts';

/** The numbers are those of docs/truth-table.md and of the tests of test/watch/traps-*.test.ts. */
describe('traps of sources, revisions and conditions', () => {
  const names = [
    'unasked',
    'cached',
    'same',
    'annotated',
    'back',
    'bad-back',
    'former',
    'retried',
    'two-tags',
    'moved',
  ];
  const stage = setStage({ tier: 'core' }, ['demo', ...names]);
  let watcher: Watcher;
  const { push, stand, watch } = connectVersions(stage, () => watcher);
  const app = (namespace: string, more: object = {}) => sampleApp({ namespace, ...more });
  beforeAll(async () => {
    watcher = await connectWatcher(stage().stack);
  });

  test('1, 2, 30: while nobody asks Flux, the green of the version before is not ours', async () => {
    const { scene } = stage();
    await stand('unasked', app('unasked'));
    const ours = await push('unasked', app('unasked', { color: 'green' }));
    const { verdict, phases } = await watch(ours, { seconds: 4, ask: async () => {} });
    expect(verdict).toMatchObject({ verdict: 'timed-out', message: expect.stringContaining(ours.wanted.slice(0, 19)) });
    expect(new Set(phases)).toEqual(new Set(['waiting']));
    // 4: the tarball that Flux makes has a digest of its own.
    expect((await watch(ours)).verdict).toMatchObject({ verdict: 'synced' });
    const { object } = await scene.waitFor('OCIRepository', 'unasked', ({ status }) => status?.artifact !== undefined);
    expect(object.status?.artifact?.revision).toBe(`main@${ours.wanted}`);
    expect(object.status?.artifact?.digest).not.toBe(ours.wanted);
  });

  test('2, 9: the first request finds the old version, and others ask too: sluice asks again', async () => {
    const { scene } = stage();
    await stand('cached', app('cached'));
    const files = app('cached', { color: 'green' });
    const annotations = { 'org.opencontainers.image.revision': `main@sha1:${'a'.repeat(40)}` };
    const early = await push('cached', files, { tag: 'elsewhere', annotations });
    const following = watch({ ...early, commit: 'a'.repeat(40) });
    await scene.waitFor('OCIRepository', 'cached', ({ status }) => status?.lastHandledReconcileAt !== undefined);
    await scene.poke('OCIRepository', 'cached');
    await scene.poke('Kustomization', 'cached');
    await push('cached', files, { annotations });
    expect((await following).verdict).toMatchObject({ verdict: 'synced' });
  });

  test('5: the tag is moved back while ours is coming up: superseded, neither green nor red', async () => {
    const { scene } = stage();
    const files = app('moved');
    const first = await stand('moved', files, { timeout: '10m' });
    const ours = await push('moved', app('moved', { fate: 'stuck', color: 'green' }));
    const following = watch(ours);
    await scene.waitFor('OCIRepository', 'moved', ({ status }) => status?.artifact?.revision === `main@${ours.wanted}`);
    await push('moved', files, { annotations: { 'org.opencontainers.image.revision': `main@sha1:${first.commit}` } });
    await scene.poke('OCIRepository', 'moved');
    expect((await following).verdict).toMatchObject({ verdict: 'superseded' });
  });

  test('7: the very content that stands already', async () => {
    const standing = await stand('same', app('same'));
    expect((await watch(standing, { ask: async () => {} })).verdict).toMatchObject({ verdict: 'synced' });
  });

  test('8: the same content under another commit', async () => {
    await stand('annotated', app('annotated'));
    expect((await watch(await push('annotated', app('annotated')))).verdict).toMatchObject({ verdict: 'synced' });
  });

  test('10: the failure of the version before still stands', async () => {
    const { scene } = stage();
    await stand('former', app('former'));
    await push('former', { ...app('former'), 'service.yaml': 'kind: [' });
    const failed = scene.waitFor('Kustomization', 'former', hasFailed('BuildFailed'));
    await scene.poke('OCIRepository', 'former');
    await failed;
    const { verdict } = await watch(await push('former', app('former', { color: 'green' })));
    expect(verdict).toMatchObject({ verdict: 'synced' });
  });

  test('11: back to a former digest, from a good version and from a broken one', async () => {
    const annotations = { 'org.opencontainers.image.revision': `main@sha1:${'b'.repeat(40)}` };
    const files = app('back');
    await stand('back', app('back', { color: 'red' }));
    const first = await push('back', files, { annotations });
    expect((await watch(first)).verdict).toMatchObject({ verdict: 'synced' });
    expect((await watch(await push('back', app('back', { color: 'green' })))).verdict.verdict).toBe('synced');
    expect(await push('back', files, { annotations })).toMatchObject({ wanted: first.wanted });
    expect((await watch(first)).verdict).toMatchObject({ verdict: 'synced' });
    expect((await watch(await push('back', app('back', { tag: '2.0.0-broken' })))).verdict.verdict).toBe('failed');
    await push('back', files, { annotations });
    expect((await watch(first)).verdict).toMatchObject({ verdict: 'synced' });
  });

  test('12: looked at while Flux tries again, when Ready is Unknown', async () => {
    const { scene } = stage();
    await stand('retried', app('retried'), { retryInterval: '1s' });
    const ours = await push('retried', app('retried', { tag: '2.0.0-broken' }));
    const failed = scene.waitFor('Kustomization', 'retried', hasFailed('HealthCheckFailed'));
    await scene.poke('OCIRepository', 'retried');
    await failed;
    const isRetried = (object: FluxObject) =>
      object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'Unknown') ?? false;
    await scene.waitFor('Kustomization', 'retried', isRetried);
    expect((await watch(ours)).verdict).toMatchObject({ verdict: 'failed', reason: 'HealthCheckFailed' });
  });

  test.each([
    ['semver', { semver: '1.x' }, 'semver 1.x'],
    ['another-tag', { tag: '1.0.0' }, 'tag 1.0.0'],
  ])('16: the source follows %s: nothing will fetch what was pushed', async (name, ref, says) => {
    const { scene } = stage();
    const ours = await push(name, app('demo'));
    await push(name, app('demo'), { tag: '1.0.0' });
    await scene.put('OCIRepository', name, scene.ociSpec(`team/${name}`, { ref }));
    await scene.put('Kustomization', name, scene.kustomizationSpec(name));
    const { verdict } = await watch(ours, { patience: { unconsumed: 3_000 } });
    expect(verdict).toMatchObject({ verdict: 'unconsumed', message: expect.stringContaining(says) });
  });

  test('16: of two sources of one repository only that of the tag is followed', async () => {
    const { scene } = stage();
    await push('two-tags', { 'service.yaml': 'kind: [' }, { tag: 'production' });
    await scene.put('OCIRepository', 'two-tags-other', scene.ociSpec('team/two-tags', { ref: { tag: 'production' } }));
    await scene.put('Kustomization', 'two-tags-other', scene.kustomizationSpec('two-tags-other'));
    await scene.waitFor('Kustomization', 'two-tags-other', hasFailed('BuildFailed'));
    await stand('two-tags', app('two-tags'));
    const { verdict } = await watch(await push('two-tags', app('two-tags', { color: 'green' })));
    expect(verdict).toMatchObject({ verdict: 'synced' });
    expect(verdict.objects.map(({ name }) => name)).toEqual(['two-tags', 'two-tags']);
  });

  test('27: a layer that is no archive', async () => {
    await stand('no-archive', app('demo'));
    const ours = await push('no-archive', new TextEncoder().encode('this is no archive'));
    const { verdict } = await watch(ours, { patience: { artifact: 4_000 } });
    expect(verdict).toMatchObject({ verdict: 'failed', reason: 'OCIArtifactLayerOperationFailed' });
  });
});
