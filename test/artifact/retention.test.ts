import { describe, expect, test } from 'vitest';
import { userOf, type Uses } from '../../src/artifact/in-use.ts';
import { firstOf, publishing } from './publishing.ts';
import { outcomes, podinfo, pruning, short, versions } from './pruning.ts';

describe('tags of old delivery commits', () => {
  test.each([
    ['older than N days', { days: 97, count: null }],
    ['beyond the newest M', { days: null, count: 3 }],
  ])('%s go; what stands and the version before it stay', async (_, keep) => {
    await using world = await publishing();
    const commits = await versions(world, 6);
    const sha = commits.at(-1) ?? '';
    const kept = commits.slice(3).map((one) => `staging-${short(one)}`);
    const planned = await pruning(world, sha, { keep, dryRun: true });
    expect(world.registry.tags(podinfo).size).toBe(7);
    expect(planned.tags.filter(({ outcome }) => outcome === 'planned')).toHaveLength(3);
    const pruned = await pruning(world, sha, { keep });
    expect(pruned.exit).toBe(0);
    expect(pruned.tags.filter(({ outcome }) => outcome === 'removed').map(({ tag }) => tag)).toEqual(
      planned.tags.filter(({ outcome }) => outcome === 'planned').map(({ tag }) => tag),
    );
    expect([...world.registry.tags(podinfo).keys()]).toEqual(['staging', ...kept].sort());
    expect(firstOf(await world.publish(sha)).outcome).toBe('unchanged');
    expect((await pruning(world, sha, { keep })).tags.every(({ outcome }) => outcome === 'kept')).toBe(true);
  });

  test('never those that stand, nor the last before them, however old', async () => {
    await using world = await publishing();
    const commits = await versions(world, 3);
    const pruned = await pruning(world, commits[2] ?? '', { keep: { days: 0, count: 0 }, day: 5000 });
    expect(outcomes(pruned)).toEqual({
      staging: 'kept',
      [`staging-${short(commits[2] ?? '')}`]: 'kept',
      [`staging-${short(commits[1] ?? '')}`]: 'kept',
      [`staging-${short(commits[0] ?? '')}`]: 'removed',
    });
    expect(pruned.tags.filter(({ inUse }) => inUse)).toHaveLength(2);
  });

  test('never one that a cluster uses, by digest or tag', async () => {
    await using world = await publishing();
    const commits = await versions(world, 5);
    const digest = world.registry.tags(podinfo).get(`staging-${short(commits[0] ?? '')}`) ?? '';
    const pinned = `podinfo:staging-${short(commits[1] ?? '')}`;
    const uses: Uses = { digests: new Map([[digest, 'OCIRepository a/b in prod']]), tags: new Map([[pinned, 'x']]) };
    const pruned = await pruning(world, commits[4] ?? '', { keep: { days: null, count: 1 }, uses: [uses] });
    expect(pruned.tags.filter(({ outcome }) => outcome === 'removed').map(({ tag }) => tag)).toEqual([
      `staging-${short(commits[2] ?? '')}`,
    ]);
    expect(pruned.tags.find((one) => one.digest === digest)?.reason).toContain('OCIRepository a/b in prod');
    const found = {
      repository: 'r/podinfo',
      tag: 'x',
      digest,
      contentDigest: '',
      title: '',
      commit: '',
      createdAt: '',
    };
    expect(userOf(uses, { ...found, digest: 'sha256:0' })).toBeNull();
  });

  test('tags that sluice did not write stay, with what they name', async () => {
    await using world = await publishing();
    const commits = await versions(world, 4);
    const old = world.registry.manifest(podinfo, `staging-${short(commits[0] ?? '')}`);
    world.registry.putManifest(podinfo, 'v1', old?.mediaType ?? '', old?.content ?? new Uint8Array());
    world.registry.putManifest(
      podinfo,
      'staging-0123456789ab',
      'application/vnd.oci.image.manifest.v1+json',
      Buffer.from('{}'),
    );
    await pruning(world, commits[3] ?? '', { keep: { days: 0, count: 0 } });
    const tags = world.registry.tags(podinfo);
    expect([...tags.keys()]).toEqual(expect.arrayContaining(['v1', 'staging-0123456789ab']));
    expect([...tags.keys()]).not.toContain(`staging-${short(commits[0] ?? '')}`);
    expect(world.registry.manifest(podinfo, old?.digest ?? '')).not.toBeNull();
  });

  test('signatures go with what they sign', async () => {
    await using world = await publishing();
    const commits = await versions(world, 4);
    const digests = commits.map((one) => world.registry.tags(podinfo).get(`staging-${short(one)}`) ?? '');
    for (const digest of digests) {
      const tag = `${digest.replace(':', '-')}.sig`;
      world.registry.putManifest(
        podinfo,
        tag,
        'application/vnd.oci.image.manifest.v1+json',
        Buffer.from(`{"x":"${digest}"}`),
      );
    }
    await pruning(world, commits[3] ?? '', { keep: { days: null, count: 2 } });
    const signed = [...world.registry.tags(podinfo).keys()].filter((tag) => tag.endsWith('.sig'));
    expect(signed).toEqual(
      digests
        .slice(2)
        .map((digest) => `${digest.replace(':', '-')}.sig`)
        .sort(),
    );
    expect(world.registry.manifest(podinfo, digests[0] ?? '')).toBeNull();
  });
});
