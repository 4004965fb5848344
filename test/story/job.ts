import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startCluster } from '../../sandbox/cluster/cluster.ts';
import type { SimulatedCluster } from '../../sandbox/cluster/handle.ts';
import type { GitLabServer } from '../../sandbox/gitlab/handle.ts';
import { startGitLab } from '../../sandbox/gitlab/server.ts';
import { gitlabMediaTypes } from '../../sandbox/registry/media-types.ts';
import { startRegistry, type RegistryServer } from '../../sandbox/registry/server.ts';
import { pullSecret } from '../../sandbox/seed.ts';
import { binaryPath } from '../../scripts/binaries.mjs';
import { results } from '../../runner/output/results.ts';
import { ensureBuilt, startCli, type Ended, type Running } from './cli.ts';
import { leaksBelow, leaksIn, watchArguments } from './leaks.ts';
import { storyPath } from './parts.ts';

const git = promisify(execFile);

/** The delivery project and the application project. */
export const delivery = 'shop/delivery';
export const application = 'shop/podinfo';

/** sluice.yaml of the stories; parts are replaced by what a story needs. */
export const settings = `version: 1
environments:
  staging: { clusters: [{ name: eu, context: "shop/agents:staging-eu" }] }
  production: { promote_from: staging, clusters: [{ name: prod, context: "shop/agents:staging-eu" }] }
apps:
  podinfo: { project: shop/podinfo }
`;

/** What a run may be given beside its arguments. */
export interface RunOptions {
  /** Variables that differ from the job's; '' removes one. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Programs that are not on the PATH. */
  readonly without?: readonly string[];
}

/** A run with what it left. */
export interface Ran extends Ended {
  /** The one JSON document of stdout, valid by the command's schema. */
  readonly document: Readonly<Record<string, unknown>> & { readonly fault?: Readonly<Record<string, string>> };
  /** Files of --report-dir by name. */
  readonly reports: Readonly<Record<string, string>>;
}

/** A run that is under way. */
export interface RunningJob extends Pick<Running, 'said' | 'kill' | 'closeStdout'> {
  readonly ended: Promise<Ran>;
  /** Path of the run's result.json. */
  readonly result: string;
}

/** GitLab, registry and cluster on loopback, both repositories, and a job's surroundings for the packaged CLI. */
export interface JobWorld extends AsyncDisposable {
  readonly gitlab: GitLabServer;
  readonly registry: RegistryServer;
  readonly cluster: SimulatedCluster;
  /** Host of the registry as images name it. */
  readonly host: string;
  readonly folder: string;
  readonly checkout: string;
  /** The application commit that delivery commits name. */
  readonly origin: string;
  /** Commits files to the delivery repository (nothing starts) and checks them out; answers the commit. */
  commit(files: Readonly<Record<string, string>>, message?: string): Promise<string>;
  /** Commits a version of podinfo for staging with its claim. */
  version(tag: string): Promise<string>;
  /** A token that the leak search knows. */
  token(
    scopes: readonly string[],
    fields?: { readonly expiresAt?: string; readonly accessLevel?: 10 | 20 | 30 | 40 },
  ): string;
  start(args: readonly string[], options?: RunOptions): RunningJob;
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Everything that a run could change: branches, tags, requests that write, statuses, files of the checkout. */
  snapshot(): Promise<unknown>;
  /** States of a commit's statuses in the order they were posted: `name state`. */
  states(sha: string): readonly string[];
  /** Resolves when the status is posted on the commit. */
  posted(sha: string, state: string): Promise<void>;
  /** Where secrets or files were left, over all runs so far. */
  leaks(): Promise<readonly string[]>;
  /** Every key that was written to a dotenv report. */
  readonly dotenvKeys: ReadonlySet<string>;
}

/** Manifests of podinfo in one environment. */
export function manifests(host: string, tag: string, environment = 'staging'): Record<string, string> {
  return {
    [`apps/podinfo/${environment}/kustomization.yaml`]: `resources: [deployment.yaml]\nnamespace: podinfo\nimages:\n  - { name: podinfo, newName: "${host}/shop/podinfo", newTag: "${tag}" }\n`,
    [`apps/podinfo/${environment}/deployment.yaml`]: `apiVersion: apps/v1
kind: Deployment
metadata: { name: podinfo-${environment} }
spec:
  progressDeadlineSeconds: 60
  selector: { matchLabels: { app: podinfo } }
  template:
    metadata: { labels: { app: podinfo } }
    spec: { containers: [{ name: podinfo, image: podinfo }] }
`,
  };
}

/** The claim of a delivery commit. */
export function claim(origin: string, tag: string, pipeline?: number): string {
  return [
    `deploy(staging): podinfo ${tag}`,
    '',
    'Sluice-App: podinfo',
    'Sluice-Environment: staging',
    `Sluice-Source-Project: ${application}`,
    `Sluice-Source-Commit: ${origin}`,
    ...(pipeline === undefined ? [] : [`Sluice-Source-Pipeline: ${pipeline}`]),
    '',
  ].join('\n');
}

