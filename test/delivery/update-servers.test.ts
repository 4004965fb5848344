import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gitServer } from '../doubles/git-server.ts';
import { DEPLOYMENT, faultOf, type UpdateWorld, updateWorld } from './update-world.ts';

/** Servers and repositories that are not what one expects: what lands lands in the right place, or nothing does. */

let w: UpdateWorld;
beforeEach(async () => {
  w = await updateWorld();
});
afterEach(() => w[Symbol.asyncDispose]());

const git = (...args: readonly string[]) => w.git.git('shop/delivery.git', args);

describe('names', () => {
  test.each(['release,1', 'release,', 'ünïcode/日本'])('the branch %s, and no other', async (name) => {
    for (const each of ['release', name]) await git('update-ref', `refs/heads/${each}`, w.first);
    expect(await w.update({ args: ['--branch', name] })).toMatchObject({ exit: 0 });
    expect(await git('rev-parse', `refs/heads/${name}^`)).toBe(w.first);
    expect(await git('rev-parse', 'refs/heads/release', 'refs/heads/main')).toBe(`${w.first}\n${w.first}`);
  });

  test('a file whose name is not UTF-8 is not written under another', async () => {
    await w.git.commit('shop/delivery.git', { 'apps/web/staging/kustomization.yaml': null });
    const image = DEPLOYMENT.replace('image: web', 'image: web:1.0.0');
    const blob = await w.git.git('shop/delivery.git', ['hash-object', '-w', '--stdin'], image);
    const entry = Buffer.from(`100644 blob ${blob}\tapps/web/staging/`);
    await git('read-tree', 'main');
    await w.git.git(
      'shop/delivery.git',
      ['update-index', '-z', '--index-info'],
      Buffer.concat([entry, Buffer.from([0xff, 0x2e, 0x79, 0x61, 0x6d, 0x6c, 0])]),
    );
    const commit = await git('commit-tree', await git('write-tree'), '-p', 'main', '-m', 'name');
    await git('update-ref', 'refs/heads/main', commit);
    expect(await faultOf(w.update())).toMatchObject({ code: 'tree_refused', exit: 3 });
    expect(await w.tip()).toBe(commit);
  });
});

describe('redirects', () => {
  test('to another server are not followed: the token stays', async () => {
    await using other = await gitServer(w.git.path, {});
    w.server.intercept = (request) => `${other.url}${request.split(' ')[1]}`;
    const fault = await faultOf(w.update());
    expect(fault).toMatchObject({ code: 'git_unavailable', exit: 6 });
    expect((fault as Error).message).toContain(`redirects to ${other.url}`);
    expect(other.requests).toEqual([]);
  });

  test('on the same server are followed', async () => {
    w.server.intercept = (request) =>
      request.includes('/old/') ? request.split(' ')[1]!.replace('/old/', '/shop/') : undefined;
    const args = ['--delivery', `${w.server.url}/old/delivery.git`];
    expect(await w.update({ args })).toMatchObject({ exit: 0 });
    expect(await w.staging()).toContain('newTag: 1.1.0');
  });
});

test('a server that leaves files out but gives none by its id is read whole', async () => {
  w.server.modern = false;
  await git('config', 'uploadpack.allowAnySHA1InWant', 'false');
  expect(await w.update()).toMatchObject({ exit: 0 });
  expect(await git('diff', '--name-only', w.first, 'main')).toBe('apps/web/staging/kustomization.yaml');
});

test('SHA-256 ids are refused, since no status could be posted on them', async () => {
  await w.git.git('.', [
    'init',
    '--quiet',
    '--bare',
    '--object-format=sha256',
    '--initial-branch=main',
    'shop/new.git',
  ]);
  const tree = await w.git.git('shop/new.git', ['hash-object', '-w', '-t', 'tree', '--stdin'], '');
  const commit = await w.git.git('shop/new.git', ['commit-tree', tree, '-m', 'start']);
  await w.git.git('shop/new.git', ['update-ref', 'refs/heads/main', commit]);
  const args = ['--delivery', 'shop/new'];
  expect(await faultOf(w.update({ args }))).toMatchObject({ code: 'not_supported', exit: 2 });
});
