import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import type { CommandResult } from '../../runner/command.ts';
import { doctorCommand } from '../../runner/commands/doctor.ts';
import { publishCommand } from '../../runner/commands/publish.ts';
import { startCluster } from '../../sandbox/cluster/cluster.ts';
import type { SimulatedCluster } from '../../sandbox/cluster/handle.ts';
import type { GitLabServer, TokenHandle } from '../../sandbox/gitlab/handle.ts';
import { startGitLab } from '../../sandbox/gitlab/server.ts';
import { gitlabRegistry } from '../../sandbox/registry/gitlab-auth.ts';
import { startRegistry, type RegistryServer } from '../../sandbox/registry/server.ts';
import { pullSecret } from '../../sandbox/seed.ts';
import { binaryPath } from '../../scripts/binaries.mjs';
import type { Finding } from '../../src/operations/doctor/finding.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { runCommand } from '../doubles/run-command.ts';
import { readyOf } from './doctor-changes.ts';

const git = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const project = 'shop/delivery';
const context = 'shop/agents:staging-eu';

export const settings = `version: 1
environments:
  staging: { clusters: [{ name: staging-eu, agent: "${context}" }] }
apps:
  podinfo: { project: shop/podinfo }
`;

/** The delivery repository. */
const delivered = {
  'sluice.yaml': settings,
  'apps/podinfo/staging/kustomization.yaml': 'resources: [deployment.yaml]\nnamespace: podinfo\n',
  'apps/podinfo/staging/deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: podinfo }
spec:
  selector: { matchLabels: { app: podinfo } }
  template:
    metadata: { labels: { app: podinfo } }
    spec: { containers: [{ name: podinfo, image: "registry.example.com/shop/podinfo:1.0.0" }] }
`,
};

/** The one fault that a test wants. */
export interface Wanted {
  readonly id: string;
  readonly exit: number;
  readonly message: RegExp;
  readonly repair: RegExp;
}

/** Exactly one fault, this one, with its one repair, also in the text. */
export function expectOpen(looked: Looked, { id, exit, message, repair }: Wanted): void {
  const faults = looked.findings.filter(({ state }) => state === 'fault');
  expect(faults.map((one) => one.id)).toEqual([id]);
  expect(faults[0]?.message).toMatch(message);
  expect(faults[0]?.repair).toMatch(repair);
  expect(looked).toMatchObject({ exit, outcome: 'fault' });
  expect(looked.text).toContain(faults[0]?.repair);
}

/** Runs doctor in a world: as `expectOpen`, and nobody is told a secret of the world or the token that was given. */
export function foundIn(world: () => DoctorWorld) {
  return async (args: readonly string[], wanted: Wanted, env: Readonly<Record<string, string>> = {}): Promise<void> => {
    const looked = await world().doctor(args, env);
    expectOpen(looked, wanted);
    for (const secret of [...world().secrets, env['SLUICE_GITLAB_TOKEN'] ?? ''])
      if (secret !== '') expect(JSON.stringify(looked)).not.toContain(secret);
  };
}

/** What a run of doctor found. */
export interface Looked {
  readonly exit: number;
  readonly text: string;
  readonly outcome: string;
  readonly findings: readonly Finding[];
  /** Findings that are not ok. */
  readonly open: readonly Finding[];
}

/** A world in which every part of the chain is as it should be, until a test breaks it. */
export interface DoctorWorld extends AsyncDisposable {
  readonly gitlab: GitLabServer;
  readonly registry: RegistryServer;
  readonly cluster: SimulatedCluster;
  readonly host: string;
  readonly folder: string;
  readonly checkout: string;
  readonly bot: TokenHandle;
  readonly pull: TokenHandle;
  /** Token of the job's identity in the cluster. */
  readonly clusterToken: string;
  /** Every credential there is. */
  readonly secrets: readonly string[];
  /** Writes sluice.yaml of the checkout. */
  configure(text: string): Promise<void>;
  /** Takes back `configure`, and that the cluster is offline. */
  restore(): Promise<void>;
  /** Posts a status on the delivery commit, as Flux's Provider does. */
  post(name: string): Promise<void>;
  /** Variables with which doctor comes with an administrator's kubeconfig. */
  asAdministrator(): Promise<Readonly<Record<string, string>>>;
  /** As `doctor`, with the record itself. */
  doctorRecord(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CommandResult>;
  /** As `doctor`, in another folder (made where it is missing). */
  doctorIn(folder: string, args?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Looked>;
  /** Runs doctor as in a job of the delivery project; '' takes a variable away. */
  doctor(args?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Looked>;
}

/** Flux's controllers as `flux install` leaves them. */
const controllers = ['source', 'kustomize', 'helm', 'notification']
  .map(
    (name) => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}-controller
  namespace: flux-system
  labels: { app.kubernetes.io/part-of: flux, app.kubernetes.io/version: v2.9.4 }
spec:
  selector: { matchLabels: { app: ${name}-controller } }
  template:
    metadata: { labels: { app: ${name}-controller } }
    spec: { containers: [{ name: manager, image: "ghcr.io/fluxcd/${name}-controller:v1.9.4" }] }
`,
  )
  .join('---\n');

