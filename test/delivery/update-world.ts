import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { updateCommand } from '../../runner/commands/update.ts';
import type { Context } from '../../runner/context.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import type { Clock } from '../../src/systems/clock.ts';
import { type GitFolder, gitFolder } from '../doubles/git-folder.ts';
import { type GitServer, gitServer } from '../doubles/git-server.ts';
import { runCommand } from '../doubles/run-command.ts';

export const SLUICE = `version: 1
environments:
  staging: {}
  production: { promote_from: staging }
apps:
  web: { project: shop/web }
  api: { project: shop/api, hold: "incident 7" }
`;
/** A kustomization that sets the tag of the image `web`. */
export const overlay = (tag: string) => `resources: [../base]\nimages:\n  - name: web # kept\n    newTag: ${tag}\n`;
export const DEPLOYMENT =
  'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n        - {name: web, image: web}\n';
/** Files of the delivery repository at the start. */
export const START: Readonly<Record<string, string>> = {
  'sluice.yaml': SLUICE,
  'apps/web/base/kustomization.yaml': 'resources: [deployment.yaml]\n',
  'apps/web/base/deployment.yaml': DEPLOYMENT,
  'apps/web/staging/kustomization.yaml': overlay('1.0.0'),
  'apps/web/staging/settings.yaml': 'replicas: 2\n',
  'apps/web/production/kustomization.yaml': overlay('1.0.0'),
  'apps/api/staging/kustomization.yaml': overlay('1.0.0'),
};
const CREATED = '2026-01-01T12:00:00Z';
/** A minute after the pipelines began. */
export const NOW = Date.parse(CREATED) + 60_000;

/** What GitLab tells a job of shop/web in a pipeline that began at `createdAt` (ISO 8601). */
export function jobOf(serverUrl: string, pipeline: number, createdAt: string): Readonly<Record<string, string>> {
  return {
    CI_SERVER_URL: serverUrl,
    CI_PROJECT_PATH: 'shop/web',
    CI_COMMIT_SHA: 'a'.repeat(40),
    CI_COMMIT_REF_NAME: 'main',
    CI_PIPELINE_ID: String(pipeline),
    CI_PIPELINE_CREATED_AT: createdAt,
  };
}

/** One run of `update`; the rest is as in a job of shop/web. */
export interface Run {
  readonly args?: readonly string[];
  readonly image?: string;
  readonly pipeline?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Another clock than the world's. */
  readonly clock?: Clock;
  readonly systems?: Partial<Context>;
}

/** A delivery repository on a real git server, and `update` with all its real parts. The test begins at `NOW`. */
export interface UpdateWorld extends AsyncDisposable {
  readonly git: GitFolder;
  readonly server: GitServer;
  readonly clock: Clock;
  readonly folder: string;
  /** The repository's first commit. */
  readonly first: string;
  update(run?: Run): ReturnType<typeof runCommand>;
  tip(): Promise<string>;
  /** The app's kustomization of staging on main. */
  staging(): Promise<string>;
}

/** Opens the world. */
export async function updateWorld(): Promise<UpdateWorld> {
  const wall = systemClock();
  const began = wall.now();
  const clock: Clock = { ...wall, now: () => NOW + wall.now() - began };
  const git = await gitFolder();
  await git.bare('shop/delivery.git');
  const first = await git.commit('shop/delivery.git', START, { at: NOW / 1000 - 86_400, message: 'start\n' });
  const server = await gitServer(git.path, { 'write-token': 'write', 'read-token': 'read' });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  return {
    git,
    server,
    clock,
    folder,
    first,
    update({ args = [], image = 'web=:1.1.0', pipeline = 10, env = {}, signal, clock: own = clock, systems } = {}) {
      const base = ['--delivery', 'shop/delivery', '--app', 'web', '--no-verify-image'];
      const images = image === '' ? [] : ['--image', image];
      const environment = args.includes('--environment') ? [] : ['--environment', 'staging'];
      return runCommand(updateCommand, [...base, ...images, ...environment, ...args], {
        env: {
          ...jobOf(server.url, pipeline, CREATED),
          SLUICE_GIT_TOKEN: 'write-token',
          ...env,
        },
        folder,
        clock: own,
        ...(signal ? { signal } : {}),
        ...(systems ? { systems } : {}),
      });
    },
    tip: () => git.git('shop/delivery.git', ['rev-parse', 'main']),
    staging: () => git.show('shop/delivery.git', 'main', 'apps/web/staging/kustomization.yaml'),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await git[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

/** What a run was refused with, or null. */
export function faultOf(run: Promise<unknown>): Promise<unknown> {
  return run.then(
    () => null,
    (error: unknown) => error,
  );
}
