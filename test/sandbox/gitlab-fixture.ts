import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execFile } from 'node:child_process';
import { expect } from 'vitest';
import type { GitLabEvent, GitLabOptions, GitLabServer } from '../../sandbox/gitlab/handle.ts';
import { startGitLab } from '../../sandbox/gitlab/server.ts';
import { faultsOf } from './gitlab-description.ts';

const bin = fileURLToPath(new URL('../../node_modules/.bin', import.meta.url));

/** PATH of git and of jobs. */
const path = [bin, process.env['PATH'] ?? ''].join(delimiter);

/** One answer. */
interface Answer {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
  readonly headers: Headers;
}

export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

/** A running GitLab in a temporary folder, and ways to talk to it. */
export interface World {
  readonly gitlab: GitLabServer;
  readonly folder: string;
  readonly events: GitLabEvent[];
  /** Calls the API with a token; every successful JSON answer is checked against GitLab's description. */
  as(token: string | null): Call;
  /** Runs git outside of the server; answers exit code and all output. */
  git(
    args: readonly string[],
    options?: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> },
  ): Promise<{ readonly code: number; readonly text: string }>;
  /** Clone address with a credential in it. */
  address(project: string, token: string, user?: string): string;
  close(): Promise<void>;
}

export async function startWorld(options: Partial<GitLabOptions> = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'gitlab-'));
  const gitlab = await startGitLab({ folder: join(folder, 'server'), env: { PATH: path }, ...options });
  const events: GitLabEvent[] = [];
  gitlab.on((event) => events.push(event));
  return {
    gitlab,
    folder,
    events,
    as: (token) => async (method, where, body, headers) => {
      const response = await fetch(`${gitlab.url}/api/v4${where}`, {
        method,
        headers: {
          ...(token === null ? {} : { 'private-token': token }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const json = response.headers.get('content-type')?.includes('json') ?? false;
      const parsed: unknown = json && text !== '' ? JSON.parse(text) : text;
      if (json && response.ok) expect(faultsOf(method, `/api/v4${where.split('?')[0]}`, parsed)).toEqual([]);
      return { status: response.status, body: parsed, headers: response.headers };
    },
    git: async (args, { cwd = folder, env = {} } = {}) =>
      new Promise((resolve) => {
        const environment = {
          PATH: path,
          HOME: folder,
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_TERMINAL_PROMPT: '0',
          GIT_AUTHOR_NAME: 'Dev',
          GIT_AUTHOR_EMAIL: 'dev@example.com',
          GIT_COMMITTER_NAME: 'Dev',
          GIT_COMMITTER_EMAIL: 'dev@example.com',
          LC_ALL: 'C',
          ...env,
        };
        execFile('git', args, { cwd, env: environment }, (error, stdout, stderr) =>
          resolve({ code: error ? Number(error.code ?? 1) : 0, text: stdout + stderr }),
        );
      }),
    address: (project, token, user = 'oauth2') => `${gitlab.url.replace('://', `://${user}:${token}@`)}/${project}.git`,
    close: async () => {
      await gitlab.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A GitLab with projects below the group `statuses`, and those who post there. */
export interface StatusWorld {
  readonly world: World;
  readonly maintainer: Call;
  readonly developer: Call;
  /** A project with one commit and no pipeline. */
  readonly freshProject: () => Promise<{ readonly path: string; readonly url: string; readonly sha: string }>;
}

export async function startStatuses(): Promise<StatusWorld> {
  const world = await startWorld();
  let count = 0;
  const member = (name: string, level: 30 | 40) =>
    world.as(world.gitlab.createUser(name, { memberships: { statuses: level } }).token);
  return {
    world,
    maintainer: member('maintainer', 40),
    developer: member('developer', 30),
    async freshProject() {
      count += 1;
      const name = `statuses/p${count}`;
      world.gitlab.createProject(name);
      const sha = await world.gitlab.seed(name, new Map([['README.md', `# ${count}\n`]]), 'first');
      return { path: name, url: `/projects/${encodeURIComponent(name)}`, sha };
    },
  };
}
