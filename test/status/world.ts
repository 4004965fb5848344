import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGitLab } from '../../sandbox/gitlab/server.ts';
import type { GitLabEvent, GitLabOptions, GitLabServer } from '../../sandbox/gitlab/handle.ts';
import { secret } from '../../src/secret.ts';
import type { GitLab } from '../../src/systems/gitlab.ts';
import { connectGitLab } from '../../src/systems/gitlab-rest.ts';
import { systemClock } from '../../src/systems/clock-system.ts';

/** A simulated GitLab with a delivery and an application project, one commit in each, and a bot for both. */
export interface GitLabWorld extends AsyncDisposable {
  readonly server: GitLabServer;
  readonly gitlab: GitLab;
  readonly bot: string;
  /** The delivery commit. */
  readonly commit: string;
  /** The application commit. */
  readonly origin: string;
  /** A connection with another token. */
  connect(token: string): GitLab;
  /** States posted, in order: `name state` (of one commit where `sha` is given). */
  states(sha?: string): readonly string[];
  readonly events: readonly (GitLabEvent & { readonly type: 'status' })[];
}

export async function gitlabWorld(options: Partial<GitLabOptions> = {}): Promise<GitLabWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-status-'));
  const server = await startGitLab({ folder, env: { PATH: process.env['PATH'] ?? '' }, ...options });
  server.createProject('team/delivery');
  server.createProject('team/podinfo');
  const commit = await server.seed('team/delivery', new Map([['a.yaml', 'a: 1\n']]), 'first', { pipeline: false });
  const origin = await server.seed('team/podinfo', new Map([['main.go', 'x\n']]), 'first', { pipeline: false });
  const token = server.createToken('team', { name: 'sluice', scopes: ['api'], accessLevel: 40 });
  const events: (GitLabEvent & { readonly type: 'status' })[] = [];
  server.on((event) => {
    if (event.type === 'status') events.push(event);
  });
  const connect = (value: string) =>
    connectGitLab({
      url: server.url,
      token: secret(value),
      tokenKind: 'private',
      clock: { ...systemClock(), random: () => 0 },
      tries: 3,
    });
  return {
    server,
    gitlab: connect(token.token),
    bot: token.username,
    commit,
    origin,
    connect,
    events,
    states: (sha) =>
      events.filter((event) => sha === undefined || event.sha === sha).map((event) => `${event.name} ${event.state}`),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
