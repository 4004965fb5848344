import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { GitLabServer, Profile, TokenHandle } from './gitlab/handle.ts';
import { startGitLab } from './gitlab/server.ts';
import type { WorldCluster, WorldParts, WorldRegistry } from './parts.ts';
import { paths } from './seed.ts';

/** What a world is made of. */
export interface WorldOptions {
  /** Temporary folder; everything is written below it. */
  readonly folder: string;
  /** The project's own checkout: templates/, examples/, dist/. */
  readonly root: string;
  /** PATH with node, git, rsync, oras, kustomize; proxies are not passed on. */
  readonly env: Readonly<Record<string, string>>;
  readonly parts: WorldParts;
  /** Clusters to start, by the names of their agents. */
  readonly clusters: readonly string[];
  readonly latencyMs?: number;
  /** GitLab's release; default that of `startGitLab`. */
  readonly profile?: Profile;
  readonly log?: (line: string) => void;
}

/** A GitLab with our components, a registry and clusters, all on this machine; projects are seeded into it. */
export interface World {
  readonly gitlab: GitLabServer;
  readonly registry: WorldRegistry;
  /** By name, e.g. `staging-eu`. */
  readonly clusters: Readonly<Record<string, WorldCluster>>;
  /** The project's own checkout. */
  readonly root: string;
  /** Temporary folder of this world. */
  readonly folder: string;
  /** A person who develops and merges. */
  readonly person: TokenHandle;
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Builds a world; what was started is stopped again when a later part fails. */
export async function buildWorld(options: WorldOptions): Promise<World> {
  const { folder, parts } = options;
  await using started = new AsyncDisposableStack();
  const env = { ...options.env, PATH: [await installCli(options), options.env['PATH']].join(delimiter) };
  const gitlab = await startGitLab({
    folder: join(folder, 'gitlab'),
    env,
    ...(options.latencyMs === undefined ? {} : { latencyMs: options.latencyMs }),
    ...(options.profile ? { profile: options.profile } : {}),
    ...(options.log ? { log: options.log } : {}),
  });
  started.defer(() => gitlab.stop());
  const registry = await parts.startRegistry(gitlab.registryAuth);
  started.defer(() => registry.stop());
  gitlab.useRegistry({ host: registry.host, tags: (repository) => registry.tags(repository) });
  const clusters: Record<string, WorldCluster> = {};
  await Promise.all(
    options.clusters.map(async (name) => {
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
  await publishComponents(gitlab, options);
  const stack = started.move();
  return { gitlab, registry, clusters, person, env, root: options.root, folder, stop: () => stack.disposeAsync() };
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

/** Releases templates/ under the version of package.json, as a tag of the component project does. */
async function publishComponents(gitlab: GitLabServer, { folder, root }: WorldOptions): Promise<void> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const component = join(folder, 'component');
  await cp(join(root, 'templates'), join(component, 'templates'), { recursive: true });
  await gitlab.publishComponent(paths.component, component, version);
}
