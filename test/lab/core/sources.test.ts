import { describe, expect, test } from 'vitest';
import { brief, condition, hasFailed } from '../flux-object.ts';
import { setStage } from '../stage.ts';

describe('a source that cannot be fetched', () => {
  const stage = setStage({ tier: 'core' }, []);

  test.each(['team/app', 'team/absent'])(
    'tag missing in %s: the registry’s answer stands in the conditions',
    async (repository) => {
      const { scene } = stage();
      await scene.push('team/app', { 'a.yaml': '{}' });
      const name = repository.replace('/', '-');
      await scene.put('OCIRepository', name, scene.ociSpec(repository, { ref: { tag: 'absent' } }));
      const { object } = await scene.waitFor('OCIRepository', name, hasFailed('OCIArtifactPullFailed'));
      expect(brief(object, 'FetchFailed')).toBe('FetchFailed=True OCIArtifactPullFailed');
      expect(condition(object, 'FetchFailed')?.message).toMatch(/MANIFEST_UNKNOWN/);
      expect(brief(object, 'Reconciling')).toBe('Reconciling=True ProgressingWithRetry');
      expect(object.status?.artifact).toBeUndefined();
    },
  );

  test('layer that is no archive: a failed layer operation', async () => {
    const { scene } = stage();
    await scene.push('team/no-tar', new TextEncoder().encode('this is no archive'));
    await scene.put('OCIRepository', 'no-tar', scene.ociSpec('team/no-tar'));
    const { object } = await scene.waitFor(
      'OCIRepository',
      'no-tar',
      (seen) => condition(seen, 'FetchFailed')?.status === 'True',
    );
    expect(condition(object, 'FetchFailed')?.reason).toBe('OCIArtifactLayerOperationFailed');
  });

  test('the pushed tag appears later: the next request finds it', async () => {
    const { scene } = stage();
    await scene.put('OCIRepository', 'later', scene.ociSpec('team/later'));
    await scene.waitFor('OCIRepository', 'later', hasFailed('OCIArtifactPullFailed'));
    const { digest } = await scene.push('team/later', { 'a.yaml': '{}' });
    await scene.poke('OCIRepository', 'later');
    const { object } = await scene.waitFor(
      'OCIRepository',
      'later',
      (seen) => seen.status?.artifact !== undefined && condition(seen, 'Ready')?.status === 'True',
    );
    expect(object.status?.artifact?.revision).toBe(`main@${digest}`);
    expect(condition(object, 'FetchFailed')).toBeUndefined();
  });
});
