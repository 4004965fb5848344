import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { binaryPath } from '../scripts/binaries.mjs';
import { startRegistry, type RegistryServer } from '../sandbox/registry/server.ts';
import { gitFolder } from '../test/doubles/git-folder.ts';
import type { Row } from './measure.ts';

const root = join(import.meta.dirname, '..');
const node = join(root, 'node_modules', '.bin', 'node');
const cli = join(root, 'dist', 'sluice.js');
const APPS = 1000;
const tools = ['oras', 'kustomize'].map((name) => dirname(binaryPath(name)));
const env = { PATH: [...tools, process.env['PATH']].join(':'), HOME: tmpdir() };

interface Run {
  readonly seconds: number;
  readonly requests: number;
  /** Peak resident memory of the CLI, MB. */
  readonly memory: number;
}

/** `publish` of 1,000 apps of one environment against a registry on loopback, beside one `oras` process for each artifact. */
export async function benchPublish(): Promise<readonly Row[]> {
  await using git = await gitFolder();
  const folder = await git.bare('delivery.git');
  const names = Array.from({ length: APPS }, (_, index) => `app-${String(index).padStart(4, '0')}`);
  const config = `version: 1\nenvironments:\n  staging: {clusters: [{name: s, agent: "a/b:c"}]}\napps:\n${names.map((name) => `  ${name}: {}\n`).join('')}`;
  const app = (name: string, tag: string) => ({
    [`apps/${name}/base/kustomization.yaml`]: 'resources: [deployment.yaml]\n',
    [`apps/${name}/base/deployment.yaml`]: `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${name}}\nspec: {template: {spec: {containers: [{name: app, image: registry.example.com/${name}}]}}}\n`,
    [`apps/${name}/staging/kustomization.yaml`]: `resources: [../base]\nimages: [{name: registry.example.com/${name}, newTag: "${tag}"}]\n`,
  });
  await git.commit('delivery.git', {
    'sluice.yaml': config,
    ...Object.assign({}, ...names.map((name) => app(name, '1'))),
  });
  const clone = join(git.path, 'clone');
  await git.git('.', ['clone', '--quiet', folder, 'clone']);
  const registry = await startRegistry();
  try {
    const publish = () => measured(registry, clone);
    const first = await publish();
    const unchanged = await publish();
    await registry.removeManifest('shop/delivery/ledger', 'staging');
    const lost = await publish();
    await git.commit('delivery.git', Object.assign({}, ...names.slice(0, 3).map((name) => app(name, '2'))));
    await git.git('clone', ['pull', '--quiet']);
    const three = await publish();
    const slow = registry.faults.add({ path: /./, delayMs: 100 });
    const far = await publish();
    slow();
    const oras = await orasEach(registry, names.slice(0, 50));
    const each = (seconds: number) => (seconds / 50) * APPS;
    const row = (name: string, value: number, floor: number, unit: string, goal: string): Row => ({
      name,
      value,
      floor,
      unit,
      goal,
    });
    const beside = each(oras);
    return [
      row(
        '1,000 apps, first push, beside one oras process for each artifact (50 measured)',
        first.seconds,
        beside,
        's',
        'shown',
      ),
      row('none changed, beside the same', unchanged.seconds, beside, 's', '≤ 3 s'),
      row('none changed: requests', unchanged.requests, 3, '', '≤ 3'),
      row('none changed: memory', unchanged.memory, 200, 'MB', '≤ 200 MB'),
      row('none changed, 100 ms more for each request', far.seconds, beside, 's', '≤ 3 s'),
      row('ledger lost', lost.seconds, beside, 's', '≤ 8 s'),
      row('ledger lost: requests', lost.requests, 2 * APPS, '', '≤ 2 for each artifact'),
      row('ledger lost: memory', lost.memory, 200, 'MB', '≤ 200 MB'),
      row('3 changed', three.seconds, beside, 's', 'shown'),
      row('3 changed: requests', three.requests, 3, '', 'shown'),
    ];
  } finally {
    await registry.stop();
  }
}

/** One run of the CLI; its peak memory comes from the kernel, by GNU time. */
async function measured(registry: RegistryServer, cwd: string): Promise<Run> {
  const before = registry.requests.length;
  const args = [
    'publish',
    '--registry',
    `${registry.host}/shop/delivery`,
    '--branch',
    'main',
    '--delivery',
    'shop/delivery',
  ];
  const started = performance.now();
  const memory = await new Promise<number>((resolve, reject) => {
    const code = `const {spawnSync}=require('node:child_process');const r=spawnSync(process.argv[1],process.argv.slice(2),{stdio:['ignore','ignore','pipe'],maxBuffer:1e9});process.stderr.write(r.status===0?'':String(r.stderr).slice(-2000));console.log(process.resourceUsage().maxRSS);process.exit(r.status??1)`;
    const child = spawn(node, ['-e', code, node, '--import', recorder(), cli, ...args], { cwd, env });
    let text = '';
    child.stdout.on('data', (data) => (text += String(data)));
    child.stderr.on('data', (data) => (text += String(data)));
    child.on('error', reject);
    child.on('close', (status) => (status === 0 ? resolve(Number(text)) : reject(new Error(text))));
  });
  return { seconds: (performance.now() - started) / 1000, requests: registry.requests.length - before, memory };
}
