import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gitEnv } from './contention-world.ts';
import { type GitHost, serveRepositories } from './git-host.ts';
import { fileOf, kustomization, makeHistory } from './history.ts';
import { type BenchOptions, cli, median, node, type Row, runCommand, timeCommand } from './measure.ts';

interface Cost {
  readonly seconds: number;
  readonly bytes: number;
}

/**
 * `update` on a repository with a long history, beside node's start plus the bare git plumbing for the same change;
 * clones of two kinds beside them. Bytes are those that the server sent.
 */
export async function benchUpdate({ commits, manifests, rounds }: BenchOptions): Promise<readonly Row[]> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    await makeHistory(root, 'delivery', commits, manifests);
    await using host = await serveRepositories(root);
    const url = `${host.url}/delivery.git`;
    let version = 0;
    const ways: Readonly<Record<string, () => Promise<unknown>>> = {
      sluice: () => bySluice(url, (version += 1)),
      plumbing: () => byPlumbing(url, root, (version += 1)),
      shallow: () => cloned(url, root, ['--depth=1']),
      full: () => cloned(url, root, []),
    };
    const costs = new Map<string, Cost[]>(Object.keys(ways).map((name) => [name, []]));
    const starts: number[] = [];
    const measure = async (name: string) => costs.get(name)!.push(await costOf(host, ways[name]!));
    // Clones with a work tree leave the disk busy behind them: what is compared is measured before them, in turn.
    for (let round = 0; round < rounds; round += 1) {
      starts.push(await timeCommand(node, ['-e', '0']));
      await measure('sluice');
      await measure('plumbing');
    }
    for (let round = 0; round < rounds; round += 1) await measure('shallow');
    await measure('full');
    const middle = (name: string, key: keyof Cost) => median(costs.get(name)!.map((cost) => cost[key]));
    const floor = median(starts) + middle('plumbing', 'seconds');
    const seconds = (name: string, text: string, goal: string): Row => ({
      name: text,
      value: middle(name, 'seconds'),
      floor,
      unit: 's',
      goal,
    });
    const bytes = (name: string, text: string, goal: string): Row => ({
      name: text,
      value: middle(name, 'bytes') / 1e6,
      floor: middle('shallow', 'bytes') / 1e6,
      unit: 'MB',
      goal,
    });
    return [
      seconds(
        'sluice',
        `update, ${commits} commits and ${manifests} manifests, beside node’s start + plumbing`,
        '≤ 1.5',
      ),
      seconds('shallow', '  git clone --depth 1', 'shown'),
      seconds('full', '  full clone', 'shown'),
      bytes('sluice', 'bytes received, beside a depth-1 clone', '≤ 0.2'),
      bytes('plumbing', '  plumbing', 'shown'),
      bytes('full', '  full clone', 'shown'),
    ];
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function costOf(host: GitHost, task: () => Promise<unknown>): Promise<Cost> {
  const before = host.sent();
  const started = performance.now();
  await task();
  return { seconds: (performance.now() - started) / 1000, bytes: host.sent() - before };
}

function bySluice(url: string, version: number): Promise<unknown> {
  const flags = ['--delivery', url, '--app', 'app-0', '--environment', 'staging', '--image', `app=:2.0.${version}`];
  return runCommand(node, [cli, 'update', ...flags, '--no-verify-image'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      SLUICE_GIT_TOKEN: 'bench-token',
      CI_PROJECT_PATH: 'shop/app',
      CI_COMMIT_SHA: 'a'.repeat(40),
      CI_COMMIT_REF_NAME: 'main',
      CI_PIPELINE_ID: String(version),
      CI_PIPELINE_CREATED_AT: new Date().toISOString(),
    },
  });
}

/** The change by git alone: no blobs, no work tree. */
async function byPlumbing(url: string, root: string, version: number): Promise<void> {
  const cwd = await mkdtemp(join(root, 'clone-'));
  const git = async (args: readonly string[], input?: string) =>
    (await runCommand('git', args, { cwd, env: gitEnv, ...(input === undefined ? {} : { input }) })).stdout.trim();
  await git(['clone', '--quiet', '--bare', '--depth=1', '--filter=blob:none', '--single-branch', '--', url, '.']);
  let object = await git(['hash-object', '-w', '--stdin'], kustomization(`2.0.${version}`));
  const steps = fileOf(0).split('/');
  for (let depth = steps.length - 1; depth >= 0; depth -= 1) {
    const listing = await git(['ls-tree', `main:${steps.slice(0, depth).join('/')}`]);
    const lines = listing.split('\n').map((line) => {
      const tab = line.indexOf('\t');
      return line.slice(tab + 1) === steps[depth] ? line.replace(/[0-9a-f]{40}\t/, `${object}\t`) : line;
    });
    object = await git(['mktree', '--missing'], `${lines.join('\n')}\n`);
  }
  const commit = await git(['commit-tree', object, '-p', 'main', '-m', 'deploy']);
  await git(['push', '--quiet', 'origin', `${commit}:refs/heads/main`]);
  await rm(cwd, { recursive: true, force: true });
}

async function cloned(url: string, root: string, flags: readonly string[]): Promise<void> {
  const cwd = await mkdtemp(join(root, 'clone-'));
  await runCommand('git', ['clone', '--quiet', ...flags, '--', url, '.'], { cwd, env: gitEnv });
  await rm(cwd, { recursive: true, force: true });
}
