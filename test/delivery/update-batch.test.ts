import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { results } from '../../runner/output/results.ts';
import { overlay, SLUICE, type UpdateWorld, updateWorld } from './update-world.ts';
import { updateCommand } from '../../runner/commands/update.ts';
import { runCommand } from '../doubles/run-command.ts';
import { faultOf } from './update-world.ts';

const ORIGIN = { project: 'shop/web', commit: 'b'.repeat(40), ref: 'main', pipeline: 21 };

let world: UpdateWorld;
beforeEach(async () => {
  world = await updateWorld();
  await world.git.commit('shop/delivery.git', {
    'sluice.yaml': SLUICE.replace('apps:\n', 'apps:\n  job: {}\n'),
    'apps/job/staging/kustomization.yaml': overlay('1.0.0').replace('web', 'job'),
    'apps/job/production/kustomization.yaml': overlay('1.0.0').replace('web', 'job'),
  });
});
afterEach(() => world[Symbol.asyncDispose]());

function batch(change: unknown, args: readonly string[] = []) {
  const text = typeof change === 'string' ? change : JSON.stringify(change);
  return runCommand(updateCommand, ['--delivery', 'shop/delivery', '--no-verify-image', '--change', text, ...args], {
    env: { CI_SERVER_URL: world.server.url, SLUICE_GIT_TOKEN: 'write-token' },
    folder: world.folder,
    clock: world.clock,
  });
}
const log = (format: string, range: string) => world.git.git('shop/delivery.git', ['log', `--format=${format}`, range]);
const image = (name: string, tag: string) => ({ app: name, images: [{ name, tag }] });

