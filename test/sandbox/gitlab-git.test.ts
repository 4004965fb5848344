import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startWorld } from './gitlab-fixture.ts';
import type { World } from './gitlab-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let world: World;
let bot: { readonly token: string; readonly username: string };
let developer: string;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
  world.gitlab.createProject('shop/delivery');
  await world.gitlab.seed(
    'shop/delivery',
    new Map([
      ['README.md', 'one\n'],
      ['apps/a.yaml', 'a: 1\n'],
    ]),
    'first',
  );
  bot = world.gitlab.createToken('shop/delivery', { name: 'sluice', scopes: ['write_repository'], accessLevel: 40 });
  developer = world.gitlab.createUser('dev', { memberships: { shop: 30 } }).token;
});
afterAll(async () => world.close());

/** A clone with the credential in its origin. */
async function clone(token: string, user?: string, ...extra: readonly string[]): Promise<string> {
  count += 1;
  const folder = join(world.folder, `clone${count}`);
  const cloned = await world.git(['clone', '-q', ...extra, world.address('shop/delivery', token, user), folder]);
  expect(cloned).toEqual({ code: 0, text: '' });
  return folder;
}

async function commit(folder: string, name: string, content: string): Promise<string> {
  await mkdir(join(folder, name, '..'), { recursive: true });
  await writeFile(join(folder, name), content);
  await world.git(['add', '.'], { cwd: folder });
  await world.git(['commit', '-q', '-m', `change ${name}`], { cwd: folder });
  return (await world.git(['rev-parse', 'HEAD'], { cwd: folder })).text.trim();
}

test('clone, commit, push; the push is told of', async () => {
  const folder = await clone(bot.token);
  const sha = await commit(folder, 'b.txt', 'b');
  expect((await world.git(['push', '-q', 'origin', 'main'], { cwd: folder })).code).toBe(0);
  await world.gitlab.waitForPipelines();
  expect(world.events.findLast((event) => event.type === 'push')).toMatchObject({
    project: 'shop/delivery',
    ref: 'main',
    after: sha,
    username: bot.username,
    subject: 'change b.txt',
  });
});

test('partial and shallow clones, and commits by id', async () => {
  const folder = await clone(bot.token, undefined, '--filter=tree:0', '--depth=1', '--no-checkout');
  const head = (await world.git(['rev-parse', 'HEAD'], { cwd: folder })).text.trim();
  const parent = await world.git(['fetch', '-q', '--filter=tree:0', '--unshallow', 'origin'], { cwd: folder });
  expect(parent.code).toBe(0);
  const first = (await world.git(['rev-list', '--max-parents=0', head], { cwd: folder })).text.trim();
  const other = join(world.folder, 'single');
  await world.git(['init', '-q', other]);
  expect(
    (await world.git(['fetch', '-q', '--depth=1', world.address('shop/delivery', bot.token), first], { cwd: other }))
      .code,
  ).toBe(0);
});

test('wrong, revoked and narrow credentials', async () => {
  const lines = async (token: string) => (await world.git(['ls-remote', world.address('shop/delivery', token)])).text;
  expect(await lines('glpat-wrong')).toContain('HTTP Basic: Access denied');
  const gone = world.gitlab.createToken('shop/delivery', { name: 'gone', scopes: ['write_repository'] });
  world.gitlab.revokeToken(gone.token);
  expect(await lines(gone.token)).toContain('Authentication failed');
  const narrow = world.gitlab.createToken('shop/delivery', { name: 'narrow', scopes: ['read_registry'] });
  expect(await lines(narrow.token)).toContain('403');
  const anonymous = await fetch(`${world.gitlab.url}/shop/delivery.git/info/refs?service=git-upload-pack`);
  expect([anonymous.status, anonymous.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="GitLab"']);
  const stranger = world.gitlab.createUser('stranger').token;
  expect(await lines(stranger)).toContain("could not be found or you don't have permission to view it");
});

test('read-only credentials cannot push; deploy tokens read', async () => {
  const reader = world.gitlab.createToken('shop/delivery', { name: 'reader', scopes: ['read_repository'] });
  const folder = await clone(reader.token);
  await commit(folder, 'c.txt', 'c');
  expect((await world.git(['push', 'origin', 'main'], { cwd: folder })).text).toContain(
    'You are not allowed to push code to this project.',
  );
  const deploy = world.gitlab.createDeployToken('shop/delivery', { name: 'flux', scopes: ['read_repository'] });
  expect(
    (await world.git(['ls-remote', world.address('shop/delivery', deploy.token, deploy.username)])).text,
  ).toContain('refs/heads/main');
});

test('a protected branch refuses developers in GitLab’s words; others may', async () => {
  const folder = await clone(developer);
  await commit(folder, 'd.txt', 'd');
  const refused = await world.git(['push', 'origin', 'main'], { cwd: folder });
  expect(refused.code).not.toBe(0);
  expect(refused.text).toContain(
    'remote: GitLab: You are not allowed to push code to protected branches on this project.',
  );
  expect(refused.text).toContain('[remote rejected] main -> main (pre-receive hook declined)');
  expect((await world.git(['push', '-q', 'origin', 'main:feature/d'], { cwd: folder })).code).toBe(0);
});

test('no force on protected branches, no deletion', async () => {
  const folder = await clone(bot.token);
  await world.git(['commit', '-q', '--amend', '-m', 'rewritten'], { cwd: folder });
  expect((await world.git(['push', '--force', 'origin', 'main'], { cwd: folder })).text).toContain(
    'You are not allowed to force push code to a protected branch',
  );
  expect((await world.git(['push', 'origin', ':main'], { cwd: folder })).text).toContain(
    'You can only delete protected branches using the web interface',
  );
});

test('the second of two racing pushes is rejected', async () => {
  const [first, second] = [await clone(bot.token), await clone(bot.token)];
  await commit(first, 'e.txt', '1');
  await commit(second, 'e.txt', '2');
  expect((await world.git(['push', '-q', 'origin', 'main'], { cwd: first })).code).toBe(0);
  const late = await world.git(['push', 'origin', 'main'], { cwd: second });
  expect(late.code).not.toBe(0);
  expect(late.text).toMatch(/\[rejected\].*fetch first/);
});

test('a merge request by push options follows its branch', async () => {
  const folder = await clone(bot.token);
  await commit(folder, 'f.txt', 'f');
  await world.git(
    [
      'push',
      '-q',
      '-o',
      'merge_request.create',
      '-o',
      'merge_request.title=From a push',
      'origin',
      'HEAD:refs/heads/mr',
    ],
    { cwd: folder },
  );
  await world.gitlab.waitForPipelines();
  const call = world.as(world.gitlab.createUser('reader', { memberships: { shop: 20 } }).token);
  const [request] = (await call('GET', '/projects/shop%2Fdelivery/merge_requests?source_branch=mr')).body;
  expect(request).toMatchObject({ title: 'From a push', target_branch: 'main', state: 'opened' });
  const sha = await commit(folder, 'f.txt', 'g');
  await world.git(['push', '-q', 'origin', 'HEAD:refs/heads/mr'], { cwd: folder });
  await world.gitlab.waitForPipelines();
  expect((await call('GET', `/projects/shop%2Fdelivery/merge_requests/${request.iid}`)).body.sha).toBe(sha);
});
