import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { secret } from '../../src/secret.ts';
import type { Processes, RunOptions } from '../../src/systems/process.ts';
import { type CloneWorld, cloneWorld, contentsOf } from './clone-world.ts';

let w: CloneWorld;
let { world, server, url, commits, waits, connect, tip } = {} as CloneWorld;
beforeEach(async () => {
  w = await cloneWorld();
  ({ world, server, url, commits, waits, connect, tip } = w);
});
afterEach(() => w[Symbol.asyncDispose]());
const bytes = (text: string) => new TextEncoder().encode(text);

async function hook(name: string, script: string) {
  await mkdir(join(world.path, 'delivery.git/hooks'), { recursive: true });
  await writeFile(join(world.path, `delivery.git/hooks/${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe('a commit', () => {
  test('changes the files named, keeps modes, and is pushed', async () => {
    await world.commit('delivery.git', { 'run "me"\\ü.sh': 'echo 1\n' }, { mode: '100755' });
    await using clone = await connect().clone(url, 'main');
    const parent = await clone.head();
    const message = 'deploy(staging): web 2\n\nSluice-App: web\n';
    const files = new Map([
      ['apps/web/a.yaml', bytes('a: 9\r\n')],
      ['run "me"\\ü.sh', bytes('echo 2')],
    ]);
    const sha = await clone.commit(parent, files, message);
    expect(await clone.push(sha, 'main')).toBe('pushed');
    expect(await tip()).toBe(sha);
    expect(
      await world.git('delivery.git', ['show', '--no-renames', '--raw', '-z', '--format=%P|%an|%ae|%ct|%B', sha]),
    ).toContain(`${parent}|sluice|sluice@noreply.127.0.0.1|1800000000|${message}`);
    const tree = await world.git('delivery.git', ['-c', 'core.quotePath=false', 'ls-tree', '-r', '-z', sha]);
    expect(tree).toContain('100755 blob');
    expect(await world.show('delivery.git', sha, 'run "me"\\ü.sh')).toBe('echo 2');
    expect(await world.show('delivery.git', sha, 'apps/web/a.yaml')).toBe('a: 9\r');
    expect(await world.show('delivery.git', sha, 'apps/api/b.yaml')).toBe('b: 3');
    await world.git('delivery.git', ['fsck', '--strict']);
  });

  test.each([
    ['seconds', 600, 1_800_000_600],
    ['days', 200_000, 1_800_000_000],
  ])('on one whose clock was %s ahead', async (_, ahead, expected) => {
    await world.commit('delivery.git', { y: '1' }, { at: 1_800_000_000 + ahead });
    await using clone = await connect().clone(url, 'main');
    const sha = await clone.commit(await clone.head(), new Map([['n', bytes('n')]]), 'm');
    const raw = await world.git('.', ['-C', clone.folder, 'cat-file', 'commit', sha]);
    expect(/committer .* (\d+) \+0000/.exec(raw)?.[1]).toBe(String(expected));
  });

  test('is refused on symlinks', async () => {
    await world.commit('delivery.git', { link: 'apps/web/a.yaml' }, { mode: '120000' });
    await using clone = await connect().clone(url, 'main');
    const files = new Map([['link', bytes('x')]]);
    await expect(clone.commit(await clone.head(), files, 'm')).rejects.toMatchObject({ code: 'tree_refused' });
  });

  test('an author cannot smuggle lines into the commit', async () => {
    const author = { name: 'Bot <x>\nparent 0', email: 'bot@example.com>\n' };
    await using clone = await connect('write-token', { author }).clone(url, 'main');
    const sha = await clone.commit(await clone.head(), new Map([['n', bytes('n')]]), 'm');
    const raw = await world.git('.', ['-C', clone.folder, 'cat-file', 'commit', sha]);
    expect(raw).toContain('author Bot xparent 0 <bot@example.com> 1800000000 +0000\n');
  });
});

test('only what talks to the server holds the token', async () => {
  const holders = new Set<string>();
  const told = (args: readonly string[], options: RunOptions = {}) => {
    const command = args.find((arg) => /^[a-z][a-z-]+$/.test(arg)) ?? '';
    if (Object.values(options.env ?? {}).some((value) => value.startsWith('Authorization'))) holders.add(command);
  };
  const processes: Processes = {
    run: (command, args, options) => (told(args, options), world.processes.run(command, args, options)),
    start: (command, args, options) => (told(args, options), world.processes.start(command, args, options)),
  };
  await using clone = await connect('write-token', { processes }).clone(url, 'main', { since: 0 });
  await contentsOf(
    clone,
    (await clone.tree()).map((entry) => entry.oid),
  );
  const sha = await clone.commit(await clone.head(), new Map([['n', bytes('n')]]), 'm');
  await clone.push(sha, 'main');
  expect([...holders].toSorted()).toEqual(['clone', 'fetch', 'push']);
});

describe('a signed commit', () => {
  test('is verified by git, and its key is not left behind', async () => {
    const key = join(world.path, 'key');
    await world.processes.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'bot', '-f', key]);
    const signers = join(world.path, 'signers');
    await writeFile(signers, `sluice@noreply.127.0.0.1 ${await readFile(`${key}.pub`, 'utf8')}`);
    const signingKey = secret((await readFile(key, 'utf8')).replaceAll('\n', '\r\n'));
    await using clone = await connect('write-token', { signingKey }).clone(url, 'main');
    const sha = await clone.commit(await clone.head(), new Map([['apps/web/a.yaml', bytes('a: 9')]]), 'm\n\nA: b\n');
    expect(await readdir(dirname(clone.folder))).toEqual(['delivery.git']);
    expect(await clone.push(sha, 'main')).toBe('pushed');
    await world.git('delivery.git', ['-c', `gpg.ssh.allowedSignersFile=${signers}`, 'verify-commit', sha]);
    expect(await world.git('delivery.git', ['log', '-1', '--format=%P|%an|%ce|%ct|%B', sha])).toBe(
      `${commits[2]}|sluice|sluice@noreply.127.0.0.1|1800000000|m\n\nA: b\n`,
    );
    expect(await world.show('delivery.git', sha, 'apps/web/a.yaml')).toBe('a: 9');
  });

  test('that cannot be signed is refused', async () => {
    await using clone = await connect('write-token', { signingKey: secret('no key') }).clone(url, 'main');
    const files = new Map([['x', bytes('1')]]);
    await expect(clone.commit(await clone.head(), files, 'm')).rejects.toMatchObject({ code: 'token_refused' });
  });
});

describe('a push', () => {
  test('that somebody else was before is raced, and lands after a refresh', async () => {
    await using clone = await connect().clone(url, 'main');
    const first = await clone.commit(await clone.head(), new Map([['x', bytes('1')]]), 'm');
    const other = await world.commit('delivery.git', { y: '1' });
    const before = server.requests.length;
    expect(await clone.push(first, 'main')).toBe('raced');
    expect(server.requests.slice(before).filter((request) => request.includes('upload-pack'))).toEqual([]);
    expect(await tip()).toBe(other);
    expect(await clone.refresh()).toBe(other);
    expect((await clone.repository.log(commits[2]!, other)).map((commit) => commit.sha)).toEqual([other]);
    const again = await clone.commit(other, new Map([['x', bytes('1')]]), 'm');
    expect(await clone.push(again, 'main')).toBe('pushed');
    expect(await clone.push(again, 'main')).toBe('pushed');
  });

  test('that lost brings the files that changed, and fetches large ones when they are read', async () => {
    await using clone = await connect().clone(url, 'main');
    const large = 'x'.repeat(300_000);
    await world.commit('delivery.git', { 'apps/web/a.yaml': 'a: 4\n', large });
    await clone.refresh();
    const oids = new Map((await clone.tree()).map((entry) => [entry.path, entry.oid]));
    const before = server.requests.length;
    expect(await contentsOf(clone, [oids.get('apps/web/a.yaml')!])).toEqual(['a: 4\n']);
    expect(server.requests).toHaveLength(before);
    const all = ['apps/web/a.yaml', 'large', 'apps/api/b.yaml'].map((path) => oids.get(path)!);
    expect(await contentsOf(clone, all)).toEqual(['a: 4\n', large, 'b: 3\n']);
  });

  test.each([
    ['GitLab: You are not allowed to push code to protected branches on this project.', 'push_refused'],
    ['GitLab: Commit message does not follow the pattern', 'push_refused'],
    ['GL-HOOK-ERR: size limit', 'push_refused'],
  ])('that a hook declines with "%s" is %s, with the server’s words', async (words, code) => {
    await hook('pre-receive', `echo "${words}" >&2; exit 1`);
    await using clone = await connect().clone(url, 'main');
    const sha = await clone.commit(await clone.head(), new Map([['x', bytes('1')]]), 'm');
    const fault = await clone.push(sha, 'main').catch((error: unknown) => error);
    expect(fault).toMatchObject({ code, message: expect.stringContaining(words.replace(/^[\w-]+: /, '')) });
    expect(await tip()).toBe(commits[2]);
  });

  test('that loses inside the server is raced', async () => {
    await hook('update', 'git update-ref refs/heads/main "$(git rev-parse main~1)"');
    await using clone = await connect().clone(url, 'main');
    const sha = await clone.commit(await clone.head(), new Map([['x', bytes('1')]]), 'm');
    expect(await clone.push(sha, 'main')).toBe('raced');
  });

  test('with a read-only token is a refused token', async () => {
    await using clone = await connect('read-token').clone(url, 'main');
    const sha = await clone.commit(await clone.head(), new Map([['x', bytes('1')]]), 'm');
    await expect(clone.push(sha, 'main')).rejects.toMatchObject({ code: 'token_refused', exit: 7 });
    expect(await tip()).toBe(commits[2]);
  });

  test('survives answers of a server that is briefly away', async () => {
    await using clone = await connect().clone(url, 'main');
    const sha = await clone.commit(await clone.head(), new Map([['x', bytes('1')]]), 'm');
    let refusals = 2;
    server.intercept = () => (refusals-- > 0 ? 502 : undefined);
    expect(await clone.push(sha, 'main')).toBe('pushed');
    expect(waits).toHaveLength(2);
  });

  test('replaces a branch only with the right lease', async () => {
    await using clone = await connect().clone(url, 'main');
    const commit = (text: string) => clone.commit(commits[2]!, new Map([['x', bytes(text)]]), text);
    const [one, two] = [await commit('one'), await commit('two')];
    expect(await clone.remoteBranch('sluice/staging/web')).toBeNull();
    expect(await clone.push(one, 'sluice/staging/web', { lease: '' })).toBe('pushed');
    expect(await clone.push(two, 'sluice/staging/web', { lease: '' })).toBe('raced');
    expect(await clone.push(two, 'sluice/staging/web', { lease: commits[2]! })).toBe('raced');
    expect(await clone.remoteBranch('sluice/staging/web')).toEqual({ sha: one, message: 'one\n', ours: true });
    expect(await clone.push(two, 'sluice/staging/web', { lease: one })).toBe('pushed');
    const foreign = await world.commit('delivery.git', { z: '1' }, { branch: 'sluice/staging/web' });
    expect(await clone.remoteBranch('sluice/staging/web')).toMatchObject({ sha: foreign, ours: false });
    expect(await clone.deleteBranch('sluice/staging/web', two)).toBe('raced');
    expect(await clone.deleteBranch('sluice/staging/web', foreign)).toBe('pushed');
    expect(await clone.remoteBranch('sluice/staging/web')).toBeNull();
  });
});

describe('bad input', () => {
  test.each([
    ['a wrong token', 'wrong', 'delivery.git', 'main', 'token_refused'],
    ['a project that is not there', 'write-token', 'none.git', 'main', 'token_refused'],
    ['a missing branch', 'write-token', 'delivery.git', 'nope', 'branch_missing'],
    ['an empty repository', 'write-token', 'empty.git', 'main', 'branch_missing'],
    ['an empty repository without branch name', 'write-token', 'empty.git', null, 'branch_missing'],
  ])('%s', async (_, token, name, branch, code) => {
    await world.bare('empty.git');
    await expect(connect(token).clone(`${server.url}/${name}`, branch)).rejects.toMatchObject({ code });
  });

  test('an unreachable server is tried again, then told', async () => {
    server.intercept = () => 503;
    await expect(connect().clone(url, 'main')).rejects.toMatchObject({ code: 'git_unavailable', exit: 6 });
    expect(waits).toHaveLength(3);
    await expect(connect().clone('http://127.0.0.1:1/x.git', 'main')).rejects.toMatchObject({ exit: 6 });
  });

  test.each([
    'http://gitlab.example.com/x.git',
    'ext::sh -c true',
    'file:///tmp/x.git',
    '/tmp/x.git',
    'git://example.com/x.git',
    'https://user:hidden@example.com/x.git',
  ])('the address %s is not used', async (address) => {
    const fault = await connect()
      .clone(address, 'main')
      .catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'usage' });
    expect(String(fault)).not.toContain('hidden');
  });

  test('an interruption leaves nothing behind', async () => {
    const abort = new AbortController();
    server.intercept = async () => {
      abort.abort(new Error('stop'));
      return new Promise((done) => setTimeout(() => done(503), 50));
    };
    await expect(connect().clone(url, 'main', { signal: abort.signal })).rejects.toThrow('stop');
  });
});
