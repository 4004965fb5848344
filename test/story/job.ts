import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startCluster } from '../../sandbox/cluster/cluster.ts';
import type { SimulatedCluster } from '../../sandbox/cluster/handle.ts';
import type { GitLabServer } from '../../sandbox/gitlab/handle.ts';
import { startGitLab } from '../../sandbox/gitlab/server.ts';
import { gitlabRegistry } from '../../sandbox/registry/gitlab-auth.ts';
import { startRegistry, type RegistryServer } from '../../sandbox/registry/server.ts';
import { pullSecret } from '../../sandbox/seed.ts';
import { binaryPath } from '../../scripts/binaries.mjs';
import { ensureBuilt } from './cli.ts';
import { application, claim, delivery, fluxObjects, manifests, settings } from './job-files.ts';
import { jobRuns, type Ran, type RunningJob, type RunOptions } from './job-runs.ts';
import { leaksBelow, leaksIn, watchArguments } from './leaks.ts';
import { storyPath } from './parts.ts';

const git = promisify(execFile);

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
  /** Commits of the delivery branch, newest first: id and subject. */
  log(): Promise<readonly string[]>;
  /** Everything that a run could change: branches, tags, requests that write, statuses, files of the checkout. */
  snapshot(): Promise<unknown>;
  /** States of a commit's statuses in the order they were posted: `name state`. */
  states(sha: string): readonly string[];
  /** Resolves when the status is posted on the commit, after as many others as `states` had then (default: none). */
  posted(sha: string, state: string, after?: number): Promise<void>;
  /** Where secrets or files were left, over all runs so far. */
  leaks(): Promise<readonly string[]>;
  /** Every key that was written to a dotenv report. */
  readonly dotenvKeys: ReadonlySet<string>;
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
  const registry = await startRegistry(gitlabRegistry(gitlab.registryAuth));
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
  let head = '';

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

  const runs = jobRuns(join(folder, 'runs'), () => ({ env: job(), cwd: checkout }));

  async function checkOut(): Promise<void> {
    await rm(checkout, { recursive: true, force: true, maxRetries: 5 });
    const bare = join(folder, 'gitlab', 'repositories', `${projects[0]!.id}.git`);
    await git('git', ['clone', '--quiet', '--no-hardlinks', bare, checkout]);
    await git('git', ['remote', 'set-url', 'origin', `${gitlab.url}/${delivery}.git`], { cwd: checkout });
  }

  async function commit(files: Readonly<Record<string, string>>, message = 'Change\n'): Promise<string> {
    head = await gitlab.seed(delivery, new Map(Object.entries(files)), message, { pipeline: false });
    await checkOut();
    return head;
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
      return commit({ 'sluice.yaml': settings, ...manifests(host, tag) }, claim(origin, tag));
    },
    token(scopes, fields = {}) {
      const { token } = gitlab.createToken(delivery, { name: 'other', scopes, accessLevel: 40, ...fields });
      secrets.push(token);
      return token;
    },
    start: runs.start,
    run: (args, options) => runs.start(args, options).ended,
    async log() {
      const bare = join(folder, 'gitlab', 'repositories', `${projects[0]!.id}.git`);
      return (await git('git', ['log', '--format=%H %s', 'main'], { cwd: bare })).stdout.trim().split('\n');
    },
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
    posted: (sha, state, after = 0) =>
      new Promise((resolve) => {
        const own = statuses.filter((status) => status.sha === sha);
        if (own.slice(after).some((status) => status.state === state)) {
          resolve();
          return;
        }
        const off = gitlab.on((event) => {
          if (event.type !== 'status' || event.sha !== sha || event.state !== state) return;
          off();
          resolve();
        });
      }),
    leaks: async () => [
      ...(await runs.leaks(secrets)),
      ...[...argumentsOfAll.seen].flatMap((text) =>
        leaksIn(`arguments of ${text.split('\0').slice(0, 2).join(' ')}`, text, secrets),
      ),
      ...(await leaksBelow(checkout, secrets, () => false)),
    ],
    dotenvKeys: runs.dotenvKeys,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function fingerprint(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash('sha256');
  for (const file of files.toSorted()) hash.update(`${file}\0`).update(await readFile(file));
  return hash.digest('hex');
}
