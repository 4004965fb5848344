import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { updateCommand } from '../../runner/commands/update.ts';
import type { Context } from '../../runner/context.ts';
import { Fault } from '../../src/fault.ts';
import type { Registry } from '../../src/systems/registry.ts';
import { runCommand } from '../doubles/run-command.ts';
import { DEPLOYMENT, faultOf, NOW, overlay, type Run, SLUICE, type UpdateWorld, updateWorld } from './update-world.ts';

let w: UpdateWorld;
beforeEach(async () => {
  w = await updateWorld();
});
afterEach(() => w[Symbol.asyncDispose]());

describe('update by push', () => {
  test('makes one commit that changes one value and says where it came from', async () => {
    const result = await w.update();
    expect(result).toMatchObject({
      exit: 0,
      record: {
        outcome: 'pushed',
        mode: 'push',
        delivery: { project: 'shop/delivery', branch: 'main', sha: await w.tip(), mergeRequest: null },
        manifest: { targets: [{ file: 'apps/web/staging/kustomization.yaml', before: '1.0.0', after: '1.1.0' }] },
      },
    });
    expect(await w.staging()).toBe(overlay('1.1.0').trimEnd());
    expect(await w.git.git('shop/delivery.git', ['show', '--no-patch', '--format=%P%n%B', 'main'])).toBe(
      [
        w.first,
        'deploy(staging): web 1.1.0',
        '',
        '- apps/web/staging/kustomization.yaml: images[name=web].newTag 1.0.0 → 1.1.0',
        '',
        'Sluice-App: web',
        'Sluice-Environment: staging',
        'Sluice-Image: web:1.1.0',
        'Sluice-Source-Project: shop/web',
        `Sluice-Source-Commit: ${'a'.repeat(40)}`,
        'Sluice-Source-Ref: main',
        'Sluice-Source-Pipeline: 10',
        '',
      ].join('\n'),
    );
    expect(await w.git.git('shop/delivery.git', ['diff', '--name-only', w.first, 'main'])).toBe(
      'apps/web/staging/kustomization.yaml',
    );
  });

  test('several environments are one commit', async () => {
    const result = await w.update({ args: ['--environment', 'staging', '--environment', 'production'] });
    expect(result.record['manifest']).toMatchObject({ targets: [{ after: '1.1.0' }, { after: '1.1.0' }] });
    expect(await w.git.git('shop/delivery.git', ['rev-list', '--count', 'main'])).toBe('2');
    expect(await w.git.git('shop/delivery.git', ['log', '-1', '--format=%s'])).toBe(
      'deploy(staging, production): web 1.1.0',
    );
  });

  test('--set changes a value in a file of the app', async () => {
    const result = await w.update({ image: '', args: ['--set', '{environment}/settings.yaml:/replicas=5'] });
    expect(result.record.outcome).toBe('pushed');
    expect(await w.git.show('shop/delivery.git', 'main', 'apps/web/staging/settings.yaml')).toBe('replicas: 5');
  });

  test('--dry-run prints the difference and pushes nothing', async () => {
    const result = await w.update({ args: ['--dry-run'] });
    expect(result.record).toMatchObject({ outcome: 'planned', delivery: null });
    expect(result.text).toContain('-    newTag: 1.0.0\n+    newTag: 1.1.0\n');
    expect(await w.tip()).toBe(w.first);
  });

  test('a file that another environment reaches too is not taken', async () => {
    await w.git.commit('shop/delivery.git', {
      'apps/web/staging/kustomization.yaml': 'resources: [../base]\n',
      'apps/web/base/deployment.yaml': DEPLOYMENT.replace('image: web', 'image: web:1'),
    });
    const fault = await faultOf(w.update());
    expect(fault).toMatchObject({ code: 'target_missing' });
    const both = await w
      .update({
        args: ['--environment', 'staging', '--environment', 'production', '--set', 'x:y=z'],
      })
      .catch((error: unknown) => error);
    expect(both).toBeInstanceOf(Fault);
  });

  test('nothing to change makes no commit and takes the one that stands', async () => {
    const pushed = await w.update();
    await w.git.commit('shop/delivery.git', { 'README.md': 'hi' }, { at: NOW / 1000 + 60 });
    const again = await w.update();
    expect(again.record).toMatchObject({ outcome: 'unchanged', delivery: pushed.record['delivery'] });
    const byHand = await w.update({ image: 'web=:1.0.0', args: ['--environment', 'production'], pipeline: 11 });
    expect(byHand.record).toMatchObject({ outcome: 'unchanged', delivery: { sha: await w.tip() } });
  });

  test('where application and delivery are one project, its own commits change nothing', async () => {
    const pushed = await w.update({ env: { CI_PROJECT_PATH: 'shop/delivery' } });
    expect(pushed.record.outcome).toBe('pushed');
    const message = await w.git.git('shop/delivery.git', ['log', '-1', '--format=%B']);
    const again = await w.update({
      image: 'web=:1.2.0',
      env: { CI_PROJECT_PATH: 'shop/delivery', CI_COMMIT_MESSAGE: message },
    });
    expect(again).toMatchObject({ exit: 0, record: { outcome: 'skipped' } });
    const elsewhere = await w.update({ image: 'web=:1.2.0', env: { CI_COMMIT_MESSAGE: message }, pipeline: 11 });
    expect(elsewhere.record.outcome).toBe('pushed');
  });
});

