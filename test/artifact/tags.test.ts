import { describe, expect, test } from 'vitest';
import { bothApps, config, firstOf as only, overlay, publishing } from './publishing.ts';

const podinfo = 'shop/delivery/podinfo';
const both = () => ({ ...overlay('podinfo', 'staging'), ...overlay('podinfo', 'production') });

describe('further tags', () => {
  test.each([
    ['another environment’s moving tag', 'production', 'production/podinfo'],
    ['the ledger’s name', 'ledger', 'reserved'],
    ['a tag that never moves, of another commit', 'production-0123456789ab', 'delivery commit of production'],
    ['a tag that never moves, of another environment', 'production-{commit}', 'delivery commit of production'],
  ])('that take %s are refused before anything is pushed', async (_, template, words) => {
    await using world = await publishing();
    const sha = await world.commit(overlay('podinfo', 'staging'));
    await expect(world.publish(sha, { tags: [template] })).rejects.toMatchObject({
      code: 'usage',
      exit: 2,
      message: expect.stringContaining(words),
    });
    expect(world.registry.requests).toEqual([]);
  });

  test('of placeholders name the pushed digest; what they have not is told', async () => {
    await using world = await publishing();
    const sha = await world.commit(overlay('podinfo', 'staging'));
    const published = only(await world.publish(sha, { tags: ['{environment}-latest', 'v-{commit}', '{branch}'] }));
    const tags = world.registry.tags(podinfo);
    for (const tag of ['staging-latest', `v-${sha.slice(0, 12)}`, 'main']) {
      expect(tags.get(tag)).toBe(published.digest);
      expect(published.tags).toContain(tag);
    }
    await expect(world.publish(sha, { tags: ['{version}'] })).rejects.toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('{environment}'),
    });
  });

  test('do not go backwards either', async () => {
    await using world = await publishing();
    const older = await world.commit(overlay('podinfo', 'staging', '1'));
    const newer = await world.commit(overlay('podinfo', 'staging', '2'));
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    world.registry.faults.add({ method: 'PUT', path: /manifests\/staging$/, times: 1, until: held });
    const slow = world.publish(older, { tags: ['{environment}-latest'] });
    await world.registry.seen((request) => request.method === 'PUT' && request.path.endsWith('/manifests/staging'));
    const fast = only(await world.publish(newer, { tags: ['{environment}-latest'] }));
    release();
    expect(only(await slow).outcome).toBe('superseded');
    expect(world.registry.tags(podinfo).get('staging-latest')).toBe(fast.digest);
  });
});

describe('settings by which two would write one tag', () => {
  test.each([
    ['one moving tag for two environments', ', tag: latest', 'both move'],
    ['the ledgers’ repository', ', repository: "{registry}/ledger"', 'ledger'],
    ['a moving tag like one that never moves', ', tag: "{environment}-0123456789ab"', 'never moves'],
  ])('%s: refused', async (_, setting, words) => {
    await using world = await publishing();
    const sha = await world.commit(both());
    const bad = config.replace('{project: shop/podinfo}', `{project: shop/podinfo${setting}}`);
    await expect(world.publish(sha, { config: bad })).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining(words),
    });
    expect(world.registry.requests).toEqual([]);
  });

  test('artifacts that share a repository by tag do not take each other’s for newer ones', async () => {
    await using world = await publishing();
    const shared = bothApps
      .replaceAll(/(podinfo|web): \{/g, '$1: {repository: "{registry}/all", tag: "{app}-{environment}", ')
      .replace(/ {2}production.*\n/, '');
    const older = await world.commit({ ...overlay('podinfo', 'staging', '1') });
    const newer = await world.commit({ ...overlay('web', 'staging', '1') });
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    world.registry.faults.add({ method: 'PUT', path: /manifests\/podinfo-staging$/, times: 1, until: held });
    const slow = world.publish(older, { config: shared });
    await world.registry.seen(({ method, path }) => method === 'PUT' && path.endsWith('/podinfo-staging'));
    const items = (app: string) => ({ config: shared.replace(new RegExp(` {2}${app}.*\n`), '') });
    const web = only(await world.publish(newer, items('podinfo')));
    release();
    const pushed = only(await slow);
    expect(pushed).toMatchObject({ app: 'podinfo', outcome: 'pushed' });
    expect(web.app).toBe('web');
    expect(world.registry.tags('shop/delivery/all').get('podinfo-staging')).toBe(pushed.digest);
  });
});
