import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { GitLabServer, TokenHandle } from './gitlab/handle.ts';
import { startGitLab } from './gitlab/server.ts';
import type { WorldCluster, WorldParts, WorldRegistry } from './parts.ts';
import { seedWorld, type Seeded } from './seed.ts';

/** What a world is made of. */
export interface WorldOptions {
  /** Temporary folder; everything is written below it. */
  readonly folder: string;
  /** The project's own checkout: templates/, examples/, dist/. */
  readonly root: string;
  /** PATH with node, git, rsync, oras, kustomize; proxies are not passed on. */
  readonly env: Readonly<Record<string, string>>;
  readonly parts: WorldParts;
  /** Delivery repository to copy instead of examples/delivery: its files by path. */
  readonly delivery?: ReadonlyMap<string, Uint8Array>;
  readonly latencyMs?: number;
  readonly log?: (line: string) => void;
}

/** A GitLab with three projects, a registry and the clusters of two environments, all on this machine. */
export interface World {
  readonly gitlab: GitLabServer;
  readonly registry: WorldRegistry;
  /** By name: `staging-eu`, `prod-eu`. */
  readonly clusters: Readonly<Record<string, WorldCluster>>;
  readonly seeded: Seeded;
  /** A person who develops and merges. */
  readonly person: TokenHandle;
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Names of the clusters in examples/delivery/sluice.yaml. */
export const clusterNames = ['staging-eu', 'prod-eu'] as const;

/** Builds a world; what was started is stopped again when a later part fails. */
export async function buildWorld(options: WorldOptions): Promise<World> {
  const { folder, parts } = options;
  await using started = new AsyncDisposableStack();
  const env = { ...options.env, PATH: [await installCli(options), options.env['PATH']].join(delimiter) };
  const gitlab = await startGitLab({
    folder: join(folder, 'gitlab'),
    env,
    ...(options.latencyMs === undefined ? {} : { latencyMs: options.latencyMs }),
    ...(options.log ? { log: options.log } : {}),
  });
  started.defer(() => gitlab.stop());
  const registry = await parts.startRegistry(gitlab.registryAuth);
  started.defer(() => registry.stop());
  gitlab.useRegistry({ host: registry.host, tags: (repository) => registry.tags(repository) });
  const clusters: Record<string, WorldCluster> = {};
  await Promise.all(
    clusterNames.map(async (name) => {
      const cluster = await parts.startCluster(name);
      clusters[name] = cluster;
      started.defer(() => cluster.stop());
    }),
  );
  const person = gitlab.createUser('dev', {
    name: 'Developer',
    memberships: { shop: 40, platform: 40 },
    scopes: ['api'],
  });
  const seeded = await seedWorld({ ...options, gitlab, registry, clusters });
  const stack = started.move();
  return { gitlab, registry, clusters, seeded, person, env, stop: () => stack.disposeAsync() };
}

/** Puts the packaged CLI on the jobs' PATH, as the runner image does. */
async function installCli({ folder, root }: WorldOptions): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  const script = join(bin, 'sluice');
  await writeFile(
    script,
    `#!/bin/sh\nexec '${join(root, 'node_modules', '.bin', 'node')}' '${join(root, 'dist', 'sluice.js')}' "$@"\n`,
  );
  await chmod(script, 0o755);
  await mkdir(join(folder, 'gitlab'), { recursive: true });
  return bin;
}
