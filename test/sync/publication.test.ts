import { describe, expect, test } from 'vitest';
import type { PublishedArtifact } from '../../src/artifact/published.ts';
import { parseClaim } from '../../src/delivery/message.ts';
import { formatRevision } from '../../src/revision.ts';
import { parsePublication } from '../../src/sync/publication.ts';
import { standingPublication } from '../../src/sync/standing.ts';
import type { StandingRequest } from '../../src/sync/standing.ts';
import { openRepository } from '../../src/systems/git-local.ts';
import type { Registry, RegistryManifest } from '../../src/systems/registry.ts';
import { gitFolder } from '../doubles/git-folder.ts';
import type { GitFolder } from '../doubles/git-folder.ts';
import { artifactOf, configOf, originOf } from './build.ts';

describe('publish’s result', () => {
  const publication = {
    project: 'team/delivery',
    branch: 'main',
    commit: 'd'.repeat(40),
    ranges: [{ environment: 'staging', since: null, until: 'd'.repeat(40) }],
    artifacts: [
      artifactOf({ origins: [originOf({ pipeline: null })] }),
      artifactOf({ outcome: 'failed', fault: { code: 'token_refused', message: 'm', hint: 'h', docs: 'd' } }),
    ],
  };

  test('is read as it was written, whatever stands beside it', () => {
    const text = JSON.stringify({ command: 'publish', outcome: 'pushed', durations: { total: 1 }, ...publication });
    expect(parsePublication(text, 'result.json')).toEqual(publication);
  });

  test.each([
    ['', 'no JSON'],
    ['[]', 'no result'],
    ['{"command":"edit"}', 'commit'],
    [JSON.stringify({ ...publication, commit: 'HEAD' }), 'commit'],
    [JSON.stringify({ ...publication, artifacts: [{ app: 'x' }] }), 'artifacts[0]'],
  ])('%j is refused', (text, said) => {
    expect(() => parsePublication(text, 'result.json')).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
    expect(() => parsePublication(text, 'result.json')).toThrow(said);
  });
});

describe('without publish’s result', () => {
  const registryImage = 'registry.test/team/delivery';
  const trailers = (app: string) =>
    `deploy(staging): ${app}\n\nSluice-App: ${app}\nSluice-Environment: staging\nSluice-Source-Project: shop/${app}\nSluice-Source-Commit: ${'a'.repeat(40)}\n`;

  /** Registry in which tags hold artifacts of these commits. */
  function registryOf(commits: Readonly<Record<string, string>>): Registry {
    const missing = async () => {
      throw new Error('only manifests are asked for');
    };
    return {
      async manifest(repository, reference): Promise<RegistryManifest | null> {
        const commit = commits[`${repository}:${reference}`];
        if (commit === undefined) return null;
        const annotations = { 'org.opencontainers.image.revision': formatRevision('main', commit) };
        return { digest: `sha256:${commit}${'0'.repeat(24)}`, mediaType: '', annotations, config: null, layers: [] };
      },
      resolve: missing,
      blob: missing,
      tags: missing,
      tag: missing,
      push: missing,
      remove: missing,
    };
  }

  async function ask(
    folder: GitFolder,
    commit: string,
    commits: Readonly<Record<string, string>>,
    more: Partial<StandingRequest> = {},
  ) {
    const repository = await openRepository({ folder: `${folder.path}/d.git`, processes: folder.processes });
    const request: StandingRequest = {
      config: configOf({ apps: ['podinfo', 'cart'] }),
      environments: ['staging'],
      apps: [],
      project: 'team/delivery',
      branch: 'main',
      commit,
      registryImage,
      ...more,
    };
    const publication = await standingPublication(
      request,
      repository,
      async () => registryOf(commits),
      (one) => parseClaim(one),
      async () => [],
    );
    const short = ({ app, outcome, origins }: PublishedArtifact) => `${app} ${outcome} ${origins.length}`;
    return publication.artifacts.map(short);
  }

  const podinfo = `${registryImage}/podinfo:staging`;
  const cart = `${registryImage}/cart:staging`;

  test('what stands under the tags tells what became of the commit', async () => {
    await using folder = await gitFolder();
    await folder.bare('d.git');
    const older = await folder.commit('d.git', { 'sluice.yaml': '1' });
    const ours = await folder.commit('d.git', { 'apps/podinfo/staging/a.yaml': '1' }, { message: trailers('podinfo') });
    const newer = await folder.commit(
      'd.git',
      { 'apps/podinfo/staging/a.yaml': '2' },
      { message: trailers('podinfo') },
    );
    expect(await ask(folder, ours, { [podinfo]: ours, [cart]: older })).toEqual([
      'podinfo pushed 1',
      'cart unchanged 0',
    ]);
    expect(await ask(folder, ours, { [podinfo]: older })).toEqual(['podinfo unchanged 1']);
    expect(await ask(folder, ours, { [podinfo]: newer })).toEqual(['podinfo superseded 1']);
    expect(await ask(folder, ours, {})).toEqual(['podinfo failed 1']);
    expect(await ask(folder, ours, { [podinfo]: '0'.repeat(40) })).toEqual(['podinfo unchanged 1']);
    expect(await ask(folder, ours, {}, { apps: ['cart'] })).toEqual([]);
  });

  test('a person’s commit is told where its content is', async () => {
    await using folder = await gitFolder();
    await folder.bare('d.git');
    await folder.commit('d.git', { 'sluice.yaml': '1' });
    const byHand = await folder.commit('d.git', { 'apps/cart/staging/a.yaml': '1' }, { message: 'Fix the cart' });
    expect(await ask(folder, byHand, { [podinfo]: 'f'.repeat(40), [cart]: byHand })).toEqual([
      'podinfo unchanged 0',
      'cart pushed 0',
    ]);
  });

  test('a merge brings the claims of all its commits', async () => {
    await using folder = await gitFolder();
    await folder.bare('d.git');
    const base = await folder.commit('d.git', { 'sluice.yaml': '1' });
    await folder.git('d.git', ['update-ref', 'refs/heads/side', base]);
    const files = { 'apps/podinfo/staging/a.yaml': '1' };
    const side = await folder.commit('d.git', files, { message: trailers('podinfo'), branch: 'side' });
    const tree = await folder.git('d.git', ['rev-parse', `${side}^{tree}`]);
    const merge = await folder.git('d.git', ['commit-tree', tree, '-p', base, '-p', side], 'Merge branch side');
    expect(await ask(folder, merge, { [podinfo]: merge })).toEqual(['podinfo pushed 1']);
  });

  test('source git: the commit is the delivery where it touches what Flux builds', async () => {
    await using folder = await gitFolder();
    await folder.bare('d.git');
    await folder.commit('d.git', { 'apps/cart/staging/a.yaml': '1' });
    const byHand = await folder.commit('d.git', { 'apps/cart/staging/a.yaml': '2' }, { message: 'Fix the cart' });
    const config = configOf({ apps: ['podinfo', 'cart'] });
    const environments = config.environments.map((one) => ({ ...one, settings: { ...one.settings, source: 'git' } }));
    const git = { ...config, environments } as typeof config;
    expect(await ask(folder, byHand, {}, { config: git })).toEqual(['podinfo unchanged 0', 'cart pushed 0']);
  });

  test('an unknown registry is said', async () => {
    await using folder = await gitFolder();
    await folder.bare('d.git');
    const commit = await folder.commit('d.git', { 'sluice.yaml': '1' });
    await expect(ask(folder, commit, {}, { registryImage: undefined })).rejects.toMatchObject({ code: 'usage' });
  });
});
