import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { updateCommand } from '../../runner/commands/update.ts';
import type { GitLabServer, TokenHandle } from '../../sandbox/gitlab/handle.ts';
import { startGitLab } from '../../sandbox/gitlab/server.ts';
import type { CommandResult } from '../../runner/command.ts';
import type { Context } from '../../runner/context.ts';
import type { MergeRequestRef } from '../../src/delivery/commit.ts';
import type { Clock } from '../../src/systems/clock.ts';
import type { GitLabMergeRequest } from '../../src/systems/gitlab.ts';
import { connectGitLab } from '../../src/systems/gitlab-rest.ts';
import { secret } from '../../src/secret.ts';
import { runCommand } from '../doubles/run-command.ts';
import { jobOf, START } from './update-world.ts';

export const PROJECT = 'shop/delivery';
const CREATED = new Date(Date.now() - 60_000).toISOString();
const clock: Clock = {
  now: () => Date.now(),
  sleep: (_, signal) => {
    signal?.throwIfAborted();
    return new Promise((resolve) => setTimeout(resolve, 5));
  },
  random: () => 0.5,
};

let folder: string;
export let server: GitLabServer;
export let bot: TokenHandle;

/** A GitLab for each test of a file, with a delivery project and sluice's bot. */
export function aGitLabForEach(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-request-'));
    server = await startGitLab({ folder: join(folder, 'gitlab'), env: { PATH: process.env['PATH'] ?? '' } });
    server.createProject(PROJECT);
    await server.seed(PROJECT, new Map(Object.entries(START)), 'start', { pipeline: false });
    bot = server.createToken(PROJECT, { name: 'sluice', scopes: ['api', 'write_repository'], accessLevel: 40 });
  });
  afterEach(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
}

export interface Run {
  /** null: as `changes:` says. */
  readonly mode?: 'merge-request' | null;
  readonly env?: Readonly<Record<string, string>>;
  readonly image?: string;
  readonly pipeline?: number;
  readonly args?: readonly string[];
  readonly signal?: AbortSignal;
  readonly systems?: Partial<Context>;
}
export function update(run: Run = {}) {
  const { mode = 'merge-request', image = 'web=:1.1.0', pipeline = 10, args = [], env = {}, signal, systems } = run;
  const way = mode === null ? [] : ['--mode', mode];
  const base = ['--delivery', PROJECT, '--app', 'web', '--environment', 'production', '--image', image];
  return runCommand(updateCommand, [...base, ...way, '--no-verify-image', ...args], {
    env: {
      ...jobOf(server.url, pipeline, CREATED),
      SLUICE_GITLAB_TOKEN: bot.token,
      ...env,
    },
    folder,
    clock,
    ...(signal ? { signal } : {}),
    ...(systems ? { systems } : {}),
  });
}
export const gitlab = () => connectGitLab({ url: server.url, token: secret(bot.token), tokenKind: 'private', clock });
/** The merge requests, once GitLab has dealt with all pushes: it learns of them after it has answered them. */
export async function requests(state: 'opened' | 'all' = 'opened'): Promise<readonly GitLabMergeRequest[]> {
  await server.waitForPipelines();
  return gitlab().mergeRequests(PROJECT, { state });
}
export const requestOf = (result: CommandResult) =>
  (result.record['delivery'] as { readonly mergeRequest: MergeRequestRef } | null)?.mergeRequest;
export async function api(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${server.url}/api/v4/projects/${encodeURIComponent(PROJECT)}${path}`, {
    method,
    headers: { 'private-token': bot.token, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}
export async function merge({ iid }: GitLabMergeRequest | MergeRequestRef): Promise<void> {
  for (let tries = 0; tries < 10; tries += 1) {
    if ((await api('PUT', `/merge_requests/${iid}/merge`, {})).ok) return;
  }
  throw new Error(`merge request ${iid} cannot be merged`);
}
