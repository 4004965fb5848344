import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { startKubernetes } from '../test/doubles/kubernetes.ts';
import { lookAt, podinfo } from '../test/watch/look.ts';
import { deployment, former, kustomization, ociRepository, ours } from '../test/watch/objects.ts';
import { node, type Row } from './measure.ts';

const seconds = 60;

/** What following costs while nothing happens, with 1 and with 200 apps in one process; and decisions of the pure part. */
export async function benchFollow(): Promise<readonly Row[]> {
  await using program = await followProgram();
  const [one, many] = [await following(1, program.path), await following(200, program.path)];
  const empty = await memoryOf(['-e', 'process.stdout.write(String(process.memoryUsage().rss))']);
  return [
    {
      name: 'Kubernetes API requests of the first minute, following 200 apps beside 1',
      value: many.requests,
      floor: one.requests,
      unit: 'requests',
      goal: 'ratio 1',
    },
    {
      name: 'memory of the process that follows 200 apps beside an empty node',
      value: many.rss / 1e6,
      floor: empty / 1e6,
      unit: 'MB',
      goal: 'value ≤ 150 MB',
    },
    {
      name: 'decisions on one app (pure part)',
      value: perSecond(false),
      floor: null,
      unit: 'a CPU second',
      goal: '≥ 50,000',
    },
    {
      name: 'the same, each with a changed Kustomization taken in before',
      value: perSecond(true),
      floor: null,
      unit: 'a CPU second',
      goal: 'shown',
    },
  ];
}

/** The program that follows, bundled as the packaged CLI, so that only what is used is loaded. */
export async function followProgram(): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const path = join(folder, 'follow.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'follow-apps.ts')],
    outfile: path,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    logLevel: 'error',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** Requests from the first look on, and the highest memory of the process that made them. */
async function following(
  number: number,
  program: string,
): Promise<{ readonly requests: number; readonly rss: number }> {
  const kubernetes = await startKubernetes();
  try {
    const apps = Array.from({ length: number }, (_, index) => `app${index}`);
    for (const name of apps) {
      const spec = { url: `oci://registry.example.com/shop/delivery/${name}`, ref: { tag: 'staging' } };
      kubernetes.put(ociRepository(former, { name, spec }));
      const entries = [{ id: `shop_${name}_apps_Deployment`, v: 'v1' }];
      const sourceRef = { kind: 'OCIRepository', name };
      kubernetes.put(
        kustomization(`staging@${former}`, {
          name,
          spec: { wait: false, sourceRef },
          status: { inventory: { entries } },
        }),
      );
      kubernetes.put(deployment({ name }));
    }
    const rss = await memoryOf([program, String(number), String(seconds)], kubernetes.kubeconfig);
    return { requests: kubernetes.requests.length, rss };
  } finally {
    await kubernetes.stop();
  }
}

/** Runs a program of Node's that prints its memory in bytes. */
export async function memoryOf(args: readonly string[], kubeconfig?: string): Promise<number> {
  const env = { PATH: process.env['PATH'], BENCH_KUBECONFIG: kubeconfig };
  const child = spawn(node, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (data) => (text += String(data)));
  const code = await new Promise((resolve) => {
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${String(code)}`);
  return Number(text);
}

/** Looks at one app with source, Kustomization and Deployment, warmed up: so many in a CPU second. */
function perSecond(changing: boolean): number {
  const world = lookAt();
  const [before, after] = [former, ours].map((digest) => kustomization(`staging@${digest}`, { spec: { wait: false } }));
  world.look(ociRepository(former), before!, deployment({ name: podinfo.app }));
  const run = (ms: number) => {
    let count = 0;
    const start = process.cpuUsage();
    for (const until = performance.now() + ms; performance.now() < until; count += 1) {
      if (changing) world.view.replace('Kustomization', null, [count % 2 === 0 ? after! : before!], world.now());
      world.glance();
    }
    const { user, system } = process.cpuUsage(start);
    return count / ((user + system) / 1e6);
  };
  run(300);
  return run(1_000);
}
