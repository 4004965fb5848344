import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DeliveryClone } from '../../src/systems/git-remote.ts';
import type { Processes } from '../../src/systems/process.ts';
import { type CloneWorld, cloneWorld, contentsOf } from './clone-world.ts';

let w: CloneWorld;
let { world, server, url, commits, connect } = {} as CloneWorld;
beforeEach(async () => {
  w = await cloneWorld();
  ({ world, server, url, commits, connect } = w);
});
afterEach(() => w[Symbol.asyncDispose]());

describe('a clone', () => {
  test('has the tip alone, without file contents', async () => {
    await using clone = await connect().clone(url, 'main');
    expect(await clone.head()).toBe(commits[2]);
    expect(await clone.repository.log(null, commits[2]!)).toHaveLength(1);
    const objects = await world.git('.', ['-C', clone.folder, 'cat-file', '--batch-all-objects', '--batch-check']);
    expect(objects).not.toContain(' blob ');
    expect(await readdir(clone.folder)).not.toContain('hooks');
  });

  test('takes the server’s default branch where none is named', async () => {
    await using clone = await connect().clone(url, null);
    expect(clone.branch).toBe('main');
  });

  test('fetches missing blobs in one request, once', async () => {
    await using clone = await connect().clone(url, 'main');
    const tree = await clone.repository.tree(commits[2]!, ['apps']);
    const before = server.requests.length;
    const oids = tree.map((entry) => entry.oid);
    expect(await contentsOf(clone, oids)).toEqual(['b: 3\n', 'a: 3\n']);
    expect(await contentsOf(clone, oids)).toEqual(['b: 3\n', 'a: 3\n']);
    expect(server.requests.slice(before).filter((request) => request.startsWith('POST'))).toHaveLength(1);
  });

  test('deepens by commits without trees, down to a time or to the root', async () => {
    await using clone = await connect().clone(url, 'main');
    const second = (await clone.history()).commits[0]!.committedAt - 60;
    await clone.deepen(second);
    expect((await clone.history()).commits.map((commit) => commit.sha)).toEqual(commits.slice(1).toReversed());
    await clone.deepen(null);
    expect((await clone.history()).commits.map((commit) => commit.sha)).toEqual(commits.toReversed());
    await clone.deepen(second);
    expect((await clone.history()).commits).toHaveLength(3);
  });

  test('fetches blobs and history beside each other', async () => {
    await using clone = await connect().clone(url, 'main');
    const [newest] = (await clone.history()).commits;
    const oids = (await clone.tree()).map((entry) => entry.oid);
    const [contents] = await Promise.all([contentsOf(clone, oids), clone.deepen(newest!.committedAt - 60)]);
    expect(contents).toEqual(['b: 3\n', 'a: 3\n']);
    expect((await clone.history()).commits.map((commit) => commit.sha)).toEqual(commits.slice(1).toReversed());
  });

  test('that is left while it deepens leaves nothing behind', async () => {
    const clone = await connect().clone(url, 'main');
    server.intercept = () => new Promise((done) => setTimeout(() => done(503), 20));
    const deepened = clone.deepen(null).catch((error: unknown) => error);
    await clone[Symbol.asyncDispose]();
    expect(String(await deepened)).toContain('no longer needed');
  });

  test('sees the files of a revert that comes after it was deepened', async () => {
    await using clone = await connect().clone(url, 'main');
    await clone.deepen(null);
    const files = { 'apps/web/a.yaml': 'a: 2\n', 'apps/api/b.yaml': 'b: 2\n' };
    const revert = await world.commit('delivery.git', files);
    expect(await clone.refresh()).toBe(revert);
    expect((await clone.history()).commits.map((commit) => commit.sha)).toEqual([revert, ...commits.toReversed()]);
    expect(
      await contentsOf(
        clone,
        (await clone.tree()).map((entry) => entry.oid),
      ),
    ).toEqual(['b: 2\n', 'a: 2\n']);
  });

  test('has the tip in it whatever time is asked for', async () => {
    await using clone = await connect().clone(url, 'main');
    const [newest] = (await clone.history()).commits;
    await clone.deepen(newest!.committedAt + 1000);
    expect((await clone.history()).commits.map((commit) => commit.sha)).toEqual([commits[2]]);
  });

  test('a history that was replaced is read anew', async () => {
    await using clone = await connect().clone(url, 'main');
    await clone.deepen(null);
    await world.git('delivery.git', ['update-ref', 'refs/heads/main', commits[1]!]);
    const other = await world.commit('delivery.git', { other: '1' });
    expect(await clone.refresh()).toBe(other);
    await clone.deepen(null);
    expect((await clone.history()).commits.map((commit) => commit.sha)).toEqual([other, commits[1], commits[0]]);
    expect((await clone.tree()).map((entry) => entry.path)).toEqual(['apps/api/b.yaml', 'apps/web/a.yaml', 'other']);
    const message = (await clone.history()).commits[0]!.message;
    expect(message).toBe((await clone.repository.commit(other)).message);
  });

  test('is on a branch, not on a tag', async () => {
    await world.git('delivery.git', ['tag', 'v1', 'main']);
    await expect(connect().clone(url, 'v1')).rejects.toMatchObject({ code: 'branch_missing' });
  });

  test('sends the token as a header, never in an address', async () => {
    await using clone = await connect().clone(url, 'main');
    expect([...server.credentials]).toEqual([`Basic ${btoa('oauth2:write-token')}`]);
    const config = await world.git('.', ['-C', clone.folder, 'config', '--list']);
    expect(config).not.toMatch(/write-token|Authorization/);
  });

  test('says so when the server knows no partial clones', async () => {
    await world.git('delivery.git', ['config', 'uploadpack.allowFilter', 'false']);
    const notices: string[] = [];
    await using clone = await connect('write-token', { notice: (text) => notices.push(text) }).clone(url, 'main');
    expect(notices).toHaveLength(1);
    const [entry] = await clone.repository.tree(commits[2]!, ['apps/web']);
    expect(await contentsOf(clone, [entry!.oid])).toEqual(['a: 3\n']);
  });
});