describe('update --change', () => {
  test('several apps are one commit, and once again changes nothing', async () => {
    const before = await world.tip();
    const changes = ['web', 'job'].map((name) => ({
      ...image(name, '2.0.0'),
      environments: ['staging'],
      origin: ORIGIN,
    }));
    await writeFile(join(world.folder, 'changes.json'), JSON.stringify(changes));
    const result = await batch('changes.json');
    expect(result).toMatchObject({ exit: 0, record: { outcome: 'pushed', app: null, apps: ['web', 'job'] } });
    expect(results['update']!.safeParse({ command: 'update', durations: {}, ...result.record }).error).toBeUndefined();
    expect((await log('%s', `${before}..main`)).trim()).toBe('deploy(staging): web 2.0.0, job 2.0.0');
    expect(await log('%(trailers:key=Sluice-App,valueonly)', '-1')).toContain('web\njob');
    expect(await log('%(trailers:key=Sluice-Source-Pipeline,valueonly)', '-1')).toContain('21');
    const changed = await world.git.git('shop/delivery.git', ['diff', '--name-only', before, 'main']);
    expect(changed.trim().split('\n')).toEqual([
      'apps/job/staging/kustomization.yaml',
      'apps/web/staging/kustomization.yaml',
    ]);
    const tip = await world.tip();
    expect(await batch('changes.json')).toMatchObject({ exit: 0, record: { outcome: 'unchanged' } });
    expect(await world.tip()).toBe(tip);
  });

  test('the files of many apps come in one batch', async () => {
    const apps = ['one', 'two', 'three', 'four'];
    const usual = (name: string) => name === 'one' || name === 'two';
    const settings = apps.map((name) => `  ${name}: {${usual(name) ? '' : ` path: other/${name} `}}\n`).join('');
    const files = [['sluice.yaml', SLUICE.replace('apps:\n', `apps:\n${settings}`)]];
    for (const name of apps) {
      const folder = `${usual(name) ? 'apps' : 'other'}/${name}`;
      files.push([`${folder}/staging/kustomization.yaml`, `images: [{ name: ${name}, newTag: 1.0.0 }]\n`]);
      for (let index = 0; index < 200; index += 1) files.push([`${folder}/${index}.yaml`, `${index}: ${folder}\n`]);
    }
    const inline = files.map(([path, text]) => `M 100644 inline ${path}\ndata ${text!.length}\n${text}\n`).join('');
    const commit = 'commit refs/heads/main\ncommitter Test <test@example.com> 1767268800 +0000\ndata 4\nmany\n';
    await world.git.git('shop/delivery.git', ['fast-import', '--quiet'], `${commit}from refs/heads/main^0\n${inline}`);
    const asked = () =>
      world.server.requests.filter((request) => request.startsWith('GET') && request.includes('upload')).length;
    const before = asked();
    const result = await batch(apps.map((name) => ({ ...image(name, '2.0.0'), environments: ['staging'] })));
    expect(result).toMatchObject({ exit: 0, record: { outcome: 'pushed', apps } });
    // The clone, the configuration with the apps at their usual place, the others.
    expect(asked() - before).toBe(3);
  });

  test('where one of several commits is not possible, none is made', async () => {
    const before = await world.tip();
    const changes = [
      { ...image('web', '2.0.0'), environments: ['staging'], origin: ORIGIN },
      { ...image('nothing-has-this', '2.0.0'), app: 'job', environments: ['production'], origin: ORIGIN },
    ];
    expect(await faultOf(batch(changes))).toMatchObject({ code: 'target_missing' });
    expect(await world.tip()).toBe(before);
  });

  test('where one of several commits fails on the way, what was made is told', async () => {
    const changes = ['staging', 'production'].map((environment, index) => ({
      ...image(index === 0 ? 'web' : 'job', '2.0.0'),
      environments: [environment],
      origin: ORIGIN,
    }));
    let pushes = 0;
    world.server.intercept = (request) =>
      request.includes('service=git-receive-pack') && ++pushes === 2 ? 403 : undefined;
    const fault = await faultOf(batch(changes));
    expect(fault).toMatchObject({ code: 'token_refused', exit: 7 });
    const made = (await world.tip()).slice(0, 12);
    expect((fault as Error).message).toContain(`delivered before: web → staging (${made})`);
  });

  test('a hold stops its own app alone', async () => {
    const result = await batch([image('web', '2.0.0'), image('api', '2.0.0')], ['--environment', 'staging']);
    expect(result.exit).toBe(3);
    expect(result.text).toMatch(/api.*incident 7/);
    expect(await world.staging()).toContain('newTag: 2.0.0');
    const api = await world.git.show('shop/delivery.git', 'main', 'apps/api/staging/kustomization.yaml');
    expect(api).toBe(overlay('1.0.0').trimEnd());
    expect(await log('%(trailers:key=Sluice-App,valueonly)', '-1')).not.toContain('api');
  });

  test('a hold in a commit of its own does not stop the others', async () => {
    const result = await batch([
      { ...image('api', '2.0.0'), environments: ['staging'] },
      { ...image('job', '2.0.0'), environments: ['production'] },
    ]);
    expect(result).toMatchObject({ exit: 3, record: { outcome: 'pushed' } });
    expect((await log('%s', '-1')).trim()).toBe('deploy(production): job 2.0.0');
  });

  test('no commit claims a pair that it does not change, and the second one is no race with the first', async () => {
    const before = await world.tip();
    const result = await batch([
      { ...image('web', '2.0.0'), environments: ['staging'] },
      { ...image('job', '2.0.0'), environments: ['production'] },
    ]);
    expect(result.record).toMatchObject({ deliveries: [{ attempts: 1 }, { attempts: 1 }] });
    expect((await log('%s', `${before}..main`)).trim().split('\n')).toEqual([
      'deploy(production): job 2.0.0',
      'deploy(staging): web 2.0.0',
    ]);
  });

  test.each<[string, unknown, readonly string[], RegExp]>([
    ['no JSON', '[{"app": }]', [], /--change is no JSON/],
    ['a missing file', 'nowhere.json', [], /nowhere\.json: --change: there is no such file/],
    ['an empty list', [], [], /--change/],
    ['an unknown key', [{ ...image('web', '1'), environment: 'staging' }], [], /\[0\]: .*environment/],
    ['no environment', [image('web', '1')], [], /\[0\]\.environments is missing/],
    ['nothing to change', [{ app: 'web', environments: ['staging'] }], [], /\[0\] changes nothing/],
    ['a tag with a line break', [{ ...image('web', '1\n2'), environments: ['staging'] }], [], /tag/],
    ['an unknown app', [{ ...image('wbe', '1'), environments: ['staging'] }], [], /web/],
    ['an unknown environment', [{ ...image('web', '1'), environments: ['stagin'] }], [], /staging/],
    ['--app beside it', [image('web', '1')], ['--app', 'web'], /--change and --app/],
  ])('%s is refused, and nothing changes', async (_, change, args, message) => {
    const before = await world.tip();
    const fault = await faultOf(batch(change, args));
    expect(fault).toMatchObject({ exit: 2 });
    expect((fault as Error).message + (fault as { hint: string }).hint).toMatch(message);
    expect(await world.tip()).toBe(before);
  });
});
