import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Fault } from '../../src/fault.ts';
import { openRepository } from '../../src/systems/git-local.ts';
import { type GitFolder, gitFolder } from '../doubles/git-folder.ts';

let world: GitFolder;
let origin: string;
const commits: string[] = [];
const binary = Uint8Array.from({ length: 3000 }, (_, index) => index % 256);

beforeAll(async () => {
  world = await gitFolder();
  origin = await world.bare('origin.git');
  commits.push(await world.commit('origin.git', { 'a.yaml': 'a: 1\n', 'apps/web/x.bin': binary }, { message: 'one' }));
  commits.push(
    await world.commit(
      'origin.git',
      { 'apps/web/ü ñ.yaml': 'b: 2\n' },
      { message: 'two\n\nbody\n\nSluice-App: web\n' },
    ),
  );
  commits.push(await world.commit('origin.git', { 'apps/other/c.yaml': '' }, { message: 'three' }));
  commits.push(await world.commit('origin.git', { 'a.yaml': 'a: 4\n' }, { message: 'four' }));
});
afterAll(() => world[Symbol.asyncDispose]());

const open = (folder: string) => openRepository({ folder, processes: world.processes });
const shallow = async (name: string, depth = 1) => {
  await world.git('.', ['clone', '--quiet', '--bare', `--depth=${depth}`, `file://${origin}`, name]);
  return open(`${world.path}/${name}`);
};
async function blobsOf(repository: Awaited<ReturnType<typeof open>>, oids: readonly string[]) {
  const found: Uint8Array[] = [];
  for await (const blob of repository.blobs(oids)) found.push(blob.content);
  return found;
}

describe('objects', () => {
  test('resolve answers the commit of a branch, and null for what is not there', async () => {
    const repository = await open(origin);
    expect(await repository.resolve('main')).toBe(commits[3]);
    expect(await repository.resolve('main~2')).toBe(commits[1]);
    for (const missing of ['nope', '', '--all', '0'.repeat(40), 'a b']) {
      expect(await repository.resolve(missing)).toBeNull();
    }
  });

  test('a commit has its parents, time and whole message', async () => {
    const repository = await open(origin);
    expect(await repository.commit(commits[1]!)).toEqual({
      sha: commits[1],
      parents: [commits[0]],
      committedAt: 1_700_000_120,
      message: 'two\n\nbody\n\nSluice-App: web\n',
    });
    await expect(repository.commit('1'.repeat(40))).rejects.toMatchObject({ code: 'commit_missing' });
    await expect(repository.commit('--all')).rejects.toMatchObject({ code: 'commit_missing' });
  });

  test('the tree lists every file with mode and size, below folders literally', async () => {
    const repository = await open(origin);
    const tree = await repository.tree(commits[3]!);
    expect(tree.map((entry) => [entry.path, entry.mode, entry.size])).toEqual([
      ['a.yaml', '100644', 5],
      ['apps/other/c.yaml', '100644', 0],
      ['apps/web/x.bin', '100644', 3000],
      ['apps/web/ü ñ.yaml', '100644', 5],
    ]);
    const paths = async (...folders: string[]) =>
      (await repository.tree(commits[3]!, folders)).map((entry) => entry.path);
    expect(await paths('apps/web/')).toEqual(['apps/web/x.bin', 'apps/web/ü ñ.yaml']);
    expect(await paths('apps/*')).toEqual([]);
    expect(await paths('.')).toHaveLength(4);
    expect(await paths()).toEqual([]);
  });

  test('blobs stream in the order asked for, also empty, binary and repeated', async () => {
    const repository = await open(origin);
    const [a, c, x] = (await repository.tree(commits[3]!)).map((entry) => entry.oid);
    const contents = await blobsOf(repository, [x!, c!, a!, x!]);
    expect(contents.map((content) => content.length)).toEqual([3000, 0, 5, 3000]);
    expect(contents[3]).toEqual(binary);
    await expect(blobsOf(repository, [a!, '1'.repeat(40)])).rejects.toMatchObject({ code: 'commit_missing' });
    for await (const blob of repository.blobs([x!, a!])) {
      expect(blob.oid).toBe(x);
      break;
    }
  });

  test('a folder without repository is one clear fault', async () => {
    await expect(open(world.path)).rejects.toBeInstanceOf(Fault);
    await expect(open(world.path)).rejects.toMatchObject({ code: 'file_missing' });
  });
});

describe('history', () => {
  test('log gives newest first, bounded by since and limit', async () => {
    const repository = await open(origin);
    const shas = async (...range: Parameters<typeof repository.log>) =>
      (await repository.log(...range)).map((commit) => commit.sha);
    expect(await shas(null, commits[3]!)).toEqual(commits.toReversed());
    expect(await shas(commits[1]!, commits[3]!)).toEqual([commits[3], commits[2]]);
    expect(await shas(null, commits[3]!, 2)).toEqual([commits[3], commits[2]]);
    expect(await shas(commits[3]!, commits[1]!)).toEqual([]);
  });

  test('a shallow clone is deepened before it says no', async () => {
    const repository = await shallow('shallow-ancestor.git');
    expect(await repository.isAncestor(commits[0]!, commits[3]!)).toBe(true);
    expect(await repository.isAncestor(commits[3]!, commits[0]!)).toBe(false);
    const trees = await world.git('shallow-ancestor.git', [
      'rev-list',
      '--objects',
      '--missing=print',
      '--no-object-names',
      'HEAD',
    ]);
    expect(trees).toContain('?');
    const config = await world.git('shallow-ancestor.git', ['config', '--list']);
    expect(config).not.toContain('partialclonefilter');
  });

  test('a shallow clone that fetched the old commit alone still gives the right answer', async () => {
    await world.git('.', ['clone', '--quiet', '--bare', '--depth=1', `file://${origin}`, 'gap.git']);
    await world.git('gap.git', ['fetch', '--quiet', '--depth=1', 'origin', commits[0]!]);
    const repository = await open(`${world.path}/gap.git`);
    expect(await repository.isAncestor(commits[0]!, commits[3]!)).toBe(true);
  });

  test('the log of a range in a shallow clone is whole', async () => {
    const repository = await shallow('shallow-log.git', 2);
    const log = await repository.log(commits[0]!, commits[3]!);
    expect(log.map((commit) => commit.sha)).toEqual([commits[3], commits[2], commits[1]]);
    const unbounded = await shallow('shallow-tip.git', 2);
    expect(await unbounded.log(null, commits[3]!)).toHaveLength(2);
  });

  test('a commit that nobody has is missing, not "no ancestor"', async () => {
    const repository = await shallow('shallow-missing.git');
    await expect(repository.isAncestor('1'.repeat(40), commits[3]!)).rejects.toMatchObject({ code: 'commit_missing' });
  });

  test('hooks, aliases and monitors of the repository are not run', async () => {
    const evil = await world.bare('evil.git');
    await world.commit('evil.git', { a: 'a' });
    await world.git('evil.git', ['config', 'core.fsmonitor', `touch ${world.path}/ran`]);
    await world.git('evil.git', ['config', 'log.showSignature', 'true']);
    await world.git('evil.git', ['config', 'core.pager', `touch ${world.path}/ran`]);
    const repository = await open(evil);
    const tip = await repository.resolve('main');
    expect(await repository.tree(tip!)).toHaveLength(1);
    expect(await repository.log(null, tip!)).toHaveLength(1);
    await expect(world.git('.', ['hash-object', 'ran'])).rejects.toThrow('could not open');
  });
});
