import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startCluster } from '../../sandbox/cluster/cluster.ts';
import type { SimulatedCluster } from '../../sandbox/cluster/handle.ts';
import type { GitLabServer } from '../../sandbox/gitlab/handle.ts';
import { startGitLab } from '../../sandbox/gitlab/server.ts';
import { startRegistry, type RegistryServer } from '../../sandbox/registry/server.ts';
import { binaryPath } from '../../scripts/binaries.mjs';

const root = join(import.meta.dirname, '..', '..');

/** One run of the CLI. */
export interface Run {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as JSON. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** GitLab, registry and a cluster on loopback, a delivery repository with one app, and the CLI from its sources. */
export interface DeliveryWorld extends AsyncDisposable {
  readonly gitlab: GitLabServer;
  readonly cluster: SimulatedCluster;
  readonly registry: RegistryServer;
  /** The checkout that the CLI runs in. */
  readonly checkout: string;
  /** The application commit that the delivery commits name. */
  readonly origin: string;
  /** Every credential of the world. */
  readonly secrets: readonly string[];
  /** Commits the image's tag for staging (and sluice.yaml) and checks the commit out; answers its id. */
  deliver(tag: string, trailers?: readonly string[], settings?: string): Promise<string>;
  /** Runs the CLI in the checkout. `during` gets the child's signal sender. */
  sluice(
    args: readonly string[],
    options?: {
      readonly env?: Readonly<Record<string, string>>;
      readonly during?: (kill: (signal: NodeJS.Signals) => void) => void;
    },
  ): Promise<Run>;
  /** States of a commit in the order they were posted: `name state`. */
  states(sha: string): readonly string[];
}

const app = {
  namespace: 'apiVersion: v1\nkind: Namespace\nmetadata: { name: podinfo }\n',
  kustomization: (tag: string) =>
    `resources: [deployment.yaml]\nnamespace: podinfo\nimages:\n  - { name: podinfo, newTag: "${tag}" }\n`,
  deployment: `apiVersion: apps/v1
kind: Deployment
metadata: { name: podinfo }
spec:
  progressDeadlineSeconds: 60
  selector: { matchLabels: { app: podinfo } }
  template:
    metadata: { labels: { app: podinfo } }
    spec: { containers: [{ name: podinfo, image: podinfo }] }
`,
  settings: `version: 1
environments:
  staging: { clusters: [{ name: eu, context: "agents:eu" }] }
apps:
  podinfo: { project: team/podinfo }
`,
  flux: (host: string) => `apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: { name: podinfo, namespace: flux-system }
spec: { url: "oci://${host}/team/delivery/podinfo", ref: { tag: staging }, interval: 10m, insecure: true }
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: podinfo, namespace: flux-system }
spec:
  sourceRef: { kind: OCIRepository, name: podinfo }
  path: ./apps/podinfo/staging
  interval: 10m
  timeout: 1m
  prune: true
  wait: true
`,
};

/** `skewMs`: how far the cluster's clock is ahead of ours. */
export async function deliveryWorld({ skewMs = 0 } = {}): Promise<DeliveryWorld> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-delivery-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const path = [dirname(binaryPath('oras')), dirname(binaryPath('kustomize')), process.env['PATH']].join(delimiter);
  const gitlab = await startGitLab({ folder: join(folder, 'gitlab'), env: { PATH: path } });
  stack.defer(() => gitlab.stop());
  const registry = await startRegistry();
  stack.defer(() => registry.stop());
  const host = registry.host.replace('127.0.0.1', 'localhost');
  const cluster = await startCluster({
    kustomize: binaryPath('kustomize'),
    env: { PATH: path },
    folder,
    timeScale: 0.05,
    now: () => Date.now() + skewMs,
  });
  stack.defer(() => cluster.stop());
  cluster.apply('apiVersion: v1\nkind: Namespace\nmetadata: { name: flux-system }\n');
  cluster.apply(app.namespace);
  cluster.apply(app.flux(host));
  gitlab.createProject('team/delivery');
  gitlab.createProject('team/podinfo');
  const origin = await gitlab.seed('team/podinfo', new Map([['main.go', 'x\n']]), 'Release', { pipeline: false });
  const bot = gitlab.createToken('team', { name: 'sluice', scopes: ['api', 'write_repository'], accessLevel: 40 });
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, cluster.kubeconfig('agents:eu'));
  const checkout = join(folder, 'checkout');
  const git = promisify(execFile);
  const states: { sha: string; text: string }[] = [];
  gitlab.on((event) => {
    if (event.type === 'status') states.push({ sha: event.sha, text: `${event.name} ${event.state}` });
  });
  const base: Readonly<Record<string, string>> = {
    PATH: path,
    HOME: folder,
    KUBECONFIG: kubeconfig,
    SLUICE_GITLAB_TOKEN: bot.token,
    CI_SERVER_URL: gitlab.url,
    CI_PROJECT_PATH: 'team/delivery',
    CI_COMMIT_BRANCH: 'main',
    CI_COMMIT_REF_NAME: 'main',
    CI_REGISTRY_IMAGE: `${host}/team/delivery`,
    CI_JOB_ID: '4242',
    CI_JOB_URL: `${gitlab.url}/team/delivery/-/jobs/4242`,
  };
  const all = stack.move();
  return {
    gitlab,
    cluster,
    registry,
    checkout,
    origin,
    secrets: [bot.token, cluster.adminToken],
    async deliver(tag, trailers, settings = app.settings) {
      const claim = trailers ?? [
        'Sluice-App: podinfo',
        'Sluice-Environment: staging',
        'Sluice-Source-Project: team/podinfo',
        `Sluice-Source-Commit: ${origin}`,
      ];
      const files = new Map([
        ['sluice.yaml', settings],
        ['apps/podinfo/staging/kustomization.yaml', app.kustomization(tag)],
        ['apps/podinfo/staging/deployment.yaml', app.deployment],
      ]);
      const message = `deploy(staging): podinfo ${tag}\n\n${claim.join('\n')}\n`;
      const sha = await gitlab.seed('team/delivery', files, message, { pipeline: false });
      await rm(checkout, { recursive: true, force: true, maxRetries: 5 });
      const url = new URL(`${gitlab.url}/team/delivery.git`);
      url.username = 'bot';
      url.password = bot.token;
      await git('git', ['clone', '--quiet', '--depth', '5', url.href, checkout], { env: { PATH: path, HOME: folder } });
      return sha;
    },
    async sluice(args, options = {}) {
      const child = spawn(process.execPath, [join(root, 'runner', 'main.ts'), ...args], {
        cwd: checkout,
        env: { ...base, ...options.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const [stdout, stderr]: [string[], string[]] = [[], []];
      child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk.toString()));
      options.during?.((signal) => child.kill(signal));
      const exit = await new Promise<number | null>((resolve, reject) => {
        child.on('error', reject);
        child.on('close', resolve);
      });
      const text = stdout.join('');
      return {
        exit,
        stdout: text,
        stderr: stderr.join(''),
        get record() {
          return JSON.parse(text) as Readonly<Record<string, unknown>>;
        },
      };
    },
    states: (sha) => states.filter((state) => state.sha === sha).map(({ text }) => text),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
