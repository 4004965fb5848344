import { randomBytes } from 'node:crypto';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { cli } from './command.ts';
import { firstOf as only, overlay, publishing, type Publishing } from './publishing.ts';

const podinfo = 'shop/delivery/podinfo';
const settings = `version: 1
environments:
  staging: {clusters: [{name: staging, agent: "shop/agents:staging"}]}
apps:
  podinfo: {project: shop/podinfo}
`;

describe('a disk that is full', () => {
  test.each([
    ['while the proof is written', 64, 200_000],
    ['while the layer is written', 512, 200_000],
  ])('%s: told as such, nothing is pushed or left behind, and the next run completes', async (_, blocks, bytes) => {
    await using world = await publishing();
    const several = Object.fromEntries(
      Array.from({ length: 8 }, (_none, index) => [
        `apps/podinfo/staging/${index}.txt`,
        randomBytes(bytes).toString('hex').slice(0, bytes),
      ]),
    );
    const names = Object.keys(several).map((name) => name.split('/').at(-1));
    await world.commit({
      'sluice.yaml': settings,
      ...several,
      'apps/podinfo/staging/kustomization.yaml': `configMapGenerator:\n${names.map((name) => `- {name: c${name?.[0]}, files: [${name}]}\n`).join('')}`,
    });
    const full = await cli(world, blocks);
    expect(full.code).toBe(2);
    expect(full.record.artifacts[0]).toMatchObject({ outcome: 'failed', fault: { code: 'file_unreadable' } });
    expect(full.record.artifacts[0].fault.hint).toContain('free space');
    expect(full.left).toEqual([]);
    expect(world.registry.tags(podinfo).size).toBe(0);
    const next = await cli(world, 'unlimited');
    expect(next.code).toBe(0);
    expect(world.registry.tags(podinfo).get('staging')).toBe(next.record.artifacts[0].digest);
  });
});

describe('what cannot be read', () => {
  /** Where git keeps an object of its own. */
  async function objectFile(world: Publishing, revision: string): Promise<string> {
    const oid = await world.git.git('delivery.git', ['rev-parse', revision]);
    const file = `${world.git.path}/delivery.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`;
    await chmod(file, 0o644);
    return file;
  }

  test.each([
    [
      'a file of the commit has vanished',
      ':apps/podinfo/base/deployment.yaml',
      null,
      'apps/podinfo/base/deployment.yaml',
    ],
    [
      'a file of the commit is damaged',
      ':apps/podinfo/base/deployment.yaml',
      'garbage',
      'apps/podinfo/base/deployment.yaml',
    ],
    ['a folder of the commit has vanished', ':apps/podinfo', null, 'cannot be read'],
  ])('%s: said, with what to do, and nothing is pushed', async (_, object, content, words) => {
    await using world = await publishing();
    const sha = await world.commit(overlay('podinfo', 'staging'));
    const file = await objectFile(world, sha + object);
    const before = await readFile(file);
    await (content === null ? rm(file) : writeFile(file, content));
    await expect(world.publish(sha)).rejects.toMatchObject({
      code: 'commit_missing',
      exit: 2,
      message: expect.stringContaining(words),
      hint: expect.stringContaining('clone it again'),
    });
    expect(world.registry.pushes).toEqual([]);
    await writeFile(file, before);
    expect(only(await world.publish(sha)).outcome).toBe('pushed');
  });

  test('the work tree does not matter: changed, deleted and unreadable files give what the commit holds', async () => {
    await using world = await publishing();
    const sha = await world.commit({ 'sluice.yaml': settings, ...overlay('podinfo', 'staging') });
    const wanted = only(await world.publish(sha, { dryRun: true })).contentDigest;
    await world.git.git('.', ['clone', '--quiet', `${world.git.path}/delivery.git`, 'dirty']);
    const folder = `${world.git.path}/dirty`;
    await writeFile(`${folder}/apps/podinfo/base/deployment.yaml`, 'changed');
    await rm(`${folder}/apps/podinfo/base/kustomization.yaml`);
    await chmod(`${folder}/apps/podinfo/staging/kustomization.yaml`, 0);
    await writeFile(`${folder}/apps/podinfo/staging/left-over.yaml`, 'x');
    const published = only(await world.publish(sha, { folder }));
    expect(published).toMatchObject({ outcome: 'pushed', contentDigest: wanted });
  });
});
