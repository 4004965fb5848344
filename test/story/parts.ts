import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { visitGitLab, type Visitor } from '../../sandbox/gitlab-client.ts';
import type { GitLabEvent, Profile } from '../../sandbox/gitlab/handle.ts';
import { simulatedParts, type WorldParts } from '../../sandbox/parts.ts';
import { exampleClusters, seedExamples, type Seeded } from '../../sandbox/seed.ts';
import { buildWorld, type World } from '../../sandbox/world.ts';
import { binaryPath, onPath } from '../../scripts/binaries.mjs';
import { ensureBuilt } from './cli.ts';

const root = join(import.meta.dirname, '..', '..');

/** PATH of the stories: the project's Node, the tools (from the PATH, else from the cache), then the machine's. */
export function storyPath(): string {
  const tools = ['oras', 'kustomize'].map((tool) => onPath(tool) ?? dirname(binaryPath(tool)));
  return [join(root, 'node_modules', '.bin'), ...tools, process.env['PATH']].join(delimiter);
}

/** A world with its temporary folder; simulated parts unless others are handed in. */
export interface StoryWorld extends World, AsyncDisposable {}

/** What a story wants. */
export interface StoryOptions {
  readonly clusters: readonly string[];
  /** Makes the parts; the stories of the lab hand in the real ones. */
  readonly parts?: (place: { readonly folder: string; readonly env: Readonly<Record<string, string>> }) => WorldParts;
  readonly log?: (line: string) => void;
  readonly profile?: Profile;
  /** Flux's waits in the simulated cluster, multiplied. */
  readonly timeScale?: number;
}

/** Builds a world for a story; disposal stops everything and removes the folder. */
export async function openWorld(options: StoryOptions): Promise<StoryWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-story-'));
  // Whatever a job leaves in its temporary folder is seen there and nowhere else.
  const temporary = join(folder, 'temporary');
  await mkdir(temporary);
  const env = { PATH: storyPath(), HOME: folder, TMPDIR: temporary, LANG: 'C.UTF-8' };
  const kustomize = join(onPath('kustomize') ?? dirname(binaryPath('kustomize')), 'kustomize');
  try {
    const parts =
      options.parts?.({ folder, env }) ??
      simulatedParts({
        folder,
        env,
        kustomize,
        ...(options.timeScale === undefined ? {} : { timeScale: options.timeScale }),
      });
    const world = await buildWorld({
      folder,
      root,
      env,
      parts,
      clusters: options.clusters,
      ...(options.log ? { log: options.log } : {}),
      ...(options.profile ? { profile: options.profile } : {}),
    });
    return {
      ...world,
      async [Symbol.asyncDispose]() {
        await world.stop();
        await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    throw error;
  }
}

/** A world with the example projects, delivered as they are. */
export interface ExamplesWorld extends StoryWorld {
  readonly visitor: Visitor;
  /** All that GitLab tells, from its start on. */
  readonly events: readonly GitLabEvent[];
  readonly seeded: Seeded;
}

/** Opens the examples' world, by default with all their clusters, on the packaged CLI. */
export async function openExamples(options: Partial<StoryOptions> = {}): Promise<ExamplesWorld> {
  await ensureBuilt();
  const world = await openWorld({ clusters: Object.keys(exampleClusters), ...options });
  try {
    const events: GitLabEvent[] = [];
    world.gitlab.on((event) => void events.push(event));
    const seeded = await seedExamples(world);
    await world.gitlab.waitForPipelines();
    return { ...world, visitor: visitGitLab(world.gitlab, world.person.token), events, seeded };
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}
