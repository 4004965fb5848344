import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { updateCommand } from '../../runner/commands/update.ts';
import type { GitLabServer } from '../../sandbox/gitlab/handle.ts';
import { startGitLab } from '../../sandbox/gitlab/server.ts';
import { seal } from '../../src/app/sealed.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { runCommand } from '../doubles/run-command.ts';
import { faultOf, overlay, START } from './update-world.ts';

const DELIVERY = 'shop/delivery';
const APPLICATION = 'shop/web';
const root = join(import.meta.dirname, '..', '..');
const PATH = [join(root, 'node_modules', '.bin'), process.env['PATH']].join(':');
const PIPELINE = `sluice update:
  rules: [{ if: $CI_PIPELINE_SOURCE == "trigger" }]
  script: [node "${join(root, 'runner', 'main.ts')}" update --local --no-verify-image]
`;

/** The same, with the change as a pipeline input (docs/decisions/009-triggered-updates.md). */
const BY_INPUT = `spec:
  inputs:
    sluice_change: { default: '' }
---
sluice update:
  rules: [{ if: $CI_PIPELINE_SOURCE == "trigger" }]
  variables: { SLUICE_CHANGE: '$[[ inputs.sluice_change ]]' }
  script: [node "${join(root, 'runner', 'main.ts')}" update --local --no-verify-image]
`;

let folder: string;
let server: GitLabServer;
let trigger: string;
/** A token of the group, for both projects. */
let both: string;
/** The application's commit and its pipeline. */
let commit: string;
let pipeline: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-trigger-'));
  server = await startGitLab({ folder: join(folder, 'gitlab'), env: { PATH } });
  server.createProject(DELIVERY);
  server.createProject(APPLICATION);
  await server.seed(DELIVERY, new Map(Object.entries({ ...START, '.gitlab-ci.yml': PIPELINE })), 'start');
  commit = await server.seed(APPLICATION, new Map([['.gitlab-ci.yml', 'build: { script: ["true"] }\n']]), 'start');
  await server.waitForPipelines();
  const scopes = { scopes: ['api', 'write_repository'], accessLevel: 40 } as const;
  const delivering = server.createToken(DELIVERY, { name: 'sluice', ...scopes });
  const application = server.createToken(APPLICATION, { name: 'sluice', ...scopes });
  server.setVariable(DELIVERY, { key: 'SLUICE_GITLAB_TOKEN', value: delivering.token });
  server.setVariable(DELIVERY, { key: 'SLUICE_GITLAB_TOKEN_WEB', value: application.token });
  trigger = server.createTriggerToken(DELIVERY, 'shop/web');
  both = server.createToken('shop', { name: 'group', ...scopes }).token;
  const url = `${server.url}/api/v4/projects/${encodeURIComponent(APPLICATION)}/pipelines`;
  const found = (await (await fetch(url, { headers: { 'private-token': application.token } })).json()) as {
    readonly id: number;
  }[];
  pipeline = found[0]!.id;
  read = async (path) => {
    const address = `${server.url}/api/v4/projects/${encodeURIComponent(DELIVERY)}${path}`;
    return (await fetch(address, { headers: { 'private-token': delivering.token } })).json();
  };
}, 180_000);
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** GitLab's answer about the delivery project. */
let read: (path: string) => Promise<unknown>;

