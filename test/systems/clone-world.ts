import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { secret } from '../../src/secret.ts';
import type { Clock } from '../../src/systems/clock.ts';
import { localFiles } from '../../src/systems/files-local.ts';
import { connectDeliveryGit, type DeliveryGitOptions } from '../../src/systems/git-delivery.ts';
import type { DeliveryClone, DeliveryGit } from '../../src/systems/git-remote.ts';
import { type GitFolder, gitFolder } from '../doubles/git-folder.ts';
import { type GitServer, gitServer } from '../doubles/git-server.ts';

/** A served repository `delivery.git` of three commits, and a way to it. */
export interface CloneWorld extends AsyncDisposable {
  readonly world: GitFolder;
  readonly server: GitServer;
  readonly url: string;
  /** Ids, oldest first. */
  readonly commits: readonly string[];
  /** Milliseconds that were slept. */
  readonly waits: readonly number[];
  readonly connect: (token?: string, more?: Partial<DeliveryGitOptions>) => DeliveryGit;
  /** The server's branch. */
  readonly tip: () => Promise<string>;
}

/** Makes the world; its disposal rejects where a temporary folder was left behind. */
export async function cloneWorld(): Promise<CloneWorld> {
  const world = await gitFolder();
  const commits: string[] = [];
  await world.bare('delivery.git');
  for (const version of [1, 2, 3]) {
    const files = { 'apps/web/a.yaml': `a: ${version}\n`, 'apps/api/b.yaml': `b: ${version}\n` };
    commits.push(await world.commit('delivery.git', files));
  }
  const server = await gitServer(world.path, { 'write-token': 'write', 'read-token': 'read' });
  const temporary = join(world.path, 'temporary');
  await mkdir(temporary);
  const waits: number[] = [];
  const clock: Clock = {
    now: () => 1_800_000_000_000,
    sleep: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
    random: () => 0.5,
  };
  return {
    world,
    server,
    url: `${server.url}/delivery.git`,
    commits,
    waits,
    connect: (token = 'write-token', more = {}) =>
      connectDeliveryGit({
        processes: world.processes,
        files: localFiles(world.path, temporary),
        clock,
        token: secret(token),
        ...more,
      }),
    tip: () => world.git('delivery.git', ['rev-parse', 'main']),
    async [Symbol.asyncDispose]() {
      const left = await readdir(temporary);
      await server[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
      if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
    },
  };
}

/** Texts of blobs. */
export async function contentsOf(clone: DeliveryClone, oids: readonly string[]): Promise<string[]> {
  const contents: string[] = [];
  for await (const blob of clone.blobs(oids)) contents.push(new TextDecoder().decode(blob.content));
  return contents;
}
