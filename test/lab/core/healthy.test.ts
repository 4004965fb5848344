import { describe, expect, test } from 'vitest';
import { brief, condition, hasApplied, hasFailed } from '../flux-object.ts';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';

describe('a new version', () => {
  const stage = setStage({ tier: 'core' });

  test('becomes healthy at the pushed digest, after a first look that finds no artifact', async () => {
    const { scene } = stage();
    const { digest } = await scene.push('team/app', sampleApp({ namespace: 'demo' }));
    await scene.put('Kustomization', 'app', scene.kustomizationSpec('app'));
    await scene.waitFor('Kustomization', 'app', hasFailed('ArtifactFailed'));
    await scene.put('OCIRepository', 'app', scene.ociSpec('team/app'));
    const { object } = await scene.waitFor('Kustomization', 'app', hasApplied(digest));
    expect(brief(object, 'Ready')).toBe('Ready=True ReconciliationSucceeded');
    expect(brief(object, 'Healthy')).toBe('Healthy=True Succeeded');
    expect(object.status?.lastAppliedRevision).toBe(`main@${digest}`);
    expect(object.status?.inventory?.entries?.map(({ id }) => id)).toContain('demo_podinfo_apps_Deployment');
  });

  test('is poked in: Ready=True stands beside the old applied revision for a moment', async () => {
    const { scene } = stage();
    const before = await scene.get('Kustomization', 'app');
    const { digest } = await scene.push('team/app', sampleApp({ namespace: 'demo', color: 'green' }));
    const applied = scene.waitFor('Kustomization', 'app', hasApplied(digest));
    await scene.poke('OCIRepository', 'app');
    const { seen } = await applied;
    const early = seen.filter(({ conditions }) =>
      conditions.some(({ type, status, message }) => type === 'Ready' && status === 'True' && message.endsWith(digest)),
    );
    expect(early[0]?.applied).toBe(before.status?.lastAppliedRevision);
    expect(early.at(-1)?.applied).toBe(`main@${digest}`);
  });

  test('whose image never comes up fails at its deadline, and a roll-forward heals it', async () => {
    const { scene } = stage();
    const broken = await scene.push('team/app', sampleApp({ namespace: 'demo', tag: '2.0.0-broken' }));
    const failed = scene.waitFor(
      'Kustomization',
      'app',
      (object) =>
        hasFailed('HealthCheckFailed')(object) && object.status?.lastAttemptedRevision === `main@${broken.digest}`,
    );
    await scene.poke('OCIRepository', 'app');
    const { object } = await failed;
    expect(condition(object, 'Healthy')?.status).toBe('False');
    expect(condition(object, 'Ready')?.message).toContain('Deployment/demo/podinfo');
    const fixed = await scene.push('team/app', sampleApp({ namespace: 'demo', tag: '2.0.1' }));
    const healed = scene.waitFor('Kustomization', 'app', hasApplied(fixed.digest));
    await scene.poke('OCIRepository', 'app');
    expect((await healed).object.status?.lastAppliedRevision).toBe(`main@${fixed.digest}`);
  });

  test('of the same content under another annotation is applied again without a new build', async () => {
    const { scene } = stage();
    const files = sampleApp({ namespace: 'demo', tag: '3.0.0' });
    const first = await scene.push('team/app', files, {
      annotations: { 'org.opencontainers.image.revision': `main@sha1:${'1'.repeat(40)}` },
    });
    const one = scene.waitFor('Kustomization', 'app', hasApplied(first.digest));
    await scene.poke('OCIRepository', 'app');
    const before = (await one).object;
    const second = await scene.push('team/app', files, {
      annotations: { 'org.opencontainers.image.revision': `main@sha1:${'2'.repeat(40)}` },
    });
    const two = scene.waitFor('Kustomization', 'app', hasApplied(second.digest));
    await scene.poke('OCIRepository', 'app');
    const after = (await two).object;
    expect(second.digest).not.toBe(first.digest);
    expect(after.status?.history?.length).toBe(before.status?.history?.length);
  });
});
