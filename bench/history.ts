import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gitEnv } from './contention-world.ts';
import { runCommand } from './measure.ts';

/** Manifests of one app: its kustomization, two workloads that hold its image, and what they are configured by. */
const EACH = 20;
const WORKLOADS = 2;
const resources = Array.from({ length: EACH - 1 }, (_, index) =>
  index < WORKLOADS ? `deployment-${index}.yaml` : `configmap-${index}.yaml`,
);
/** An app's kustomization with a tag. */
export const kustomization = (tag: string): string =>
  `resources: [${resources.join(', ')}]\nimages:\n  - name: app\n    newTag: ${tag}\n`;
const settings = (seed: string): readonly (readonly [string, string])[] =>
  Array.from({ length: 20 }, (_, index) => [
    `SETTING_${index}`,
    createHash('sha256').update(`${seed}/${index}`).digest('hex'),
  ]);
/** A manifest of about 2 kB, like no other. */
const manifest = (file: string, seed: string): string =>
  [
    ...(file.startsWith('deployment')
      ? [
          'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  template:\n    spec:\n      containers:',
          '        - name: app\n          image: app\n          env:',
          ...settings(seed).map(([name, value]) => `            - name: ${name}\n              value: ${value}`),
        ]
      : [
          `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${file.slice(0, -'.yaml'.length)}\ndata:`,
          ...settings(seed).map(([name, value]) => `  ${name}: ${value}`),
        ]),
    '',
  ].join('\n');

/** Kustomization of an app. */
export const fileOf = (app: number): string => `apps/app-${app}/staging/kustomization.yaml`;

/**
 * Makes `<root>/<name>.git`: `manifests` files (20 for each app) and a history of `commits`, each a new tag of one app,
 * the last a day ago.
 */
export async function makeHistory(root: string, name: string, commits: number, manifests: number): Promise<void> {
  const folder = join(root, `${name}.git`);
  await mkdir(folder, { recursive: true });
  await runCommand('git', ['init', '--quiet', '--bare', '--initial-branch=main', folder], { env: gitEnv });
  for (const setting of ['http.receivepack', 'uploadpack.allowFilter', 'uploadpack.allowAnySHA1InWant'])
    await runCommand('git', ['config', setting, 'true'], { cwd: folder, env: gitEnv });
  const child = spawn('git', ['fast-import', '--quiet', '--depth=50'], {
    cwd: folder,
    env: gitEnv,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(child, 'close') as Promise<[number | null]>;
  const write = async (text: string) => {
    if (!child.stdin.write(text)) await once(child.stdin, 'drain');
  };
  const apps = Math.max(1, Math.floor(manifests / EACH));
  const last = Math.floor(Date.now() / 1000) - 86_400;
  const file = (path: string, text: string) => `M 100644 inline ${path}\ndata ${Buffer.byteLength(text)}\n${text}\n`;
  for (let commit = 0; commit < commits; commit += 1) {
    const message = commit === 0 ? 'start' : `deploy(staging): app-${commit % apps} ${commit}`;
    await write(
      `commit refs/heads/main\ncommitter bench <b@example.com> ${last - (commits - commit) * 60} +0000\ndata ${message.length}\n${message}\n`,
    );
    if (commit > 0) {
      await write(file(fileOf(commit % apps), kustomization(`1.0.${commit}`)));
      continue;
    }
    const names = Array.from({ length: apps }, (_, app) => `  app-${app}: {}\n`);
    await write(file('sluice.yaml', `version: 1\nenvironments:\n  staging: {}\napps:\n${names.join('')}`));
    for (let app = 0; app < apps; app += 1) {
      await write(file(fileOf(app), kustomization('1.0.0')));
      for (const each of resources)
        await write(file(`apps/app-${app}/staging/${each}`, manifest(each, `${app}/${each}`)));
    }
  }
  child.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
  await runCommand('git', ['repack', '-adq', '--write-bitmap-index'], { cwd: folder, env: gitEnv });
}
