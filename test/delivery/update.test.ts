import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { updateCommand } from '../../runner/commands/update.ts';
import type { Context } from '../../runner/context.ts';
import { Fault } from '../../src/fault.ts';
import type { Clock } from '../../src/systems/clock.ts';
import type { Registry } from '../../src/systems/registry.ts';
import { type GitFolder, gitFolder } from '../doubles/git-folder.ts';
import { type GitServer, gitServer } from '../doubles/git-server.ts';
import { runCommand } from '../doubles/run-command.ts';

const SLUICE = `version: 1
environments:
  staging: {}
  production: { promote_from: staging }
apps:
  web: { project: shop/web }
  api: { project: shop/api, hold: "incident 7" }
`;
const overlay = (tag: string) => `resources: [../base]\nimages:\n  - name: web # kept\n    newTag: ${tag}\n`;
const START = {
  'sluice.yaml': SLUICE,
  'apps/web/base/kustomization.yaml': 'resources: [deployment.yaml]\n',
  'apps/web/base/deployment.yaml':
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n        - {name: web, image: web}\n',
  'apps/web/staging/kustomization.yaml': overlay('1.0.0'),
  'apps/web/staging/settings.yaml': 'replicas: 2\n',
  'apps/web/production/kustomization.yaml': overlay('1.0.0'),
  'apps/api/staging/kustomization.yaml': overlay('1.0.0'),
};
const CREATED = '2026-01-01T12:00:00Z';
const NOW = Date.parse(CREATED) + 60_000;

let world: GitFolder;
let server: GitServer;
let folder: string;
let first: string;
let now: number;
const clock: Clock = {
  now: () => (now += 10),
  sleep: (ms, signal) => {
    now += ms;
    signal?.throwIfAborted();
    return new Promise((resolve) => setImmediate(resolve));
  },
  random: () => Math.random(),
};

