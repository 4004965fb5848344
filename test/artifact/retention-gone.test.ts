import { describe, expect, test } from 'vitest';
import type { Uses } from '../../src/artifact/in-use.ts';
import { bothApps, config, overlay, publishing, type Publishing } from './publishing.ts';
import { commitOn, podinfo, pruning, short } from './pruning.ts';

describe('apps and environments that sluice.yaml no longer has', () => {
  async function shop(world: Publishing): Promise<string> {
    const sha = await commitOn(world, 0, {
      'sluice.yaml': bothApps,
      ...overlay('podinfo', 'staging'),
      ...overlay('podinfo', 'production'),
      ...overlay('web', 'staging'),
    });
    await world.publish(sha, { config: bothApps });
    return sha;
  }

  test('an app goes with its tags; when it comes back it is published anew', async () => {
    await using world = await publishing();
    await shop(world);
    const sha = await commitOn(world, 1, { 'sluice.yaml': config });
    const pruned = await pruning(world, sha);
    expect(pruned.tags.filter(({ outcome }) => outcome === 'removed').map(({ repository }) => repository)).toEqual([
      `${world.registry.host}/shop/delivery/web`,
      `${world.registry.host}/shop/delivery/web`,
    ]);
    expect(world.registry.tags('shop/delivery/web').size).toBe(0);
    expect(world.registry.tags(podinfo).size).toBe(4);
    const back = await commitOn(world, 2, { 'sluice.yaml': bothApps });
    const web = (await world.publish(back, { config: bothApps })).publication.artifacts.find(
      ({ app }) => app === 'web',
    );
    expect(web?.outcome).toBe('pushed');
    expect(world.registry.tags('shop/delivery/web').get('staging')).toBe(web?.digest);
  });

  test('an environment goes with its tags and its ledger', async () => {
    await using world = await publishing();
    await shop(world);
    const text = config.replace(/ {2}production.*\n/, '');
    const sha = await commitOn(world, 1, { 'sluice.yaml': text });
    const pruned = await pruning(world, sha, { text });
    expect(pruned.exit).toBe(0);
    expect([...world.registry.tags(podinfo).keys()].every((tag) => tag.startsWith('staging'))).toBe(true);
    expect([...world.registry.tags('shop/delivery/ledger').keys()]).toEqual(['staging']);
  });

  test('a repository of its own is known from the history of sluice.yaml, without any ledger', async () => {
    await using world = await publishing();
    const own = config.replace('shop/podinfo}', 'shop/podinfo, repository: "{registry}/elsewhere/{environment}"}');
    const first = await commitOn(world, 0, { 'sluice.yaml': own, ...overlay('podinfo', 'staging') });
    await world.publish(first, { config: own });
    world.registry.removeManifest('shop/delivery/ledger', 'staging');
    const text = bothApps.replace(/ {2}podinfo.*\n/, '');
    const sha = await commitOn(world, 1, { 'sluice.yaml': text });
    await pruning(world, sha, { text });
    expect(world.registry.tags('shop/delivery/elsewhere/staging').size).toBe(0);
  });

  test('what a newer commit published, what moved elsewhere, and what a cluster follows stay', async () => {
    await using world = await publishing();
    const sha = await shop(world);
    const newer = await commitOn(world, 1, { ...overlay('web', 'staging', '2') });
    await world.publish(newer, { config: bothApps });
    const late = await pruning(world, sha);
    expect(late.tags.filter(({ repository, outcome }) => repository.endsWith('/web') && outcome === 'removed')).toEqual(
      [expect.objectContaining({ tag: `staging-${short(sha)}` })],
    );
    const follows: Uses = { digests: new Map(), tags: new Map([['web:staging', 'OCIRepository a/web in eu']]) };
    const followed = await pruning(world, newer, { uses: [follows] });
    expect(followed.tags.find(({ repository, tag }) => repository.endsWith('/web') && tag === 'staging')).toMatchObject(
      {
        outcome: 'kept',
        reason: 'in use by OCIRepository a/web in eu',
      },
    );
    const text = config.replace('shop/podinfo}', 'shop/podinfo, repository: "{registry}/moved"}');
    const moved = await pruning(world, newer, { text });
    expect(
      moved.tags.filter(({ repository }) => repository.endsWith('/podinfo')).map(({ outcome }) => outcome),
    ).toEqual(Array.from({ length: 4 }, () => 'kept'));
  });

  test('only what is asked for; a name that nobody knows is a fault', async () => {
    await using world = await publishing();
    await shop(world);
    const text = 'version: 1\nenvironments: {other: {clusters: [{name: o, agent: "a/b:c"}]}}\napps: {new: {}}\n';
    const sha = await commitOn(world, 1, { 'sluice.yaml': text });
    await pruning(world, sha, { text, environments: ['production'] });
    expect([...world.registry.tags(podinfo).keys()].every((tag) => tag.startsWith('staging'))).toBe(true);
    await expect(pruning(world, sha, { text, apps: ['wbe'] })).rejects.toMatchObject({ code: 'unknown_app' });
    await pruning(world, sha, { text });
    expect(world.registry.repositories().flatMap((name) => [...world.registry.tags(name)])).toEqual([]);
  });

  test('in a shallow clone the ledgers tell, also after it was deepened without trees', async () => {
    await using world = await publishing();
    await shop(world);
    const sha = await commitOn(world, 1, { 'sluice.yaml': config });
    const origin = `file://${world.git.path}/delivery.git`;
    await world.git.git('.', ['clone', '--quiet', '--bare', '--depth', '1', origin, 'shallow.git']);
    const planned = await pruning(world, sha, { repository: 'shallow.git', dryRun: true });
    const going = (pruned: typeof planned) => pruned.tags.filter(({ outcome }) => outcome === 'planned').length;
    expect(going(planned)).toBe(2);
    expect(world.notices).toEqual([expect.stringContaining('shallow')]);
    expect(going(await pruning(world, sha, { repository: 'shallow.git', dryRun: true }))).toBe(2);
    expect(world.notices.at(-1)).toContain('history of sluice.yaml');
  });
});
