import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PublishedArtifact } from '../../../src/artifact/published.ts';
import { readUses } from '../../../src/artifact/in-use.ts';
import { requestedKinds, resourceKind } from '../../../src/notify/kinds.ts';
import { connectCluster } from '../../../src/systems/cluster-kubernetes.ts';
import { config, files, links } from '../../artifact/corpus.ts';
import { pruning } from '../../artifact/pruning.ts';
import { publishing, type Publishing } from '../../artifact/publishing.ts';
import { hasApplied } from '../flux-object.ts';
import { oracle } from '../oracle.ts';
import { setStage } from '../stage.ts';

/** What each artifact must hold, beyond the files of its roots' folders: path → path in git. */
const holds: Readonly<Record<string, readonly string[]>> = {
  reached: [
    ...Object.keys(files).filter((path) => path.startsWith('apps/reached/')),
    'shared/note.txt',
    'shared/replicas.yaml',
  ],
  folder: Object.keys(files).filter((path) => /^apps\/folder\/(?!README|staging\/photo)/.test(path)),
  several: Object.keys(files).filter((path) => path.startsWith('apps/several/')),
  names: Object.keys(files).filter((path) => path.startsWith('apps/names/')),
  linked: [
    'apps/linked/staging/common/c.yaml',
    'apps/linked/staging/common/kustomization.yaml',
    'apps/linked/staging/kustomization.yaml',
    'apps/linked/staging/link.yaml',
  ],
  parent: Object.keys(files).filter((path) => path.startsWith('apps/parent/')),
};

describe('artifacts as the real Flux takes them, from CNCF distribution', () => {
  const stage = setStage({ tier: 'core' });
  let world: Publishing;
  let sha: string;
  let artifacts: readonly PublishedArtifact[];
  const artifact = (name: string) => {
    const found = artifacts.find((one) => one.artifact === name);
    if (!found?.digest) throw new Error(`${name} was not pushed: ${found?.reason}`);
    return { ...found, digest: found.digest };
  };

  beforeAll(async () => {
    world = await publishing({ host: stage().stack.registryHost });
    await world.commit(files);
    sha = await world.commit(links, { mode: '120000' });
    artifacts = (await world.publish(sha, { config })).publication.artifacts;
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test('all are pushed, and not twice', async () => {
    expect(artifacts.map(({ artifact: name, outcome, reason }) => [name, outcome, reason])).toEqual(
      Object.keys(holds).map((name) => [name, 'pushed', 'first push']),
    );
    const again = await world.publish(sha, { config });
    expect(again.publication.artifacts.map(({ outcome }) => outcome)).toEqual(artifacts.map(() => 'unchanged'));
  });

  test.each(Object.keys(holds))(
    '%s: Flux’s OCI client pulls git’s files, and source-controller keeps them all',
    async (name) => {
      const { repository, digest, revision } = artifact(name);
      const { files: pulled, metadata } = await oracle.pull(`${repository}:staging`);
      expect(Object.keys(pulled).sort()).toEqual([...(holds[name] ?? [])].sort());
      for (const [path, content] of Object.entries(pulled)) {
        const origin = Object.entries(links).reduce(
          (at, [link, target]) => (at.startsWith(link) ? target.replace('../../../', '') + at.slice(link.length) : at),
          path,
        );
        expect(Buffer.from(content, 'latin1').toString()).toBe(files[origin]);
      }
      expect(metadata).toMatchObject({ digest: expect.stringContaining(digest), source_revision: revision });
      expect(await oracle.keep(pulled)).toEqual(pulled);
    },
  );

  test.each([
    ['reached', './apps/reached/staging'],
    ['folder', './apps/folder/staging'],
    ['several', './apps/several/one', './apps/several/two'],
    ['names', './apps/names/staging'],
    ['linked', './apps/linked/staging'],
    ['parent', './apps/parent/staging', './apps/parent/child'],
  ])('%s becomes Ready=True at the pushed digest', async (name, ...paths) => {
    const { scene } = stage();
    const { digest } = artifact(name);
    await scene.put('OCIRepository', name, scene.ociSpec(`shop/delivery/${name}`, { ref: { tag: 'staging' } }));
    for (const [index, path] of paths.entries()) {
      const kustomization = path.endsWith('/child') ? 'child' : `${name}-${index}`;
      if (kustomization !== 'child')
        await scene.put('Kustomization', kustomization, scene.kustomizationSpec(name, { path }));
      const { object } = await scene.waitFor('Kustomization', kustomization, hasApplied(digest));
      expect(object.status?.lastAppliedRevision).toBe(`staging@${digest}`);
    }
  });

  test('the child’s components came with it', async () => {
    const { kube } = stage().stack;
    const { items } = await kube.get<{ items: { metadata: { name: string } }[] }>('/api/v1/namespaces/demo/configmaps');
    const names = items.map(({ metadata }) => metadata.name.replace(/-[0-9a-z]{10}$/, ''));
    expect(names).toEqual(
      expect.arrayContaining([
        'child',
        'common',
        'dash',
        'folder',
        'linked',
        'logo',
        'long',
        'more',
        'one',
        'parts',
        'space',
        'two',
        'umlaut',
      ]),
    );
  });

  test('what Flux follows is not pruned, though sluice.yaml has lost it; the rest of it is', async () => {
    const { stack } = stage();
    const text = config.replace(/ {2}(?:reached|names): .*\n/g, '');
    const gone = await world.commit({ 'sluice.yaml': text });
    const kubeconfig = await readFile(stack.kubeconfig, 'utf8');
    const cluster = connectCluster({ name: 'lab', context: 'lab', kubeconfig });
    const uses = [await readUses(cluster, [[resourceKind(requestedKinds.OCIRepository)]], ['flux-system'])];
    const left = (found: Awaited<ReturnType<typeof pruning>>) =>
      found.tags.filter(({ outcome }) => outcome === 'planned').map(({ artifact: name }) => name);
    const asked = { text, dryRun: true, host: stack.registryHost };
    expect(left(await pruning(world, gone, { ...asked, uses }))).toEqual([]);
    expect(new Set(left(await pruning(world, gone, asked)))).toEqual(new Set(['reached', 'names']));
    const pruned = await pruning(world, gone, { ...asked, dryRun: false });
    expect(pruned.exit).toBe(0);
    const tags = await fetch(`http://${stack.registryHost}/v2/shop/delivery/names/tags/list`);
    expect(await tags.json()).toMatchObject({ tags: null });
  });
});