beforeEach(async () => {
  now = NOW;
  world = await gitFolder();
  await world.bare('shop/delivery.git');
  first = await world.commit('shop/delivery.git', START, { at: NOW / 1000 - 86_400, message: 'start\n' });
  server = await gitServer(world.path, { 'write-token': 'write', 'read-token': 'read' });
  folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

interface Run {
  readonly args?: readonly string[];
  readonly image?: string;
  readonly pipeline?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly systems?: Partial<Context>;
}
function update({ args = [], image = 'web=:1.1.0', pipeline = 10, env = {}, signal, systems }: Run = {}) {
  const base = ['--delivery', 'shop/delivery', '--app', 'web', '--no-verify-image'];
  const images = image === '' ? [] : ['--image', image];
  const environment = args.includes('--environment') ? [] : ['--environment', 'staging'];
  return runCommand(updateCommand, [...base, ...images, ...environment, ...args], {
    env: {
      CI_SERVER_URL: server.url,
      SLUICE_GIT_TOKEN: 'write-token',
      CI_PROJECT_PATH: 'shop/web',
      CI_COMMIT_SHA: 'a'.repeat(40),
      CI_COMMIT_REF_NAME: 'main',
      CI_PIPELINE_ID: String(pipeline),
      CI_PIPELINE_CREATED_AT: CREATED,
      ...env,
    },
    folder,
    clock,
    ...(signal ? { signal } : {}),
    ...(systems ? { systems } : {}),
  });
}
const tip = (branch = 'main') => world.git('shop/delivery.git', ['rev-parse', branch]);
const staging = (revision = 'main') => world.show('shop/delivery.git', revision, 'apps/web/staging/kustomization.yaml');
const faultOf = (run: Promise<unknown>) =>
  run.then(
    () => null,
    (error: unknown) => error,
  );

describe('update by push', () => {
  test('makes one commit that changes one value and says where it came from', async () => {
    const result = await update();
    expect(result).toMatchObject({
      exit: 0,
      record: {
        outcome: 'pushed',
        mode: 'push',
        delivery: { project: 'shop/delivery', branch: 'main', sha: await tip(), mergeRequest: null },
        manifest: { targets: [{ file: 'apps/web/staging/kustomization.yaml', before: '1.0.0', after: '1.1.0' }] },
      },
    });
    expect(await staging()).toBe(overlay('1.1.0').trimEnd());
    expect(await world.git('shop/delivery.git', ['show', '--no-patch', '--format=%P%n%B', 'main'])).toBe(
      [
        first,
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
    expect(await world.git('shop/delivery.git', ['diff', '--name-only', first, 'main'])).toBe(
      'apps/web/staging/kustomization.yaml',
    );
  });

  test('several environments are one commit', async () => {
    const result = await update({ args: ['--environment', 'staging', '--environment', 'production'] });
    expect(result.record['manifest']).toMatchObject({ targets: [{ after: '1.1.0' }, { after: '1.1.0' }] });
    expect(await world.git('shop/delivery.git', ['rev-list', '--count', 'main'])).toBe('2');
    expect(await world.git('shop/delivery.git', ['log', '-1', '--format=%s'])).toBe(
      'deploy(staging, production): web 1.1.0',
    );
  });

  test('--set changes a value in a file of the app', async () => {
    const result = await update({ image: '', args: ['--set', '{environment}/settings.yaml:/replicas=5'] });
    expect(result.record.outcome).toBe('pushed');
    expect(await world.show('shop/delivery.git', 'main', 'apps/web/staging/settings.yaml')).toBe('replicas: 5');
  });

  test('--dry-run prints the difference and pushes nothing', async () => {
    const result = await update({ args: ['--dry-run'] });
    expect(result.record).toMatchObject({ outcome: 'planned', delivery: null });
    expect(result.text).toContain('-    newTag: 1.0.0\n+    newTag: 1.1.0\n');
    expect(await tip()).toBe(first);
  });

  test('a file that another environment reaches too is not taken', async () => {
    await world.commit('shop/delivery.git', {
      'apps/web/staging/kustomization.yaml': 'resources: [../base]\n',
      'apps/web/base/deployment.yaml': START['apps/web/base/deployment.yaml'].replace('image: web', 'image: web:1'),
    });
    const fault = await faultOf(update());
    expect(fault).toMatchObject({ code: 'target_missing' });
    const both = await update({
      args: ['--environment', 'staging', '--environment', 'production', '--set', 'x:y=z'],
    }).catch((error: unknown) => error);
    expect(both).toBeInstanceOf(Fault);
  });

  test('nothing to change makes no commit and takes the one that stands', async () => {
    const pushed = await update();
    await world.commit('shop/delivery.git', { 'README.md': 'hi' }, { at: NOW / 1000 + 60 });
    const again = await update();
    expect(again.record).toMatchObject({ outcome: 'unchanged', delivery: pushed.record['delivery'] });
    const byHand = await update({ image: 'web=:1.0.0', args: ['--environment', 'production'], pipeline: 11 });
    expect(byHand.record).toMatchObject({ outcome: 'unchanged', delivery: { sha: await tip() } });
  });

  test('where application and delivery are one project, its own commits change nothing', async () => {
    const pushed = await update({ env: { CI_PROJECT_PATH: 'shop/delivery' } });
    expect(pushed.record.outcome).toBe('pushed');
    const message = await world.git('shop/delivery.git', ['log', '-1', '--format=%B']);
    const again = await update({
      image: 'web=:1.2.0',
      env: { CI_PROJECT_PATH: 'shop/delivery', CI_COMMIT_MESSAGE: message },
    });
    expect(again).toMatchObject({ exit: 0, record: { outcome: 'skipped' } });
    const elsewhere = await update({ image: 'web=:1.2.0', env: { CI_COMMIT_MESSAGE: message }, pipeline: 11 });
    expect(elsewhere.record.outcome).toBe('pushed');
  });
});

describe('older and newer', () => {
  test('an older pipeline is superseded, a re-run refused, both change nothing', async () => {
    await update({ pipeline: 10 });
    const newer = await update({ pipeline: 12, image: 'web=:1.2.0' });
    const late = await update({ pipeline: 11, image: 'web=:1.1.1' });
    expect(late).toMatchObject({ exit: 0, record: { outcome: 'superseded', delivery: newer.record['delivery'] } });
    const rerun = await faultOf(update({ pipeline: 10 }));
    expect(rerun).toMatchObject({ code: 'older_run', exit: 3, hint: expect.stringContaining('sluice rollback') });
    expect(await staging()).toContain('1.2.0');
    const permitted = await update({ pipeline: 10, args: ['--allow-older'] });
    expect(permitted.record.outcome).toBe('pushed');
    expect(await staging()).toContain('1.1.0');
  });

  test('the history is deepened no further than the pipeline is old', async () => {
    for (let index = 0; index < 30; index += 1) {
      await world.commit('shop/delivery.git', { x: String(index) }, { at: NOW / 1000 - 50_000 + index });
    }
    const before = server.requests.length;
    await update();
    expect(server.requests.slice(before).filter((request) => request.includes('info/refs'))).toHaveLength(3);
  });

  test('an older commit is found without knowing when the pipeline began', async () => {
    await update({ pipeline: 12, image: 'web=:1.2.0', env: { CI_PIPELINE_CREATED_AT: '' } });
    for (let index = 0; index < 5; index += 1) {
      await world.commit('shop/delivery.git', { x: String(index) }, { at: NOW / 1000 + 90_000 * index });
    }
    const late = await update({ pipeline: 11, env: { CI_PIPELINE_CREATED_AT: '' } });
    expect(late.record.outcome).toBe('superseded');
  });
});

describe('races', () => {
  test('a lost race is computed again on the new tree', async () => {
    let pushes = 0;
    server.intercept = async (request) => {
      if (!request.includes('service=git-receive-pack') || ++pushes > 2) return undefined;
      await world.commit('shop/delivery.git', { [`other${pushes}`]: 'x' }, { at: NOW / 1000 });
      return undefined;
    };
    const result = await update();
    expect(result.record).toMatchObject({ outcome: 'pushed', deliveries: [{ attempts: 3 }] });
    expect(await world.git('shop/delivery.git', ['ls-tree', '--name-only', 'main'])).toContain('other2');
    expect(await staging()).toContain('1.1.0');
  });

  test('a hold that arrives meanwhile is obeyed', async () => {
    let pushes = 0;
    server.intercept = async (request) => {
      if (!request.includes('service=git-receive-pack') || ++pushes > 1) return undefined;
      await world.commit('shop/delivery.git', { 'sluice.yaml': SLUICE.replace('web: {', 'web: { hold: stop,') });
      return undefined;
    };
    expect(await faultOf(update())).toMatchObject({ code: 'held', exit: 3 });
    expect(await staging()).toContain('1.0.0');
  });

  test('the deadline ends it', async () => {
    server.intercept = async (request) => {
      if (request.includes('service=git-receive-pack')) await world.commit('shop/delivery.git', { x: String(now) });
      return undefined;
    };
    const fault = await faultOf(update({ args: ['--timeout', '2s'] }));
    expect(fault).toMatchObject({ code: 'contention', exit: 6 });
  });

  test('many writers at once lose nothing', async () => {
    const apps = Array.from({ length: 8 }, (_, index) => `app${index}`);
    const list = apps.map((app) => `  ${app}: {}\n`).join('');
    const files = Object.fromEntries(
      apps.map((app) => [`apps/${app}/staging/kustomization.yaml`, overlay('1.0.0').replace('../base', 'x.yaml')]),
    );
    await world.commit('shop/delivery.git', { ...files, 'sluice.yaml': `${SLUICE}${list}` });
    const runs = apps.map((app) => update({ args: ['--app', app], env: { CI_PROJECT_PATH: `shop/${app}` } }));
    const outcomes = (await Promise.all(runs)).map((result) => result.record.outcome);
    expect(new Set(outcomes)).toEqual(new Set(['pushed']));
    for (const app of apps) {
      const text = await world.show('shop/delivery.git', 'main', `apps/${app}/staging/kustomization.yaml`);
      expect(text).toContain('newTag: 1.1.0');
    }
    expect(await world.git('shop/delivery.git', ['rev-list', '--count', 'main'])).toBe('10');
  });

  test('of one app’s pipelines the newest ends on top, whatever the order', async () => {
    const pipelines = [5, 2, 6, 1, 4, 3];
    const runs = pipelines.map((pipeline) => update({ pipeline, image: `web=:2.0.${pipeline}` }));
    const outcomes = (await Promise.all(runs)).map((result) => result.record.outcome);
    expect(await staging()).toContain('newTag: 2.0.6');
    expect(outcomes[2]).toBe('pushed');
    expect(outcomes.every((outcome) => outcome === 'pushed' || outcome === 'superseded')).toBe(true);
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
      ['--delivery', 'shop/delivery', '--app', 'web', '--environment', 'staging', '--image', run.image!],
      {
        env: { CI_SERVER_URL: server.url, SLUICE_GIT_TOKEN: 'write-token' },
        folder,
        clock,
        systems: run.systems ?? {},
      },
    );

  test('one that is not in its registry is not delivered', async () => {
    const image = 'web=registry.example.com/web:9';
    const fault = await faultOf(verified({ image, systems: registry({}) }));
    expect(fault).toMatchObject({ code: 'image_missing', exit: 3 });
    expect(await tip()).toBe(first);
    const found = registry({ 'registry.example.com/web:9': `sha256:${'1'.repeat(64)}` });
    expect((await verified({ image, systems: found })).record.outcome).toBe('pushed');
  });

  test('a registry that does not answer is said, with the way around', async () => {
    const fault = await faultOf(verified({ image: 'web=down.example.com/web:9', systems: registry({}) }));
    expect(fault).toMatchObject({ code: 'registry_unavailable', hint: expect.stringContaining('--no-verify-image') });
  });

  test('`pin: digest` writes what the tag resolves to', async () => {
    const digest = `sha256:${'2'.repeat(64)}`;
    await world.commit('shop/delivery.git', { 'sluice.yaml': SLUICE.replace('web: {', 'web: { pin: digest,') });
    const found = registry({ 'registry.example.com/web:9': digest });
    await verified({ image: 'web=registry.example.com/web:9', systems: found });
    expect(await staging()).toContain(`digest: ${digest}`);
    expect(await staging()).not.toContain('newTag');
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
    const fault = await faultOf(update(run));
    expect(fault).toMatchObject({ code, exit });
    expect(await tip()).toBe(first);
  });

  test('no sluice.yaml, a broken one, and a symlink that leaves the repository', async () => {
    const before = await world.commit('shop/delivery.git', { 'sluice.yaml': 'version: 1\napps: {web: {pth: x}}\n' });
    expect(await faultOf(update())).toMatchObject({ code: 'config_invalid', exit: 2 });
    expect(await tip()).toBe(before);
    await world.commit('shop/delivery.git', { 'sluice.yaml': null });
    expect(await faultOf(update())).toMatchObject({ code: 'config_missing', exit: 2 });
    await world.commit('shop/delivery.git', { 'sluice.yaml': SLUICE });
    await world.commit('shop/delivery.git', { 'apps/web/staging/l.yaml': '../../../../etc/x' }, { mode: '120000' });
    const linked = { image: '', args: ['--set', 'staging/l.yaml:/a=1'] };
    expect(await faultOf(update(linked))).toMatchObject({ code: 'path_outside', exit: 2 });
  });

  test('an interruption in the middle leaves the remote as it was', async () => {
    const abort = new AbortController();
    server.intercept = (request) => {
      if (request.includes('receive-pack')) abort.abort(new Fault('interrupted', 'interrupted'));
      return undefined;
    };
    expect(await faultOf(update({ signal: abort.signal }))).toMatchObject({ code: 'interrupted', exit: 130 });
  });
});