function update(env: Readonly<Record<string, string>> = {}, args: readonly string[] = []) {
  return send(['--image', 'web=:1.1.0', '--trigger-variables', ...args], env);
}
/** `update --mode trigger`, with the change as a pipeline input unless the flags say otherwise. */
function send(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const flags = ['--delivery', DELIVERY, '--app', 'web', '--environment', 'staging'];
  return runCommand(updateCommand, [...flags, '--mode', 'trigger', ...args], {
    env: {
      CI_SERVER_URL: server.url,
      SLUICE_TRIGGER_TOKEN: trigger,
      CI_PROJECT_PATH: APPLICATION,
      CI_COMMIT_SHA: commit,
      CI_COMMIT_REF_NAME: 'main',
      CI_PIPELINE_ID: String(pipeline),
      ...env,
    },
    folder,
    clock: systemClock(),
  });
}
async function tipMessage(): Promise<string> {
  return ((await read('/repository/commits/main')) as { readonly message: string }).message;
}
async function staging(): Promise<string> {
  const file = encodeURIComponent('apps/web/staging/kustomization.yaml');
  const { content } = (await read(`/repository/files/${file}?ref=main`)) as { readonly content: string };
  return Buffer.from(content, 'base64').toString();
}
/** The triggered pipeline's job at its end. */
async function jobOf(id: number): Promise<{ readonly status: string; readonly log: string }> {
  await server.waitForPipelines({ timeoutMs: 100_000 });
  const [job] = (await read(`/pipelines/${id}/jobs`)) as readonly { readonly id: number; readonly status: string }[];
  return { status: job!.status, log: server.jobLog(DELIVERY, job!.id) };
}

