import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { binaryPath } from '../scripts/binaries.mjs';
import { gitFolder, type GitFolder } from '../test/doubles/git-folder.ts';
import { describeManifest, mediaTypes } from '../src/artifact/describe.ts';
import { evaluate } from '../src/artifact/evaluate.ts';
import { openSnapshot } from '../src/artifact/snapshot.ts';
import { allPairs } from '../src/config/pair.ts';
import { parseConfig } from '../src/config/parse.ts';
import { openRepository } from '../src/systems/git-local.ts';
import { timeCommand, type Row } from './measure.ts';
import { benchRegistry, type BenchRegistry } from './registry.ts';

const root = join(import.meta.dirname, '..');
const node = join(root, 'node_modules', '.bin', 'node');
const cli = join(root, 'dist', 'sluice.js');
const tools = ['oras', 'kustomize'].map((name) => dirname(binaryPath(name)));
const env = { PATH: [...tools, process.env['PATH']].join(':'), HOME: tmpdir() };

const APPS = 1000;
const ORAS_MEASURED = 30;
const names = Array.from({ length: APPS }, (_, index) => `app-${String(index).padStart(4, '0')}`);
const config = `version: 1
environments:
  staging: {clusters: [{name: staging, agent: "shop/agents:staging"}]}
apps:
${names.map((name) => `  ${name}: {}\n`).join('')}`;

/** `publish` of 1,000 apps of one environment against CNCF distribution on loopback, beside one `oras` process per artifact. */
export async function benchPublish(): Promise<readonly Row[]> {
  await using git = await gitFolder();
  await using registry = await benchRegistry();
  await git.bare('delivery.git');
  await git.commit('delivery.git', { 'sluice.yaml': config, ...appFiles(names, '1') });
  await git.git('.', ['clone', '--quiet', `${git.path}/delivery.git`, 'clone']);
  const clone = join(git.path, 'clone');
  await seed(git, registry);
  const publish = () => measured(registry, clone);
  const lost = await publish();
  const unchanged = await publish();
  registry.slow(100);
  const far = await publish();
  await registry.removeTag('shop/delivery/ledger', 'staging');
  const farLost = await publish();
  registry.slow(0);
  await git.commit('delivery.git', appFiles(names.slice(0, 3), '2'));
  await git.git('clone', ['pull', '--quiet']);
  const changed = await publish();
  const oras = (await orasEach(registry)) * APPS;
  const row = (name: string, value: number, floor: number, unit: string, goal: string): Row => {
    return { name, value, floor, unit, goal };
  };
  return [
    row(`none of ${APPS} changed, beside one oras process for each`, unchanged.seconds, oras, 's', '≤ 3 s'),
    row('  requests, beside one for each', unchanged.requests, APPS, '', '≤ 3'),
    row('  peak memory, beside the limit', unchanged.memory, 200, 'MB', '≤ 200 MB'),
    row('  with 100 ms more for each request', far.seconds, oras + 0.1 * APPS, 's', '≤ 3 s'),
    row('ledger lost', lost.seconds, oras, 's', '≤ 8 s'),
    row('  requests, beside two for each', lost.requests, 2 * APPS, '', '≤ 2 for each artifact'),
    row('  peak memory, beside the limit', lost.memory, 200, 'MB', '≤ 200 MB'),
    row('  with 100 ms more for each request', farLost.seconds, oras + 0.1 * APPS, 's', '≤ 8 s'),
    row('3 changed', changed.seconds, oras, 's', 'shown'),
    row('  requests', changed.requests, APPS, '', 'shown'),
  ];
}

function appFiles(apps: readonly string[], tag: string): Record<string, string> {
  const files = apps.flatMap((name) => [
    [`apps/${name}/base/kustomization.yaml`, 'resources: [deployment.yaml]\n'],
    [
      `apps/${name}/base/deployment.yaml`,
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${name}}\nspec: {template: {spec: {containers: [{name: app, image: registry.example.com/${name}}]}}}\n`,
    ],
    [
      `apps/${name}/staging/kustomization.yaml`,
      `resources: [../base]\nimages: [{name: registry.example.com/${name}, newTag: "${tag}"}]\n`,
    ],
  ]);
  return Object.fromEntries(files) as Record<string, string>;
}

/** Puts every app's manifest under its moving tag, as `publish` describes it; no ledger. */
async function seed(git: GitFolder, registry: BenchRegistry): Promise<void> {
  const repository = await openRepository({ folder: `${git.path}/delivery.git`, processes: git.processes });
  const sha = await git.git('delivery.git', ['rev-parse', 'main']);
  const snapshot = await openSnapshot(repository, sha);
  const pairs = allPairs(parseConfig(config, 'sluice.yaml'), `${registry.host}/shop/delivery`);
  const items = pairs.flatMap((pair) => pair.artifacts.map((artifact) => ({ pair, artifact })));
  const limits = { files: 1000, bytes: 1e9 };
  const part = { digest: `sha256:${createHash('sha256').update('{}').digest('hex')}`, size: 2 };
  for (const item of await evaluate(snapshot, items, { project: 'shop/delivery', limits })) {
    if (item.state !== 'ready') throw item.fault;
    const name = item.artifact.name;
    await registry.putBlob(`shop/delivery/${name}`, Buffer.from('{}'), part.digest);
    const description = {
      title: name,
      revision: `main@sha1:${sha}`,
      source: '',
      createdAt: snapshot.commit.committedAt,
      contentDigest: item.contentDigest,
    };
    const manifest = Buffer.from(describeManifest(description, part, part));
    await registry.putManifest(`shop/delivery/${name}`, 'staging', mediaTypes.manifest, manifest);
  }
}

interface Run {
  readonly seconds: number;
  readonly requests: number;
  /** Peak resident memory of the CLI itself. */
  readonly memory: number;
}

/** One run of the packaged CLI. */
async function measured(registry: BenchRegistry, cwd: string): Promise<Run> {
  const before = registry.requests();
  const tell = 'process.on("exit",()=>process.stderr.write("\\npeak "+process.resourceUsage().maxRSS))';
  const hook = ['--import', `data:text/javascript,${encodeURIComponent(tell)}`];
  const target = ['--registry', `${registry.host}/shop/delivery`, '--branch', 'main', '--delivery', 'shop/delivery'];
  const started = performance.now();
  const text = await new Promise<string>((resolve, reject) => {
    const child = spawn(node, [...hook, cli, 'publish', ...target], { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (data) => (stderr += String(data)));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(stderr) : reject(new Error(stderr.slice(-2000)))));
  });
  const seconds = (performance.now() - started) / 1000;
  const peak = Number(/peak (\d+)/.exec(text)?.[1] ?? Number.NaN);
  return { seconds, requests: registry.requests() - before, memory: peak / 1000 };
}

/** Seconds that one oras process takes to read one artifact's manifest. */
async function orasEach(registry: BenchRegistry): Promise<number> {
  let seconds = 0;
  for (const name of names.slice(0, ORAS_MEASURED)) {
    const reference = `${registry.host}/shop/delivery/${name}:staging`;
    seconds += await timeCommand(binaryPath('oras'), ['manifest', 'fetch', '--plain-http', reference], { env });
  }
  return seconds / ORAS_MEASURED;
}
