import { spawn } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { overlay, type UpdateWorld, updateWorld } from './update-world.ts';

/** Nothing that a delivery repository, a job's environment or its home folder says is executed. */

const main = join(import.meta.dirname, '..', '..', 'runner', 'main.ts');

let w: UpdateWorld;
/** A program that leaves a file here when it runs. */
let trap: string;
let marks: string;
beforeEach(async () => {
  w = await updateWorld();
  marks = join(w.folder, 'marks');
  trap = join(w.folder, 'trap');
  await mkdir(marks);
  await writeFile(trap, `#!/bin/sh\necho "$0 $*" >> ${marks}/ran\nexec cat\n`, { mode: 0o755 });
});
afterEach(() => w[Symbol.asyncDispose]());

/** `update` as a process of its own. */
async function update(env: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const flags = ['--delivery', 'shop/delivery', '--app', 'web', '--environment', 'staging', '--no-verify-image'];
  const child = spawn(process.execPath, [main, 'update', ...flags, ...args], {
    cwd: w.folder,
    env: { PATH: process.env['PATH'], CI_SERVER_URL: w.server.url, SLUICE_GIT_TOKEN: 'write-token', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (data) => (text += String(data)));
  const code = await new Promise((resolve) => child.on('close', resolve));
  return { code, text };
}

test('attributes, filters, submodules and hooks in the repository are data', async () => {
  const manifest = overlay('1.0.0').replaceAll('\n', '\r\n');
  await w.git.commit('shop/delivery.git', {
    '.gitattributes':
      '* filter=trap diff=trap merge=trap ident text eol=lf working-tree-encoding=UTF-16 export-subst\n*.yaml filter=lfs\n',
    '.gitconfig': `[filter "trap"]\n\tsmudge = ${trap}\n\tclean = ${trap}\n\trequired = true\n`,
    '.lfsconfig': `[lfs]\n\turl = http://127.0.0.1:9/lfs\n`,
    '.gitmodules': `[submodule "sub"]\n\tpath = apps/web/sub\n\turl = ext::sh -c ${trap}\n\tupdate = !${trap}\n`,
    'hooks/pre-push': `#!/bin/sh\n${trap}\n`,
    '.husky/pre-push': `#!/bin/sh\n${trap}\n`,
    '.mailmap': 'Evil <evil@example.com> <sluice@noreply.127.0.0.1>\n',
    'apps/web/staging/kustomization.yaml': manifest,
    'apps/web/staging/$Id$.yaml': '# $Id$ $Format:%H$\n',
    'apps/web/lfs.yaml': `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12\n`,
  });
  const parent = await w.tip();
  const gitlink = `160000 commit ${'b'.repeat(40)}\tapps/web/sub`;
  await w.git.git('shop/delivery.git', ['read-tree', 'main']);
  await w.git.git('shop/delivery.git', ['update-index', '--index-info'], `${gitlink.replace('commit ', '')}\n`);
  const tree = await w.git.git('shop/delivery.git', ['write-tree']);
  const commit = await w.git.git('shop/delivery.git', ['commit-tree', tree, '-p', parent, '-m', 'submodule']);
  await w.git.git('shop/delivery.git', ['update-ref', 'refs/heads/main', commit]);

  expect(await update({}, '--image', 'web=:1.1.0')).toMatchObject({ code: 0 });
  expect(await w.git.git('shop/delivery.git', ['diff-tree', '-r', '--name-only', commit, 'main'])).toBe(
    'apps/web/staging/kustomization.yaml',
  );
  expect(await w.staging()).toBe(manifest.replace('1.0.0', '1.1.0').replace(/\n$/, ''));
  expect(await w.git.git('shop/delivery.git', ['ls-tree', 'main', 'apps/web/sub'])).toContain('160000 commit');
  expect(await readdir(marks)).toEqual([]);
}, 120_000);

test('a path in a submodule, and a file that Git LFS keeps, are refused', async () => {
  await w.git.commit('shop/delivery.git', {
    'apps/web/lfs.yaml': `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12\n`,
  });
  const tip = await w.tip();
  const missing = await update({}, '--set', 'sub/values.yaml:/tag=2');
  expect(missing).toMatchObject({ code: 2, text: expect.stringContaining('apps/web/sub/values.yaml') });
  const pointer = await update({}, '--set', 'lfs.yaml:/tag=2');
  expect(pointer.code).toBe(2);
  expect(await w.tip()).toBe(tip);
}, 120_000);

test('the home folder’s and the job’s git configuration have no say', async () => {
  const home = join(w.folder, 'home');
  await mkdir(join(home, '.config', 'git'), { recursive: true });
  const evil = [
    `[core]\n\thooksPath = ${w.folder}\n\tfsmonitor = ${trap}\n\tsshCommand = ${trap}\n\tattributesFile = /nowhere\n\taskPass = ${trap}`,
    `[credential]\n\thelper = "!${trap}"`,
    `[url "ext::sh -c ${trap}"]\n\tinsteadOf = http://`,
    `[push]\n\tgpgSign = true\n[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = ${trap}`,
    `[alias]\n\tclone = !${trap}\n[protocol "ext"]\n\tallow = always\n[init]\n\ttemplateDir = ${w.folder}`,
    `[uploadpack]\n\tpackObjectsHook = ${trap}\n[user]\n\tname = Evil\n\temail = evil@example.com`,
  ].join('\n');
  await writeFile(join(home, '.gitconfig'), evil);
  await writeFile(join(home, '.config', 'git', 'config'), evil);
  for (const name of ['pre-push', 'reference-transaction', 'post-checkout']) {
    await writeFile(join(w.folder, name), `#!/bin/sh\n${trap}\n`, { mode: 0o755 });
  }
  const run = await update(
    {
      HOME: home,
      XDG_CONFIG_HOME: join(home, '.config'),
      GIT_DIR: join(w.folder, 'nowhere'),
      GIT_WORK_TREE: '/',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'core.fsmonitor',
      GIT_CONFIG_VALUE_0: trap,
      GIT_CONFIG_PARAMETERS: `'core.fsmonitor=${trap}'`,
      GIT_SSH_COMMAND: trap,
      GIT_ASKPASS: trap,
      GIT_PROXY_COMMAND: trap,
      GIT_EXTERNAL_DIFF: trap,
      GIT_EXEC_PATH: w.folder,
      GIT_ALLOW_PROTOCOL: 'ext:http',
      GIT_OBJECT_DIRECTORY: w.folder,
      GIT_AUTHOR_NAME: 'Evil',
    },
    '--image',
    'web=:1.1.0',
  );
  expect(run).toMatchObject({ code: 0 });
  expect(await w.git.git('shop/delivery.git', ['log', '-1', '--format=%an <%ae> %cn', 'main'])).toBe(
    'sluice <sluice@noreply.127.0.0.1> sluice',
  );
  expect(await readdir(marks)).toEqual([]);
}, 120_000);

test.each([
  ['ext', 'ext::sh -c true'],
  ['an option', '--upload-pack=true'],
  ['fd', 'fd::17'],
  ['plain http elsewhere', 'http://gitlab.example.com/shop/delivery.git'],
  ['a password', 'https://user:hidden-password@gitlab.example.com/shop/delivery.git'],
])(
  'a delivery address by %s is not used',
  async (_, address) => {
    const { code, text } = await update({}, `--delivery=${address}`, '--image', 'web=:1.1.0');
    expect(code).toBe(2);
    expect(text).toContain('(usage: ');
    expect(text).not.toContain('hidden-password');
    expect(await w.tip()).toBe(w.first);
  },
  120_000,
);