describe('update --mode trigger', () => {
  test('the delivery project makes the change, with the origin that GitLab confirms', async () => {
    const result = await update();
    expect(result).toMatchObject({ exit: 0, record: { outcome: 'triggered', mode: 'trigger' } });
    const { id } = result.record['triggered'] as { readonly id: number };
    const job = await jobOf(id);
    expect(job.log).toContain('pushed: web → staging');
    expect(job.status).toBe('success');
    expect(await staging()).toBe(overlay('1.1.0'));
    const message = await tipMessage();
    expect(message).toContain(`Sluice-Source-Project: ${APPLICATION}\nSluice-Source-Commit: ${commit}\n`);
    expect(message).toContain(`Sluice-Source-Pipeline: ${pipeline}`);
    expect(JSON.stringify(result)).not.toContain(trigger);
  }, 120_000);

  test('the change travels as a pipeline input, every character of it, and is refused where there is none', async () => {
    const odd = ['--set', `staging/kustomization.yaml:/images/0/newTag=it's "$HOME" {x: [1]}, ü`];
    const without = await faultOf(send(odd));
    expect(without).toMatchObject({ code: 'trigger_refused', exit: 3, hint: expect.stringContaining('sluice_change') });
    await server.seed(DELIVERY, new Map([['.gitlab-ci.yml', BY_INPUT]]), 'inputs', { pipeline: false });
    const result = await send(odd);
    const job = await jobOf((result.record['triggered'] as { readonly id: number }).id);
    expect(job.log).toContain('pushed: web → staging');
    expect(await staging()).toContain(`newTag: "it's \\"$HOME\\" {x: [1]}, ü"`);
  }, 120_000);

  test('also where the delivery repository stands on a commit of sluice’s own', async () => {
    await jobOf(((await update()).record['triggered'] as { readonly id: number }).id);
    expect(await tipMessage()).toContain('Sluice-App: web');
    const again = await update({ SLUICE_IMAGE: 'web=:1.2.0' }, ['--allow-older']);
    const job = await jobOf((again.record['triggered'] as { readonly id: number }).id);
    expect(job.log).not.toContain('skipped');
    expect(job.log).toMatch(/pushed: web → staging|unchanged|refused|older/);
  }, 120_000);

  test('a change that is sent again: nothing where it stands, refused where it was taken back', async () => {
    const origin = { project: APPLICATION, commit, ref: 'main', pipeline };
    const images = [{ name: 'web', tag: '1.1.0' }];
    const change = seal(JSON.stringify([{ app: 'web', environments: ['staging'], images, origin }]));
    const receive = (args: readonly string[] = []) =>
      runCommand(updateCommand, ['--local', '--change', change, '--no-verify-image', ...args], {
        env: {
          CI_SERVER_URL: server.url,
          CI_PROJECT_PATH: DELIVERY,
          CI_PIPELINE_SOURCE: 'trigger',
          CI_PIPELINE_CREATED_AT: new Date().toISOString(),
          SLUICE_GITLAB_TOKEN: both,
        },
        folder,
        clock: systemClock(),
      });
    expect(await receive()).toMatchObject({ exit: 0, record: { outcome: 'pushed' } });
    expect(await receive()).toMatchObject({ exit: 0, record: { outcome: 'unchanged' } });
    const former = new Map([['apps/web/staging/kustomization.yaml', overlay('1.0.0')]]);
    await server.seed(DELIVERY, former, 'Back to what worked', { pipeline: false });
    expect(await faultOf(receive())).toMatchObject({
      code: 'older_run',
      exit: 3,
      message: expect.stringContaining('taken back since'),
    });
    expect(await staging()).toBe(overlay('1.0.0'));
    expect(await receive(['--allow-older'])).toMatchObject({ exit: 0, record: { outcome: 'pushed' } });
  }, 120_000);

  test('where application and delivery are one project, the triggered pipeline triggers no other', async () => {
    const before = (await read('/pipelines')) as readonly unknown[];
    const env = { CI_PROJECT_PATH: DELIVERY, CI_PIPELINE_SOURCE: 'trigger' };
    expect(await update(env)).toMatchObject({ exit: 0, record: { outcome: 'skipped' } });
    const message = 'deploy(staging): web 1\n\nSluice-App: web\nSluice-Environment: staging\n';
    const own = { CI_PROJECT_PATH: DELIVERY, CI_PIPELINE_SOURCE: 'push', CI_COMMIT_MESSAGE: message };
    expect(await update(own)).toMatchObject({ exit: 0, record: { outcome: 'skipped' } });
    expect(await read('/pipelines')).toHaveLength(before.length);
  });

  test.each<[string, (own: number) => Readonly<Record<string, string>>, RegExp]>([
    ['another project', () => ({ CI_PROJECT_PATH: 'shop/other' }), /comes from shop\/other, and must from shop\/web/],
    ['another commit', () => ({ CI_COMMIT_SHA: 'c'.repeat(40) }), /is of commit/],
    ['a pipeline that is not there', (own) => ({ CI_PIPELINE_ID: String(own + 5000) }), /has no pipeline/],
    ['another branch', () => ({ CI_COMMIT_REF_NAME: 'release' }), /is of main, not of release/],
  ])(
    'an origin that claims %s is refused there',
    async (_, env, words) => {
      const before = await tipMessage();
      const { record } = await update(env(pipeline));
      const job = await jobOf((record['triggered'] as { readonly id: number }).id);
      expect(job.status).toBe('failed');
      expect(job.log.replaceAll(/\s+/g, ' ')).toMatch(words);
      expect(await tipMessage()).toBe(before);
    },
    120_000,
  );

  test.each<[string, Readonly<Record<string, string>>, readonly string[], string, number]>([
    ['--pin', {}, ['--pin', 'digest'], 'usage', 2],
    ['a wrong trigger token', { SLUICE_TRIGGER_TOKEN: 'glptt-wrong-token' }, [], 'token_refused', 7],
    ['no trigger token', { SLUICE_TRIGGER_TOKEN: '' }, [], 'token_missing', 7],
    ['a missing branch', {}, ['--branch', 'nowhere'], 'branch_missing', 2],
    ['--wait', {}, ['--wait'], 'usage', 2],
    ['no origin', { CI_COMMIT_SHA: '' }, [], 'usage', 2],
    ['an unreachable GitLab', { CI_SERVER_URL: 'http://127.0.0.1:9' }, [], 'gitlab_unavailable', 6],
  ])('%s: nothing is triggered', async (_, env, args, code, exit) => {
    const before = (await read('/pipelines')) as readonly unknown[];
    expect(await faultOf(update(env, args))).toMatchObject({ code, exit });
    expect(await read('/pipelines')).toHaveLength(before.length);
  });
});
