import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { updateCommand } from '../../runner/commands/update.ts';
import type { Profile } from '../../sandbox/gitlab/handle.ts';
import { startGitLab } from '../../sandbox/gitlab/server.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { runCommand } from '../doubles/run-command.ts';
import { overlay, START } from './update-world.ts';

/** A change as a pipeline input, through the component's own template; and what a holder of the trigger token may try. */

const delivery = 'shop/delivery';
const application = 'shop/web';
const root = join(import.meta.dirname, '..', '..');
const settings = 'apps/web/staging/settings.yaml';
const before = 'greeting: hello\n';

const yaml = `spec: { inputs: { sluice_change: { default: '' } } }
---
include:
  - component: $CI_SERVER_FQDN/sluice/sluice/update@~latest
    inputs:
      job_name: triggered update
      local: true
      delivery: $CI_PROJECT_PATH
      app: ''
      image: ''
      no_verify_image: true
      change: $[[ inputs.sluice_change ]]
      rules: [{ if: $CI_PIPELINE_SOURCE == "trigger" }]
`;

async function openWorld(profile: Profile, file = yaml) {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-input-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'sluice'), `#!/bin/sh\nexec node '${join(root, 'runner', 'main.ts')}' "$@"\n`);
  await chmod(join(bin, 'sluice'), 0o755);
  const PATH = [bin, join(root, 'node_modules', '.bin'), process.env['PATH']].join(':');
  const server = await startGitLab({ folder: join(folder, 'gitlab'), env: { PATH }, profile });
  stack.defer(() => server.stop());
  await cp(join(root, 'templates'), join(folder, 'component', 'templates'), { recursive: true });
  await server.publishComponent('sluice/sluice', join(folder, 'component'), '1.0.0');
  server.createProject(delivery);
  server.createProject(application);
  const start = { ...START, '.gitlab-ci.yml': file, [settings]: before };
  await server.seed(delivery, new Map(Object.entries(start)), 'start', { pipeline: false });
  const commit = await server.seed(application, new Map([['.gitlab-ci.yml', 'build: { script: "true" }\n']]), 'start');
  await server.waitForPipelines();
  const bot = server.createToken('shop', { name: 'sluice', scopes: ['api', 'write_repository'], accessLevel: 40 });
  server.setVariable(delivery, { key: 'SLUICE_GITLAB_TOKEN', value: bot.token, masked: true });
  const trigger = server.createTriggerToken(delivery, application);
  const read = async (project: string, path: string): Promise<unknown> => {
    const address = `${server.url}/api/v4/projects/${encodeURIComponent(project)}${path}`;
    return (await fetch(address, { headers: { 'private-token': bot.token } })).json();
  };
  const [pipeline] = (await read(application, '/pipelines')) as readonly { readonly id: number }[];
  const origin = { project: application, commit, ref: 'main', pipeline: pipeline!.id };
  const owned = stack.move();
  return {
    server,
    trigger,
    token: bot.token,
    origin,
    async text(path: string) {
      const found = await read(delivery, `/repository/files/${encodeURIComponent(path)}?ref=main`);
      return Buffer.from((found as { readonly content: string }).content, 'base64').toString();
    },
    update: (args: readonly string[]) =>
      runCommand(
        updateCommand,
        [
          '--delivery',
          delivery,
          '--app',
          'web',
          '--environment',
          'staging',
          '--mode',
          'trigger',
          '--no-verify-image',
          ...args,
        ],
        {
          env: {
            CI_SERVER_URL: server.url,
            SLUICE_TRIGGER_TOKEN: trigger,
            CI_PROJECT_PATH: application,
            CI_COMMIT_SHA: commit,
            CI_COMMIT_REF_NAME: 'main',
            CI_PIPELINE_ID: String(origin.pipeline),
          },
          folder,
          clock: systemClock(),
        },
      ),
    /** What somebody sends who holds the trigger token. */
    async send(body: object) {
      const answer = await fetch(`${server.url}/api/v4/projects/${encodeURIComponent(delivery)}/trigger/pipeline`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token: trigger, ref: 'main', ...body }),
      });
      return { status: answer.status, text: await answer.text() };
    },
    /** Log of the newest pipeline's job, once it has ended. */
    async log() {
      await server.waitForPipelines({ timeoutMs: 100_000 });
      const [newest] = (await read(delivery, '/pipelines')) as readonly { readonly id: number }[];
      const [job] = (await read(delivery, `/pipelines/${newest?.id}/jobs`)) as readonly { readonly id: number }[];
      return job ? server.jobLog(delivery, job.id) : '';
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test.each(['17.11', '19.4'] as const)(
  'through an input of GitLab %s every character of a change arrives as it was sent',
  async (profile) => {
    await using world = await openWorld(profile);
    const value = `'$HOME' "$[[ inputs.app ]]" é \${SLUICE_GITLAB_TOKEN} %0A`;
    const sent = await world.update(['--image', 'web=:1.1.0', '--set', `staging/settings.yaml:/greeting=${value}`]);
    expect(sent).toMatchObject({ exit: 0, record: { outcome: 'triggered' } });
    expect(await world.log()).toContain('pushed: web → staging');
    expect(await world.text('apps/web/staging/kustomization.yaml')).toBe(overlay('1.1.0'));
    const { parse } = await import('yaml');
    expect(parse(await world.text(settings))).toMatchObject({ greeting: value });
  },
  120_000,
);

test('an open text as the component’s input: GitLab starts nothing', async () => {
  await using world = await openWorld('18.6');
  const values = [{ file: 'staging/settings.yaml', path: '/greeting', value: '$SLUICE_GITLAB_TOKEN' }];
  const change = JSON.stringify([{ app: 'web', environments: ['staging'], values, origin: world.origin }]);
  const { status, text } = await world.send({ inputs: { sluice_change: change } });
  expect(status).toBe(422);
  expect(text).toContain('`change` input: provided value does not match required RegEx pattern');
  expect(await world.text(settings)).toBe(before);
}, 120_000);

test('a variable that GitLab expands into the change: nothing is written, and nothing is told', async () => {
  const own =
    'sluice update: { rules: [{ if: $CI_PIPELINE_SOURCE == "trigger" }], script: ["sluice update --local --no-verify-image"] }\n';
  await using world = await openWorld('18.6', own);
  const values = [{ file: 'staging/settings.yaml', path: '/greeting', value: '$SLUICE_GITLAB_TOKEN' }];
  const change = JSON.stringify([{ app: 'web', environments: ['staging'], values, origin: world.origin }]);
  expect((await world.send({ variables: { SLUICE_CHANGE: change } })).status).toBe(201);
  const log = await world.log();
  expect(log).toContain('the change holds a credential of this job');
  expect(log).not.toContain(world.token);
  expect(await world.text(settings)).toBe(before);
}, 120_000);
