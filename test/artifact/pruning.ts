import { describeManifest, mediaTypes } from '../../src/artifact/describe.ts';
import { prune, type Pruned, type PruneInput } from '../../src/artifact/prune.ts';
import { ledgerRepository } from '../../src/config/pair.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { localFiles } from '../../src/systems/files-local.ts';
import { openRepository } from '../../src/systems/git-local.ts';
import { fetchHttp } from '../../src/systems/http-fetch.ts';
import { runProcesses } from '../../src/systems/process-run.ts';
import { connectRegistry } from '../../src/systems/registry-http.ts';
import { config, overlay, toolPath, type Publishing } from './publishing.ts';

/** Repository of the app in the tests. */
export const podinfo = 'shop/delivery/podinfo';
const DAY = 86_400_000;
const start = Date.parse('2026-01-01T00:00:00Z');
/** As in tags. */
export const short = (sha: string) => sha.slice(0, 12);

/** Commits whose times are whole days after the first of January. */
export async function commitOn(world: Publishing, day: number, files: Record<string, string | null>): Promise<string> {
  return world.commit(files, { at: start / 1000 + day * 86_400 });
}

/** Versions of podinfo in staging, one a day: the last is published, the others stand as publish has described them. */
export async function versions(world: Publishing, days: number): Promise<readonly string[]> {
  const commits: string[] = [];
  const part = { digest: world.registry.putBlob(podinfo, Buffer.from('{}')), size: 2 };
  for (let day = 0; day < days; day++) {
    const sha = await commitOn(world, day, { 'sluice.yaml': config, ...overlay('podinfo', 'staging', `${day}`) });
    commits.push(sha);
    if (day === days - 1) await world.publish(sha);
    else {
      const createdAt = start / 1000 + day * 86_400;
      const contentDigest = `sha256:${sha.padEnd(64, '0')}`;
      const about = { title: 'podinfo', revision: `main@sha1:${sha}`, source: '', createdAt, contentDigest };
      const manifest = Buffer.from(describeManifest(about, part, part));
      world.registry.putManifest(podinfo, `staging-${short(sha)}`, mediaTypes.manifest, manifest);
    }
  }
  return commits;
}

/** Runs a prune, 100 days after the first commit. */
export async function pruning(
  world: Publishing,
  sha: string,
  more: Omit<Partial<PruneInput>, 'config'> & {
    readonly text?: string;
    readonly day?: number;
    readonly repository?: string;
    readonly host?: string;
  } = {},
  credentials: Parameters<typeof connectRegistry>[0]['credentials'] = [],
): Promise<Pruned> {
  const registryName = `${more.host ?? world.registry.host}/shop/delivery`;
  const processes = runProcesses({ ...process.env, PATH: toolPath });
  const files = localFiles(world.git.path, world.git.path);
  const clock = { ...systemClock(), sleep: async () => {}, now: () => start + (more.day ?? 100) * DAY };
  const git = await openRepository({ folder: `${world.git.path}/${more.repository ?? 'delivery.git'}`, processes });
  return prune(
    { git, registry: connectRegistry({ http: fetchHttp(), processes, files, clock, credentials }), files, clock },
    {
      project: 'shop/delivery',
      branch: 'main',
      sha,
      source: 'https://gitlab.example.com/shop/delivery',
      registryName,
      ledgerRepository: ledgerRepository(registryName),
      keep: { days: null, count: null },
      environments: [],
      apps: [],
      uses: [],
      dryRun: false,
      parallel: 2,
      notice: (text) => world.notices.push(text),
      ...more,
      config: parseConfig(more.text ?? config, 'sluice.yaml'),
    },
  );
}

/** Outcome by tag. */
export const outcomes = (pruned: Pruned) => Object.fromEntries(pruned.tags.map(({ tag, outcome }) => [tag, outcome]));
