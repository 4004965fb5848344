import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { faultOf, NOW, overlay, SLUICE, type UpdateWorld, updateWorld } from './update-world.ts';

let w: UpdateWorld;
beforeEach(async () => {
  w = await updateWorld();
});
afterEach(() => w[Symbol.asyncDispose]());

describe('older and newer', () => {
  test('an older pipeline is superseded, a re-run refused, both change nothing', async () => {
    await w.update({ pipeline: 10 });
    const newer = await w.update({ pipeline: 12, image: 'web=:1.2.0' });
    const late = await w.update({ pipeline: 11, image: 'web=:1.1.1' });
    expect(late).toMatchObject({ exit: 0, record: { outcome: 'superseded', delivery: newer.record['delivery'] } });
    const rerun = await faultOf(w.update({ pipeline: 10 }));
    expect(rerun).toMatchObject({
      code: 'older_run',
      exit: 3,
      hint: expect.stringMatching(/rollback.*`git revert [0-9a-f]{12}`/),
    });
    expect(await w.staging()).toContain('1.2.0');
    const permitted = await w.update({ pipeline: 10, args: ['--allow-older'] });
    expect(permitted.record.outcome).toBe('pushed');
    expect(await w.staging()).toContain('1.1.0');
  });

  test('the history is deepened no further than the pipeline is old', async () => {
    for (let index = 0; index < 30; index += 1) {
      await w.git.commit('shop/delivery.git', { x: String(index) }, { at: NOW / 1000 - 50_000 + index });
    }
    const before = w.server.requests.length;
    await w.update();
    expect(w.server.requests.slice(before).filter((request) => request.includes('info/refs'))).toHaveLength(4);
  });

  test('an older commit is found without knowing when the pipeline began', async () => {
    await w.update({ pipeline: 12, image: 'web=:1.2.0', env: { CI_PIPELINE_CREATED_AT: '' } });
    for (let index = 0; index < 5; index += 1) {
      await w.git.commit('shop/delivery.git', { x: String(index) }, { at: NOW / 1000 + 90_000 * index });
    }
    const late = await w.update({ pipeline: 11, env: { CI_PIPELINE_CREATED_AT: '' } });
    expect(late.record.outcome).toBe('superseded');
  });

  test('an older pipeline is superseded on a runner whose clock is far behind GitLab’s', async () => {
    await w.update({ pipeline: 12, image: 'web=:1.2.0' });
    await w.git.commit('shop/delivery.git', { x: '1' }, { at: NOW / 1000 });
    const ahead = new Date(NOW + 86_400_000).toISOString();
    const late = await w.update({ pipeline: 11, env: { CI_PIPELINE_CREATED_AT: ahead } });
    expect(late.record.outcome).toBe('superseded');
  });
});

describe('races', () => {
  test('a lost race is computed again on the new tree', async () => {
    let pushes = 0;
    w.server.intercept = async (request) => {
      if (!request.includes('service=git-receive-pack') || ++pushes > 2) return undefined;
      await w.git.commit('shop/delivery.git', { [`other${pushes}`]: 'x' }, { at: NOW / 1000 });
      return undefined;
    };
    const result = await w.update();
    expect(result.record).toMatchObject({ outcome: 'pushed', deliveries: [{ attempts: 3 }] });
    expect(await w.git.git('shop/delivery.git', ['ls-tree', '--name-only', 'main'])).toContain('other2');
    expect(await w.staging()).toContain('1.1.0');
  });

  test('a push that landed although it was rejected is no re-run once a newer one stands above it', async () => {
    const newer = ['deploy(staging): web 2', '', 'Sluice-App: web', 'Sluice-Environment: staging'];
    newer.push(
      'Sluice-Source-Project: shop/web',
      `Sluice-Source-Commit: ${'b'.repeat(40)}`,
      'Sluice-Source-Pipeline: 11',
    );
    const hook = [
      '#!/bin/sh',
      '[ -e once ] && exit 0',
      'touch once',
      'export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t',
      'git update-ref "$1" "$3"',
      `git update-ref "$1" "$(printf '%s\\n' ${newer.map((line) => `'${line}'`).join(' ')} | git commit-tree -p "$3" "$3^{tree}")"`,
    ];
    const folder = join(w.git.path, 'shop/delivery.git/hooks');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'update'), hook.join('\n'), { mode: 0o755 });
    const result = await w.update();
    expect(result).toMatchObject({ exit: 0, record: { outcome: 'pushed', deliveries: [{ attempts: 1 }] } });
    expect(result.record.delivery).toMatchObject({ sha: await w.git.git('shop/delivery.git', ['rev-parse', 'main^']) });
  });

  test('a hold that arrives meanwhile is obeyed', async () => {
    let pushes = 0;
    w.server.intercept = async (request) => {
      if (!request.includes('service=git-receive-pack') || ++pushes > 1) return undefined;
      await w.git.commit('shop/delivery.git', { 'sluice.yaml': SLUICE.replace('web: {', 'web: { hold: stop,') });
      return undefined;
    };
    expect(await faultOf(w.update())).toMatchObject({ code: 'held', exit: 3 });
    expect(await w.staging()).toContain('1.0.0');
  });

  test('the deadline ends it', async () => {
    let [now, pushes] = [NOW, 0];
    w.server.intercept = async (request) => {
      if (!request.includes('service=git-receive-pack')) return undefined;
      await w.git.commit('shop/delivery.git', { x: String(++pushes) });
      if (pushes === 3) now += 600_000;
      return undefined;
    };
    const clock = { ...w.clock, now: () => now, sleep: () => Promise.resolve() };
    const fault = await faultOf(w.update({ args: ['--timeout', '10m'], clock }));
    expect(fault).toMatchObject({ code: 'contention', exit: 6, message: expect.stringContaining('3 pushes') });
  });

  test('many writers at once lose nothing', async () => {
    const apps = Array.from({ length: 8 }, (_, index) => `app${index}`);
    const list = apps.map((app) => `  ${app}: {}\n`).join('');
    const files = Object.fromEntries(
      apps.map((app) => [`apps/${app}/staging/kustomization.yaml`, overlay('1.0.0').replace('../base', 'x.yaml')]),
    );
    await w.git.commit('shop/delivery.git', { ...files, 'sluice.yaml': `${SLUICE}${list}` });
    const runs = apps.map((app) => w.update({ args: ['--app', app], env: { CI_PROJECT_PATH: `shop/${app}` } }));
    const outcomes = (await Promise.all(runs)).map((result) => result.record.outcome);
    expect(new Set(outcomes)).toEqual(new Set(['pushed']));
    for (const app of apps) {
      const text = await w.git.show('shop/delivery.git', 'main', `apps/${app}/staging/kustomization.yaml`);
      expect(text).toContain('newTag: 1.1.0');
    }
    expect(await w.git.git('shop/delivery.git', ['rev-list', '--count', 'main'])).toBe('10');
  }, 180_000);

  test('of one app’s pipelines the newest ends on top, whatever the order', async () => {
    const pipelines = [5, 2, 6, 1, 4, 3];
    const runs = pipelines.map((pipeline) => w.update({ pipeline, image: `web=:2.0.${pipeline}` }));
    const outcomes = (await Promise.all(runs)).map((result) => result.record.outcome);
    expect(await w.staging()).toContain('newTag: 2.0.6');
    expect(outcomes[2]).toBe('pushed');
    expect(outcomes.every((outcome) => outcome === 'pushed' || outcome === 'superseded')).toBe(true);
  }, 180_000);
});
