import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cli, type Ended, node, runCommand, runToEnd } from './measure.ts';

/**
 * What the writers do. neighbours: each another line of one file · files: each another file · pipelines: all the same
 * value, where the newest pipeline's must end on top.
 */
export type Scene = 'neighbours' | 'files' | 'pipelines';

const PLAIN = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };
const COMMITTER = { GIT_AUTHOR_NAME: 'bench', GIT_AUTHOR_EMAIL: 'b@example.com' };
/** Environment of the git commands of the benches: nobody's configuration. */
export const gitEnv: NodeJS.ProcessEnv = {
  ...PLAIN,
  ...COMMITTER,
  GIT_COMMITTER_NAME: 'bench',
  GIT_COMMITTER_EMAIL: 'b@example.com',
  GIT_TERMINAL_PROMPT: '0',
};

/** File and line that writer `index` (from 1) changes. */
export function targetOf(scene: Scene, index: number): { readonly file: string; readonly key: string } {
  if (scene === 'neighbours') return { file: 'apps/shared/staging/versions.yaml', key: `key-${index}` };
  if (scene === 'files') return { file: `apps/app-${index}/staging/versions.yaml`, key: 'version' };
  return { file: 'apps/shared/staging/versions.yaml', key: 'key-1' };
}

/** Makes `<root>/<name>.git` with manifests for `writers`. */
export async function makeRepository(root: string, name: string, writers: number): Promise<void> {
  const all = Array.from({ length: writers }, (_, index) => index + 1);
  const files: (readonly [string, string])[] = [
    [
      'sluice.yaml',
      `version: 1\nenvironments:\n  staging: {}\napps:\n  shared: {}\n${all.map((index) => `  app-${index}: {}\n`).join('')}`,
    ],
    ['apps/shared/staging/versions.yaml', all.map((index) => `key-${index}: v0\n`).join('')],
    ...all.map((index) => [`apps/app-${index}/staging/versions.yaml`, 'version: v0\n'] as const),
  ];
  const at = Math.floor(Date.now() / 1000) - 86_400;
  const stream = [
    `commit refs/heads/main\ncommitter bench <b@example.com> ${at} +0000\ndata 5\nstart\n`,
    ...files.map(([path, text]) => `M 100644 inline ${path}\ndata ${Buffer.byteLength(text)}\n${text}\n`),
  ].join('');
  const folder = join(root, `${name}.git`);
  await mkdir(folder, { recursive: true });
  await runCommand('git', ['init', '--quiet', '--bare', '--initial-branch=main', folder], { env: gitEnv });
  for (const setting of ['http.receivepack', 'uploadpack.allowFilter', 'uploadpack.allowAnySHA1InWant'])
    await runCommand('git', ['config', setting, 'true'], { cwd: folder, env: gitEnv });
  await runCommand('git', ['config', 'gc.auto', '0'], { cwd: folder, env: gitEnv });
  await runCommand('git', ['fast-import', '--quiet'], { cwd: folder, env: gitEnv, input: stream });
}

/** What a target holds on the branch now. */
export async function valueAt(root: string, name: string, file: string, key: string): Promise<string> {
  const { stdout } = await runCommand('git', ['show', `main:${file}`], {
    cwd: join(root, `${name}.git`),
    env: gitEnv,
  });
  return new RegExp(`^${key}: (.*)$`, 'm').exec(stdout)?.[1] ?? '';
}

/** `sluice update` as writer `index`, which is also its pipeline's number in the scene of pipelines. */
export function updateBySluice(url: string, scene: Scene, index: number): Promise<Ended> {
  const { key } = targetOf(scene, index);
  const app = scene === 'files' ? `app-${index}` : 'shared';
  const origin =
    scene === 'pipelines'
      ? {
          CI_PROJECT_PATH: 'shop/shared',
          CI_COMMIT_SHA: 'a'.repeat(40),
          CI_COMMIT_REF_NAME: 'main',
          CI_PIPELINE_ID: String(index),
          CI_PIPELINE_CREATED_AT: new Date(Date.now() - 60_000).toISOString(),
        }
      : {};
  return runToEnd(
    node,
    [
      cli,
      'update',
      `--delivery=${url}`,
      `--app=${app}`,
      '--environment=staging',
      '--mode=push',
      `--set={environment}/versions.yaml:/${key}=v${index}`,
      '--format=json',
      '--timeout=30m',
    ],
    { env: { PATH: PLAIN.PATH, SLUICE_GIT_TOKEN: 'bench-token', ...origin } },
  );
}
