import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { hasApplied } from '../flux-object.ts';
import { deployment, sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectVersions } from '../versions.ts';
import { connectWatcher } from '../watcher.ts';
import type { Watcher } from '../watcher.ts';

/** The numbers are those of docs/truth-table.md and of the tests of test/watch/traps-*.test.ts. */
describe('traps of what stands above, below and beside', () => {
  const names = ['paused', 'low', 'ailing', 'foreign', 'base', 'late', 'second', 'gone', 'checked', 'aimed', 'far'];
  const stage = setStage({ tier: 'core' }, ['demo', ...names]);
  let watcher: Watcher;
  const { push, follow, stand, watch } = connectVersions(stage, () => watcher);
  const app = (namespace: string, more: object = {}) => sampleApp({ namespace, ...more });
  beforeAll(async () => {
    watcher = await connectWatcher(stage().stack);
  });

  /** An artifact whose Kustomization applies another one, of the folder `child` and the source named. */
  function nested(name: string, source: string, path: string, more: object = {}): Record<string, string> {
    const child = {
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      metadata: { name: `${name}-child`, namespace: 'flux-system' },
      spec: stage().scene.kustomizationSpec(source, { path }),
    };
    return {
      'top/child.yaml': JSON.stringify(child),
      ...Object.fromEntries(Object.entries(app(name, more)).map(([file, text]) => [`child/${file}`, text])),
    };
  }
  const top = { path: './top', wait: false };

  test('15: the source is suspended', async () => {
    await stand('paused', app('paused'));
    await stage().scene.patch('OCIRepository', 'paused', { spec: { suspend: true } });
    const { verdict } = await watch(await push('paused', app('paused', { color: 'green' })));
    expect(verdict).toMatchObject({ verdict: 'suspended', message: expect.stringContaining('OCIRepository') });
  });

  test('15, 17: a Kustomization below is suspended', async () => {
    const { scene } = stage();
    const first = await stand('low', nested('low', 'low', './child'), top);
    await scene.waitFor('Kustomization', 'low-child', hasApplied(first.wanted));
    await scene.patch('Kustomization', 'low-child', { spec: { suspend: true } });
    const { verdict } = await watch(await push('low', nested('low', 'low', './child', { color: 'green' })));
    expect(verdict).toMatchObject({ verdict: 'suspended', message: expect.stringContaining('low-child') });
  });

  test('17: a Kustomization below does not come up, and is healed', async () => {
    await stand('ailing', nested('ailing', 'ailing', './child'), top);
    const broken = await watch(await push('ailing', nested('ailing', 'ailing', './child', { tag: '2.0.0-broken' })));
    expect(broken.verdict).toMatchObject({ verdict: 'failed', message: expect.stringContaining('ailing-child') });
    const healed = await watch(await push('ailing', nested('ailing', 'ailing', './child', { tag: '2.0.1' })));
    expect(healed.verdict).toMatchObject({ verdict: 'synced' });
  });

  test('18: a Kustomization below has a source of its own, which stays as it is', async () => {
    await stand('base', app('base'));
    const files = nested('foreign', 'base', './');
    await stand('foreign', files, top);
    const settings = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: foreign}\n';
    const { verdict } = await watch(await push('foreign', { ...files, 'top/settings.yaml': settings }));
    expect(verdict).toMatchObject({ verdict: 'synced' });
    expect(verdict.objects.map(({ name }) => name)).toContain('foreign-child');
  });

  test('19: a dependency is not there, and comes up later', async () => {
    const ours = await push('late', app('late'));
    await follow('late', { dependsOn: [{ name: 'late-base' }] });
    const following = watch(ours);
    await stage().scene.waitFor('Kustomization', 'late', ({ status }) => JSON.stringify(status).includes('NotReady'));
    await push('late-base', app('demo'));
    await follow('late-base');
    expect((await following).verdict).toMatchObject({ verdict: 'synced' });
  });

  test('26: a second Kustomization uses the artifact, in another namespace, and does not come up', async () => {
    const { scene, stack } = stage();
    await stand('second', app('second'));
    const spec = scene.kustomizationSpec('second', {
      targetNamespace: 'second',
      patches: [
        {
          target: { kind: 'Deployment' },
          patch: '[{"op":"add","path":"/metadata/labels/lab~1fate","value":"deadline"}]',
        },
        { target: { kind: 'Deployment' }, patch: '[{"op":"replace","path":"/metadata/name","value":"other"}]' },
      ],
      sourceRef: { kind: 'OCIRepository', name: 'second', namespace: 'flux-system' },
    });
    const apiVersion = 'kustomize.toolkit.fluxcd.io/v1';
    await stack.kube.apply({
      apiVersion,
      kind: 'Kustomization',
      metadata: { name: 'second', namespace: 'demo' },
      spec,
    });
    const { verdict } = await watch(await push('second', app('second', { color: 'green' })));
    expect(verdict).toMatchObject({ verdict: 'failed', message: expect.stringContaining('demo/second') });
  });

  test('31: the Kustomization is deleted while it is waited for', async () => {
    const { scene, stack } = stage();
    await stand('gone', app('gone'), { timeout: '10m' });
    const ours = await push('gone', app('gone', { fate: 'stuck' }));
    const following = watch(ours, { patience: { gone: 3_000 } });
    await scene.waitFor(
      'Kustomization',
      'gone',
      ({ status }) => status?.lastAttemptedRevision?.endsWith(ours.wanted) === true,
    );
    await stack.kube.raw('DELETE', '/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/gone');
    const { verdict } = await following;
    expect(verdict).toMatchObject({ verdict: 'failed', reason: expect.stringMatching(/^Delet(ing|ed)$/) });
  });

  test('14: health checks speak for what they name, the others are looked at', async () => {
    const healthChecks = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'podinfo', namespace: 'checked' }];
    const files = (tag: string) => ({
      ...app('checked'),
      'kustomization.yaml': (app('checked')['kustomization.yaml'] ?? '').replace('service.yaml', 'worker.yaml'),
      'worker.yaml': deployment('worker', tag),
    });
    await stand('checked', files('1.0.0'), { wait: false, healthChecks });
    const { verdict } = await watch(await push('checked', files('2.0.0-broken')));
    expect(verdict).toMatchObject({ verdict: 'failed', message: expect.stringContaining('checked/worker') });
  });

  test('a targetNamespace: workloads are looked for where they are', async () => {
    const files = { 'deployment.yaml': deployment('plain', '1.0.0') };
    const ours = await push('aimed', files);
    await follow('aimed', { wait: false, targetNamespace: 'aimed' });
    const { verdict } = await watch(ours);
    expect(verdict).toMatchObject({ verdict: 'synced' });
    expect(verdict.objects).toContainEqual(expect.objectContaining({ kind: 'Deployment', namespace: 'aimed' }));
  });

  test.each([
    [false, 'unknown'],
    [true, 'synced'],
  ])('applied by spec.kubeConfig, wait %s: %s', async (wait, expected) => {
    const { scene, stack } = stage();
    const name = `far-${wait}`;
    await scene.secret('far', { value: readFileSync(stack.kubeconfig, 'utf8') });
    const ours = await push(name, app('far'));
    await follow(name, { wait, kubeConfig: { secretRef: { name: 'far' } } });
    expect((await watch(ours)).verdict).toMatchObject({ verdict: expected });
  });
});