describe('images', () => {
  const registry = (found: Readonly<Record<string, string>>): Partial<Context> => {
    const answers: Pick<Registry, 'resolve'> = {
      resolve: (repository, reference) => {
        if (repository.startsWith('down.')) {
          return Promise.reject(new Fault('registry_unavailable', 'no answer'));
        }
        return Promise.resolve(found[`${repository}:${reference}`] ?? null);
      },
    };
    return { registry: () => Promise.resolve(answers as Registry) };
  };
  const verified = (run: Run) =>
    runCommand(
      updateCommand,
      [
        '--delivery',
        'shop/delivery',
        '--app',
        'web',
        '--environment',
        'staging',
        '--image',
        run.image!,
        ...(run.args ?? []),
      ],
      {
        env: { CI_SERVER_URL: w.server.url, SLUICE_GIT_TOKEN: 'write-token' },
        folder: w.folder,
        clock: w.clock,
        systems: run.systems ?? {},
      },
    );

  test('one that is not in its registry is not delivered', async () => {
    const image = 'web=registry.example.com/web:9';
    const fault = await faultOf(verified({ image, systems: registry({}) }));
    expect(fault).toMatchObject({ code: 'image_missing', exit: 3 });
    expect(await w.tip()).toBe(w.first);
    const found = registry({ 'registry.example.com/web:9': `sha256:${'1'.repeat(64)}` });
    expect((await verified({ image, systems: found })).record.outcome).toBe('pushed');
  });

  test('a registry that does not answer is said, with the way around', async () => {
    const fault = await faultOf(verified({ image: 'web=down.example.com/web:9', systems: registry({}) }));
    expect(fault).toMatchObject({ code: 'registry_unavailable', hint: expect.stringContaining('--no-verify-image') });
  });

  test('`pin: digest` writes what the tag resolves to', async () => {
    const digest = `sha256:${'2'.repeat(64)}`;
    await w.git.commit('shop/delivery.git', { 'sluice.yaml': SLUICE.replace('web: {', 'web: { pin: digest,') });
    const found = registry({ 'registry.example.com/web:9': digest });
    await verified({ image: 'web=registry.example.com/web:9', systems: found });
    expect(await w.staging()).toContain(`digest: ${digest}`);
    expect(await w.staging()).not.toContain('newTag');
  });

  test('`--pin` goes before sluice.yaml', async () => {
    const digest = `sha256:${'2'.repeat(64)}`;
    await w.git.commit('shop/delivery.git', { 'sluice.yaml': SLUICE.replace('web: {', 'web: { pin: digest,') });
    const found = registry({ 'registry.example.com/web:9': digest });
    await verified({ image: 'web=registry.example.com/web:9', systems: found, args: ['--pin', 'both'] });
    expect(await w.staging()).toMatch(/newTag: "?9/);
    expect(await w.staging()).toContain(`digest: ${digest}`);
  });
});

describe('bad input changes nothing', () => {
  test.each<[string, Run, string, number]>([
    ['an unknown app', { args: ['--app', 'wbe'] }, 'unknown_app', 2],
    ['an unknown environment', { args: ['--environment', 'stagin'] }, 'unknown_environment', 2],
    ['a wrong image reference', { image: 'web=:a b' }, 'image_reference', 2],
    ['a tag with a line break', { image: 'web=:1\nSluice-App: evil' }, 'image_reference', 2],
    ['nothing to change', { image: '' }, 'usage', 2],
    ['an image that no manifest holds', { image: 'wbe=:1' }, 'target_missing', 2],
    ['a value in a missing file', { image: '', args: ['--set', 'no.yaml:/a=1'] }, 'file_missing', 2],
    ['a value outside the app', { image: '', args: ['--set', '../api/x.yaml:/a=1'] }, 'path_outside', 2],
    ['an app on hold', { args: ['--app', 'api'] }, 'held', 3],
    ['a missing branch', { args: ['--branch', 'nope'] }, 'branch_missing', 2],
    ['a read-only token', { env: { SLUICE_GIT_TOKEN: 'read-token' } }, 'token_refused', 7],
    ['a wrong token', { env: { SLUICE_GIT_TOKEN: 'expired-token' } }, 'token_refused', 7],
    ['no token', { env: { SLUICE_GIT_TOKEN: '' } }, 'token_missing', 7],
    ['an unreachable server', { env: { CI_SERVER_URL: 'http://127.0.0.1:1' } }, 'git_unavailable', 6],
    ['a short commit id', { env: { CI_COMMIT_SHA: 'abc' } }, 'usage', 2],
    ['a project that is not there', { args: ['--delivery', 'shop/none'] }, 'token_refused', 7],
  ])('%s', async (_, run, code, exit) => {
    const fault = await faultOf(w.update(run));
    expect(fault).toMatchObject({ code, exit });
    expect(await w.tip()).toBe(w.first);
  });

  test('no sluice.yaml, a broken one, and a symlink that leaves the repository', async () => {
    const before = await w.git.commit('shop/delivery.git', { 'sluice.yaml': 'version: 1\napps: {web: {pth: x}}\n' });
    expect(await faultOf(w.update())).toMatchObject({ code: 'config_invalid', exit: 2 });
    expect(await w.tip()).toBe(before);
    await w.git.commit('shop/delivery.git', { 'sluice.yaml': null });
    expect(await faultOf(w.update())).toMatchObject({ code: 'config_missing', exit: 2 });
    await w.git.commit('shop/delivery.git', { 'sluice.yaml': SLUICE });
    await w.git.commit('shop/delivery.git', { 'apps/web/staging/l.yaml': '../../../../etc/x' }, { mode: '120000' });
    const linked = { image: '', args: ['--set', 'staging/l.yaml:/a=1'] };
    expect(await faultOf(w.update(linked))).toMatchObject({ code: 'path_outside', exit: 2 });
  });

  test('an interruption in the middle leaves the remote as it was', async () => {
    const abort = new AbortController();
    w.server.intercept = (request) => {
      if (request.includes('receive-pack')) abort.abort(new Fault('interrupted', 'interrupted'));
      return undefined;
    };
    expect(await faultOf(w.update({ signal: abort.signal }))).toMatchObject({ code: 'interrupted', exit: 130 });
  });
});