function fluxObjects(host: string): string {
  return ['staging', 'production']
    .map(
      (environment) => `apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: { name: podinfo-${environment}, namespace: flux-system }
spec:
  url: "oci://${host}/${delivery}/podinfo"
  ref: { tag: ${environment} }
  interval: 10m
  insecure: true
  secretRef: { name: delivery-registry }
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: podinfo-${environment}, namespace: flux-system }
spec:
  sourceRef: { kind: OCIRepository, name: podinfo-${environment} }
  path: ./apps/podinfo/${environment}
  interval: 10m
  timeout: 1m
  prune: true
  wait: true
`,
    )
    .join('---\n');
}

/** Builds the world; disposal stops everything and removes the folder. */
export async function jobWorld(): Promise<JobWorld> {
  await ensureBuilt();
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-story-job-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const path = storyPath();
  const gitlab = await startGitLab({ folder: join(folder, 'gitlab'), env: { PATH: path } });
  stack.defer(() => gitlab.stop());
  const { realm, service, verify } = gitlab.registryAuth;
  const registry = await startRegistry({
    auth: { realm: realm.replace('127.0.0.1', 'localhost'), service, verify: (token) => verify(token)?.access ?? null },
    allowedMediaTypes: gitlabMediaTypes,
  });
  stack.defer(() => registry.stop());
  const host = registry.host.replace('127.0.0.1', 'localhost');
  const cluster = await startCluster({
    kustomize: binaryPath('kustomize'),
    env: { PATH: path },
    folder,
    timeScale: 0.05,
  });
  stack.defer(() => cluster.stop());
  const projects = [delivery, application].map((name) => gitlab.createProject(name));
  const pull = gitlab.createDeployToken(delivery, { name: 'flux', scopes: ['read_registry'] });
  const push = gitlab.createDeployToken(delivery, { name: 'publish', scopes: ['read_registry', 'write_registry'] });
  const bot = gitlab.createToken('shop', { name: 'sluice', scopes: ['api', 'write_repository'], accessLevel: 40 });
  for (const name of ['flux-system', 'podinfo'])
    cluster.apply(`apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`);
  cluster.apply(pullSecret(host, pull));
  cluster.apply(fluxObjects(host));
  const clusterToken = randomBytes(24).toString('hex');
  cluster.addToken(clusterToken, 'gitlab:ci_job:4242', ['system:masters']);
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, cluster.kubeconfig('shop/agents:staging-eu', clusterToken));
  const origin = await gitlab.seed(application, new Map([['main.go', 'x\n']]), 'Release', { pipeline: false });
  const secrets: string[] = [bot.token, push.token, pull.token, clusterToken];
  const statuses: { sha: string; name: string; state: string }[] = [];
  gitlab.on((event) => {
    if (event.type === 'status') statuses.push(event);
  });
  const argumentsOfAll = watchArguments();
  stack.defer(async () => argumentsOfAll.stop());
  const checkout = join(folder, 'checkout');
  const outputs: { place: string; text: string }[] = [];
  const dotenvKeys = new Set<string>();
  let count = 0;
  let head = '';
  let lastTag = '';

  const job = (): Record<string, string> => ({
    PATH: path,
    CI: 'true',
    CI_SERVER_URL: gitlab.url,
    CI_SERVER_HOST: '127.0.0.1',
    CI_API_V4_URL: `${gitlab.url}/api/v4`,
    CI_PROJECT_PATH: delivery,
    CI_PROJECT_ID: String(projects[0]!.id),
    CI_COMMIT_SHA: head,
    CI_COMMIT_BRANCH: 'main',
    CI_COMMIT_REF_NAME: 'main',
    CI_COMMIT_REF_PROTECTED: 'true',
    CI_DEFAULT_BRANCH: 'main',
    CI_REGISTRY: host,
    CI_REGISTRY_IMAGE: `${host}/${delivery}`,
    CI_REGISTRY_USER: push.username,
    CI_REGISTRY_PASSWORD: push.token,
    CI_JOB_ID: '4242',
    CI_JOB_URL: `${gitlab.url}/${delivery}/-/jobs/4242`,
    KUBECONFIG: kubeconfig,
    SLUICE_GITLAB_TOKEN: bot.token,
  });

  async function checkOut(): Promise<void> {
    await rm(checkout, { recursive: true, force: true });
    const bare = join(folder, 'gitlab', 'repositories', `${projects[0]!.id}.git`);
    await git('git', ['clone', '--quiet', '--no-hardlinks', bare, checkout]);
    await git('git', ['remote', 'set-url', 'origin', `${gitlab.url}/${delivery}.git`], { cwd: checkout });
  }

  async function commit(files: Readonly<Record<string, string>>, message = 'Change\n'): Promise<string> {
    head = await gitlab.seed(delivery, new Map(Object.entries(files)), message, { pipeline: false });
    await checkOut();
    return head;
  }

  function start(args: readonly string[], options: RunOptions = {}): RunningJob {
    const number = (count += 1);
    const own = join(folder, 'runs', String(number));
    const reportsAt = join(own, 'reports');
    const ready = prepare();
    let running: Running | undefined;
    const begun = ready.then((surroundings) => {
      running = startCli([...args, '--format', 'json', '--report-dir', reportsAt], surroundings);
      return running;
    });
    async function prepare() {
      await mkdir(join(own, 'tmp'), { recursive: true });
      await mkdir(join(own, 'home'), { recursive: true });
      const place = options.without ? await pathWithout(options.without, join(own, 'bin')) : path;
      const all = { ...job(), TMPDIR: join(own, 'tmp'), HOME: join(own, 'home'), PATH: place, ...options.env };
      const env = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
      return { env, cwd: options.cwd ?? checkout };
    }
    async function end(): Promise<Ran> {
      const ended = await (await begun).ended;
      const place = `${number} (${args.join(' ')})`;
      outputs.push({ place: `stdout of ${place}`, text: ended.stdout });
      outputs.push({ place: `stderr of ${place}`, text: ended.stderr });
      const names = await readdir(reportsAt).catch(() => []);
      const reports = Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await readFile(join(reportsAt, name), 'utf8')] as const)),
      );
      for (const line of (reports['sluice.env'] ?? '').split('\n')) {
        const key = line.split('=')[0]!;
        if (key !== '') dotenvKeys.add(key);
      }
      return {
        ...ended,
        reports,
        get document() {
          const parsed: unknown = JSON.parse(ended.stdout);
          return results[args[0]!]!.parse(parsed) as Ran['document'];
        },
      };
    }
    return {
      result: join(reportsAt, 'result.json'),
      ended: end(),
      said: async (text) => (await begun).said(text),
      kill: (signal) => running?.kill(signal),
      closeStdout: () => running?.closeStdout(),
    };
  }

  const all = stack.move();
  return {
    gitlab,
    registry,
    cluster,
    host,
    folder,
    checkout,
    origin,
    commit,
    version(tag) {
      lastTag = tag;
      return commit({ 'sluice.yaml': settings, ...manifests(host, lastTag) }, claim(origin, tag));
    },
    token(scopes, fields = {}) {
      const { token } = gitlab.createToken(delivery, { name: 'other', scopes, accessLevel: 40, ...fields });
      secrets.push(token);
      return token;
    },
    start,
    run: (args, options) => start(args, options).ended,
    async snapshot() {
      const refs = await Promise.all(
        projects.map(({ id }) =>
          git('git', ['for-each-ref'], { cwd: join(folder, 'gitlab', 'repositories', `${id}.git`) }),
        ),
      );
      return {
        refs: refs.map(({ stdout }) => stdout),
        pushes: registry.pushes.length,
        tags: registry.repositories().map((name) => [name, ...registry.tags(name)]),
        statuses: statuses.length,
        changes: cluster.requests().filter(({ method }) => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method)).length,
        files: await fingerprint(checkout),
      };
    },
    states: (sha) => statuses.filter((status) => status.sha === sha).map(({ name, state }) => `${name} ${state}`),
    posted: (sha, state) =>
      new Promise((resolve) => {
        if (statuses.some((status) => status.sha === sha && status.state === state)) {
          resolve();
          return;
        }
        const off = gitlab.on((event) => {
          if (event.type !== 'status' || event.sha !== sha || event.state !== state) return;
          off();
          resolve();
        });
      }),
    async leaks() {
      const left = await readdir(join(folder, 'runs'), { recursive: true, withFileTypes: true });
      return [
        ...outputs.flatMap(({ place, text }) => leaksIn(place, text, secrets)),
        ...[...argumentsOfAll.seen].flatMap((text) =>
          leaksIn(`arguments of ${text.split('\0').slice(0, 2).join(' ')}`, text, secrets),
        ),
        ...(await leaksBelow(join(folder, 'runs'), secrets, () => false)),
        ...(await leaksBelow(checkout, secrets, () => false)),
        ...left
          .filter((entry) => /\/(tmp|home)$/.test(entry.parentPath))
          .map((entry) => `left: ${join(entry.parentPath, entry.name).slice(folder.length)}`),
      ];
    },
    dotenvKeys,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** A PATH with everything of the stories' PATH but some programs. */
async function pathWithout(names: readonly string[], bin: string): Promise<string> {
  await mkdir(bin, { recursive: true });
  for (const name of ['git', 'oras', 'kustomize', 'sh', 'env'].filter((each) => !names.includes(each))) {
    const found = ['oras', 'kustomize'].includes(name) ? dirname(binaryPath(name)) : '/usr/bin';
    await symlink(join(found, name), join(bin, name)).catch(() => {});
  }
  return [bin].join(delimiter);
}

async function fingerprint(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash('sha256');
  for (const file of files.toSorted()) hash.update(`${file}\0`).update(await readFile(file));
  return hash.digest('hex');
}