/** Source and Kustomization of podinfo in staging. */
export function fluxObjects(host: string): string {
  return `apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: { name: podinfo, namespace: flux-system }
spec:
  url: "oci://${host}/${project}/podinfo"
  ref: { tag: staging }
  interval: 10m
  secretRef: { name: delivery-registry }
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
`;
}

/** Builds the world; podinfo stands in staging. */
export async function doctorWorld(): Promise<DoctorWorld> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-doctor-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const path = [...['oras', 'kustomize'].map((tool) => dirname(binaryPath(tool))), process.env['PATH']].join(delimiter);
  const gitlab = await startGitLab({ folder: join(folder, 'gitlab'), env: { PATH: path } });
  stack.defer(() => gitlab.stop());
  const registry = await startRegistry(gitlabRegistry(gitlab.registryAuth));
  stack.defer(() => registry.stop());
  const host = registry.host.replace('127.0.0.1', 'localhost');
  gitlab.useRegistry({ host });
  const cluster = await startCluster({
    kustomize: binaryPath('kustomize'),
    env: { PATH: path },
    folder,
    timeScale: 0.05,
  });
  stack.defer(() => cluster.stop());

  const { id } = gitlab.createProject(project);
  for (const name of ['shop/podinfo', 'shop/agents']) gitlab.createProject(name);
  const bot = gitlab.createToken('shop', { name: 'sluice', scopes: ['api'], accessLevel: 40, expiresAt: inDays(200) });
  const push = gitlab.createDeployToken(project, { name: 'job', scopes: ['read_registry', 'write_registry'] });
  const pull = gitlab.createDeployToken(project, { name: 'flux', scopes: ['read_registry'] });
  const share = await readFile(join(root, 'examples/agent-config/.gitlab/agents/staging-eu/config.yaml'), 'utf8');
  await gitlab.seed('shop/agents', new Map([['.gitlab/agents/staging-eu/config.yaml', share]]), 'Share', {
    pipeline: false,
  });
  await gitlab.seed('shop/podinfo', new Map([['README.md', 'podinfo\n']]), 'Start', { pipeline: false });
  await gitlab.seed(project, new Map(Object.entries(delivered)), 'Start', { pipeline: false });
  gitlab.registerAgent({ configProject: 'shop/agents', name: 'staging-eu', cluster: { url: cluster.url } });

  const clusterToken = randomBytes(24).toString('hex');
  cluster.addToken(clusterToken, 'gitlab:ci_job:42', ['gitlab:ci_job', 'system:authenticated']);
  for (const name of ['flux-system', 'podinfo'])
    cluster.apply(`apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`);
  cluster.apply(await readFile(join(root, 'examples/agent-config/rbac/sluice.yaml'), 'utf8'));
  const bindings = await readFile(join(root, 'examples/agent-config/rbac/bindings-ci-job.yaml'), 'utf8');
  cluster.apply(bindings.replaceAll('gitlab:project_env:42:staging', 'gitlab:ci_job'));
  cluster.apply(pullSecret(host, pull));
  cluster.apply(controllers);
  cluster.apply(fluxObjects(host));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, cluster.kubeconfig(context, clusterToken));

  const checkout = join(folder, 'checkout');
  await git('git', ['clone', '--quiet', join(folder, 'gitlab', 'repositories', `${id}.git`), checkout]);
  await git('git', ['remote', 'set-url', 'origin', `${gitlab.url}/${project}.git`], { cwd: checkout });

  const job = (): Record<string, string> => ({
    PATH: path,
    CI: 'true',
    CI_SERVER_URL: gitlab.url,
    CI_PROJECT_PATH: project,
    CI_COMMIT_BRANCH: 'main',
    CI_COMMIT_REF_PROTECTED: 'true',
    CI_DEFAULT_BRANCH: 'main',
    CI_ENVIRONMENT_NAME: 'staging',
    CI_REGISTRY: host,
    CI_REGISTRY_IMAGE: `${host}/${project}`,
    CI_REGISTRY_USER: push.username,
    CI_REGISTRY_PASSWORD: push.token,
    CI_JOB_ID: '42',
    KUBECONFIG: kubeconfig,
    SLUICE_GITLAB_TOKEN: bot.token,
  });
  const run = (at: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) => {
    const given = Object.fromEntries(Object.entries({ ...job(), ...env }).filter(([, value]) => value !== ''));
    return runCommand(doctorCommand, args, { env: given, folder: at, clock: systemClock() });
  };
  const lookIn = async (
    at: string,
    args?: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<Looked> => {
    const ran = await run(at, args, env);
    const findings = ran.record['findings'] as readonly Finding[];
    const { outcome } = ran.record;
    return { exit: ran.exit, text: ran.text, outcome, findings, open: findings.filter(({ state }) => state !== 'ok') };
  };
  const configure = (text: string) => writeFile(join(checkout, 'sluice.yaml'), text);

  const published = await runCommand(publishCommand, ['--environment', 'staging'], {
    env: job(),
    folder: checkout,
    clock: systemClock(),
  });
  if (published.exit !== 0) throw new Error(published.text);
  // By itself source-controller would look again after as long as it has waited so far.
  cluster.patch('OCIRepository', 'flux-system', 'podinfo', {
    metadata: { annotations: { 'reconcile.fluxcd.io/requestedAt': 'published' } },
  });
  await cluster.until('Kustomization', (found) => found.some((one) => readyOf(one) === 'True'), 120_000);

  const all = stack.move();
  return {
    gitlab,
    registry,
    cluster,
    host,
    folder,
    checkout,
    bot,
    pull,
    clusterToken,
    secrets: [bot.token, push.token, pull.token, clusterToken, cluster.adminToken],
    async post(name) {
      const { stdout } = await git('git', ['rev-parse', 'HEAD'], { cwd: checkout });
      const answer = await fetch(`${gitlab.url}/api/v4/projects/${id}/statuses/${stdout.trim()}`, {
        method: 'POST',
        headers: { 'private-token': bot.token, 'content-type': 'application/json' },
        body: JSON.stringify({ state: 'success', name }),
      });
      if (!answer.ok) throw new Error(await answer.text());
    },
    async asAdministrator() {
      const admin = join(folder, 'kubeconfig-admin');
      await writeFile(admin, cluster.kubeconfig(context, cluster.adminToken));
      return { KUBECONFIG: admin };
    },
    configure,
    restore() {
      cluster.scripts.offline(false);
      return configure(settings);
    },
    doctor: (args, env) => lookIn(checkout, args, env),
    doctorRecord: (args, env) => run(checkout, args, env),
    async doctorIn(at, args, env) {
      await mkdir(at, { recursive: true });
      return lookIn(at, args, env);
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** `YYYY-MM-DD`, so many days from now. */
export function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}