describe('a clone whose history is fetched beside it', () => {
  const known = async (clone: DeliveryClone) => (await clone.history()).commits.map((commit) => commit.sha);
  const fetches = () => server.requests.filter((request) => request.startsWith('POST')).length;
  /** Holds back one of the two git calls, which run beside each other, until `open` is called; `ended` has those over. */
  const hold = (held: 'clone' | 'fetch') => {
    const gate = Promise.withResolvers<void>();
    const ended: (string | undefined)[] = [];
    const processes: Processes = {
      ...world.processes,
      async run(command, args, options) {
        if (args[0] === held) await gate.promise;
        return world.processes.run(command, args, options).finally(() => ended.push(args[0]));
      },
    };
    return { git: connect('write-token', { processes }), open: () => gate.resolve(), ended };
  };
  const patience = { timeout: 60_000 };

  test('asks for it no second time, unless more is wanted', async () => {
    const second = Number(await world.git('delivery.git', ['log', '-1', '--format=%ct', commits[1]!]));
    await using clone = await connect().clone(url, 'main', { since: second });
    await clone.deepen(second);
    expect(await known(clone)).toEqual(commits.slice(1).toReversed());
    const before = fetches();
    await clone.deepen(second + 1);
    expect(fetches()).toBe(before);
    await clone.deepen(null);
    expect(fetches()).toBeGreaterThan(before);
    expect(await known(clone)).toEqual(commits.toReversed());
  });

  test('where somebody pushes before the history is asked for, it ends in the clone’s own tip', async () => {
    const { git, open } = hold('fetch');
    await using clone = await git.clone(url, null, { since: null });
    await world.commit('delivery.git', { other: 'x\n' });
    const before = fetches();
    open();
    await clone.deepen(null);
    expect(await known(clone)).toEqual(commits.toReversed());
    expect(fetches() - before).toBeLessThanOrEqual(2);
  });

  test('where somebody pushes before the clone, the history is fetched again', async () => {
    const { git, open, ended } = hold('clone');
    const cloning = git.clone(url, 'main', { since: null });
    await vi.waitFor(() => expect(ended).toContain('fetch'), patience);
    const newest = await world.commit('delivery.git', { other: 'x\n' });
    open();
    await using clone = await cloning;
    await clone.deepen(null);
    expect(await known(clone)).toEqual([newest, ...commits.toReversed()]);
  });

  test('where nothing is as new as asked for, the clone is as good as ever', async () => {
    const newest = Number(await world.git('delivery.git', ['log', '-1', '--format=%ct', 'main']));
    await using clone = await connect().clone(url, 'main', { since: newest + 1000 });
    await clone.deepen(newest);
    expect(await known(clone)).toEqual([commits[2]]);
    await clone.deepen(null);
    expect(await known(clone)).toEqual(commits.toReversed());
  });

  test('that fails leaves nothing behind', async () => {
    await expect(connect().clone(url, 'gone', { since: null })).rejects.toMatchObject({ code: 'branch_missing' });
    const { git, open } = hold('fetch');
    const clone = await git.clone(url, 'main', { since: null });
    const before = server.requests.length;
    server.intercept = () => new Promise(() => {});
    open();
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(before), patience);
    await clone[Symbol.asyncDispose]();
  });
});
