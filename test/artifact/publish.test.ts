import { describe, expect, test } from 'vitest';
import { bothApps, overlay, publishing } from './publishing.ts';

const outcomes = (published: Awaited<ReturnType<Awaited<ReturnType<typeof publishing>>['publish']>>) =>
  Object.fromEntries(published.publication.artifacts.map((one) => [`${one.environment}/${one.artifact}`, one.outcome]));

describe('publish, with real git, ORAS, kustomize and a registry', () => {
  test('pushes what is new, and nothing twice', async () => {
    await using world = await publishing();
    const first = await world.commit({
      ...overlay('podinfo', 'staging'),
      ...overlay('podinfo', 'production'),
      ...overlay('web', 'staging'),
    });
    const published = await world.publish(first, { config: bothApps });
    expect(published.publication.artifacts.map((one) => one.fault)).toEqual([undefined, undefined, undefined]);
    expect(outcomes(published)).toEqual({
      'staging/podinfo': 'pushed',
      'staging/web': 'pushed',
      'production/podinfo': 'pushed',
    });
    expect([...world.registry.tags('shop/delivery/podinfo').keys()]).toEqual(
      ['production', `production-${first.slice(0, 12)}`, 'staging', `staging-${first.slice(0, 12)}`].sort(),
    );
    const digests = world.registry.tags('shop/delivery/podinfo');
    expect(published.publication.artifacts[0]?.digest).toBe(digests.get('staging'));

    const again = await world.publish(first, { config: bothApps });
    expect(new Set(Object.values(outcomes(again)))).toEqual(new Set(['unchanged']));
    expect(again.publication.artifacts[0]?.digest).toBe(digests.get('staging'));

    const second = await world.commit(overlay('podinfo', 'staging', '1.1.0'));
    expect(outcomes(await world.publish(second, { config: bothApps }))).toEqual({
      'staging/podinfo': 'pushed',
      'staging/web': 'unchanged',
      'production/podinfo': 'unchanged',
    });
  });
});
