import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { startKubernetes } from '../test/doubles/kubernetes.ts';
import { lookAt, podinfo } from '../test/watch/look.ts';
import { deployment, former, kustomization, ociRepository, ours } from '../test/watch/objects.ts';
import { node, type Row } from './measure.ts';

const seconds = 20;

/** What following costs while nothing happens, with 1 and with 200 apps in one process; and decisions of the pure part. */
export async function benchFollow(): Promise<readonly Row[]> {
  const [one, many] = [await following(1), await following(200)];
  const empty = await memoryOf(['-e', 'process.stdout.write(String(process.memoryUsage().rss))']);
  return [
    {
      name: 'Kubernetes API requests a minute, following 200 apps beside 1',
      value: many.requests * (60 / seconds),
      floor: one.requests * (60 / seconds),
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
      name: 'decisions of the pure part',
      value: decisions(),
      floor: null,
      unit: 'a second',
      goal: '≥ 50,000',
    },
  ];
}

/** Requests of the `seconds` after the first look, and the memory of the process that made them. */
async function following(number: number): Promise<{ readonly requests: number; readonly rss: number }> {
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
    let first = 0;
    const rss = await memoryOf([join(import.meta.dirname, 'follow-apps.ts'), String(number), String(seconds + 5)], {
      kubeconfig: kubernetes.kubeconfig,
      after: 5_000,
      begin: () => {
        first = kubernetes.requests.length;
      },
    });
    return { requests: kubernetes.requests.length - first, rss };
  } finally {
    await kubernetes.stop();
  }
}

/** Runs a program of Node's that prints its memory in bytes. */
async function memoryOf(
  args: readonly string[],
  more?: { readonly kubeconfig: string; readonly after: number; readonly begin: () => void },
): Promise<number> {
  const env = { PATH: process.env['PATH'], BENCH_KUBECONFIG: more?.kubeconfig };
  const child = spawn(node, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (data) => (text += String(data)));
  const timer = more === undefined ? undefined : setTimeout(more.begin, more.after);
  const code = await new Promise((resolve) => {
    child.on('close', resolve);
  });
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${String(code)}`);
  return Number(text);
}

/** Looks at one app whose source, Kustomization and Deployment are there: as many as fit in a second. */
function decisions(): number {
  const world = lookAt();
  const states = [former, ours].map((digest) => [
    ociRepository(digest),
    kustomization(`staging@${digest}`, { spec: { wait: false } }),
    deployment({ name: podinfo.app }),
  ]);
  let count = 0;
  world.look(...states[0]!);
  const until = performance.now() + 1_000;
  while (performance.now() < until) {
    world.glance();
    count += 1;
  }
  return count;
}
