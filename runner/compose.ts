import { tmpdir } from 'node:os';
import { Fault } from '../src/fault.ts';
import { leakForms, type Secret } from '../src/secret.ts';
import type { Clock } from '../src/systems/clock.ts';
import { endOf } from '../src/systems/deadline.ts';
import { localFiles } from '../src/systems/files-local.ts';
import { fetchHttp } from '../src/systems/http-fetch.ts';
import { useNetwork } from '../src/systems/network.ts';
import { runProcesses } from '../src/systems/process-run.ts';
import type { Context, JobInfo, Reporter, Values } from './context.ts';
import type { Credentials } from './settings/credentials.ts';
import { readJob } from './settings/job.ts';

/** What main hands in. */
export interface ComposeInput {
  readonly values: Values;
  /** Address of GitLab where the command line gave one. */
  readonly gitlab: string | undefined;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
  readonly folder: string;
}

const OUTSIDE_JOB_MS = 600_000;
const RESERVE_MS = 90_000;
const SHORT_JOB_MS = 30_000;
/** Shorter values are words that a change may well hold. */
const LONG_CREDENTIAL = 16;

/** The only place that builds systems; each is loaded and connected on first use. */
export function composeContext(input: ComposeInput): Context {
  const { values, reporter, clock, env, credentials, signal, folder } = input;
  useNetwork(env);
  if (input.gitlab !== undefined && !/^https?:\/\/[^\s/@]+/.test(input.gitlab)) {
    throw new Fault('usage', `--gitlab ${JSON.stringify(input.gitlab)} is no address`, {
      hint: 'Write e.g. https://gitlab.example.com.',
    });
  }
  const job = readJob(env, input.gitlab);
  const files = localFiles(folder, tmpdir());
  const processes = runProcesses(env);
  const http = fetchHttp();

  function token(...names: readonly string[]): Secret {
    for (const name of names) {
      const found = credentials.of(name);
      if (found) return found;
    }
    throw new Fault('token_missing', `${names.join(' or ')} is not set`, {
      hint: `Set the CI/CD variable ${names[0]} to a project access token with the scope api (masked, protected).`,
    });
  }

  const gitlabWith = async (secret: Secret, tokenKind: 'private' | 'job') => {
    const url = job.serverUrl;
    if (url === undefined)
      throw new Fault('usage', 'the address of GitLab is not known', {
        hint: 'Run in a GitLab job, or give --gitlab URL.',
      });
    const { connectGitLab } = await import('../src/systems/gitlab-rest.ts');
    return connectGitLab({ url, token: secret, tokenKind, clock });
  };
  const gitlab = once(() => gitlabWith(token('SLUICE_GITLAB_TOKEN'), 'private'));

  const registries = once(async () => {
    const { registryCredentials } = await import('../src/systems/registry-credentials.ts');
    const found = await registryCredentials({
      variable: (name) => env[name] || undefined,
      secret: (name) => credentials.of(name),
      readFile: async (path) => {
        const content = await files.read(path);
        return content === null ? null : Buffer.from(content).toString();
      },
      helper: async (name, host) => {
        try {
          const run = await processes.run(`docker-credential-${name}`, ['get'], { input: host, timeoutMs: 20_000 });
          return run.text;
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof Fault) reporter.warn(`no credential of ${host}: ${error.message}`);
          return null;
        }
      },
      registry: values.given('registry') ? values.string('registry') : env['CI_REGISTRY_IMAGE'] || undefined,
    });
    for (const credential of found) credentials.learn(credential.password.reveal());
    return found;
  });

  const context: Context = {
    values,
    job,
    reporter,
    clock,
    files,
    processes,
    http,
    signal,
    deadline: deadlineOf(values, job, clock.now()),
    late: (graceMs, why) => endOf({ clock, deadline: context.deadline, graceMs }, why),
    config: once(async () => {
      const path = values.string('config') ?? 'sluice.yaml';
      const content = await files.read(path);
      if (content === null) throw new Fault('config_missing', `${path} does not exist in ${folder}`);
      const { parseConfig } = await import('../src/config/parse.ts');
      return parseConfig(Buffer.from(content).toString(), path);
    }),
    secret: (variable) => credentials.of(variable),
    holdsCredential: (text) =>
      [...credentials.known].some(
        (value) => value.length >= LONG_CREDENTIAL && leakForms(value).some((form) => text.includes(form)),
      ),
    variable: (name) => env[name] || undefined,
    gitlab,
    gitlabFor: (app) => {
      const own = credentials.of(`SLUICE_GITLAB_TOKEN_${app.toUpperCase().replaceAll('-', '_')}`);
      return own ? gitlabWith(own, 'private') : gitlab();
    },
    gitlabJob: async () => {
      const own = credentials.of('CI_JOB_TOKEN');
      return own ? gitlabWith(own, 'job') : null;
    },
    repository: async (at) => {
      const { openRepository } = await import('../src/systems/git-local.ts');
      return openRepository({ folder: at, processes });
    },
    deliveryGit: once(async () => {
      const { connectDeliveryGit } = await import('../src/systems/git-delivery.ts');
      return connectDeliveryGit({
        processes,
        files,
        clock,
        allowFile: true,
        token: credentials.of('SLUICE_GIT_TOKEN') ?? credentials.of('SLUICE_GITLAB_TOKEN') ?? null,
        author: { name: env['SLUICE_GIT_AUTHOR_NAME'], email: env['SLUICE_GIT_AUTHOR_EMAIL'] },
        signingKey: credentials.of('SLUICE_COMMIT_SIGNING_KEY'),
        deadline: context.deadline,
        http,
        notice: (text) => reporter.info(text),
      });
    }),
    registry: once(async () => {
      const { connectRegistry } = await import('../src/systems/registry-http.ts');
      return connectRegistry({ http, processes, files, clock, credentials: await registries() });
    }),
    signer: once(async () => {
      const key = credentials.of('SLUICE_COSIGN_KEY');
      if (!key) {
        throw new Fault('token_missing', 'SLUICE_COSIGN_KEY is not set', {
          hint: 'Set it to a private key of `cosign generate-key-pair` (a protected file variable), and COSIGN_PASSWORD to its password.',
        });
      }
      const { connectCosign } = await import('../src/systems/cosign.ts');
      const password = credentials.of('COSIGN_PASSWORD');
      return connectCosign({ processes, files, key, password, credentials: await registries() });
    }),
    kustomize: once(async () => {
      const { connectKustomize } = await import('../src/systems/kustomize-cli.ts');
      return connectKustomize({ processes });
    }),
    cluster: async (name, contextName) => {
      const { connectCluster } = await import('../src/systems/cluster-kubernetes.ts');
      return connectCluster({
        name,
        context: contextName,
        kubeconfig: await kubeconfigs(),
        proxyFor: (server) => proxyOf(server, env),
      });
    },
    inspect: {
      async gitlab(url, secret, tokenKind) {
        const { inspectGitLab } = await import('../src/systems/gitlab-inspect.ts');
        return inspectGitLab({ url, token: secret, tokenKind, clock, signal });
      },
      async registry() {
        const { inspectRegistry } = await import('../src/systems/registry-inspect.ts');
        return inspectRegistry({ http, credentials: await registries() });
      },
      async contexts() {
        const { contextsOf } = await import('../src/systems/cluster-kubernetes.ts');
        return contextsOf(await kubeconfigs());
      },
      conceal: (value) => credentials.learn(value),
    },
  };
  return context;

  async function kubeconfigs(): Promise<readonly string[]> {
    const paths = (env['KUBECONFIG'] ?? (env['HOME'] ? `${env['HOME']}/.kube/config` : ''))
      .split(':')
      .filter((path) => path !== '');
    const contents = await Promise.all(paths.map((path) => files.read(path)));
    const texts = contents.flatMap((content) => (content === null ? [] : [Buffer.from(content).toString()]));
    if (texts.length === 0) {
      throw new Fault(
        'context_missing',
        env['KUBECONFIG'] ? `KUBECONFIG names no file that exists` : 'KUBECONFIG is not set',
        {
          hint: 'In a GitLab job it is set when an agent is shared with this project (ci_access) for this environment and branch.',
        },
      );
    }
    for (const text of texts)
      for (const [, value] of text.matchAll(/\b(?:token|password|client-key-data)"?:\s*"?([^\s",}]+)/g))
        credentials.learn(value!);
    return texts;
  }
}

/** Proxy for an address by HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as curl and git read them. */
function proxyOf(address: string, env: ComposeInput['env']): string | undefined {
  const { protocol, hostname } = new URL(address);
  const excluded = (env['NO_PROXY'] ?? env['no_proxy'] ?? '')
    .split(',')
    .map((entry) => entry.trim().replace(/^\*?\./, ''))
    .filter((entry) => entry !== '');
  if (excluded.some((entry) => entry === '*' || hostname === entry || hostname.endsWith(`.${entry}`))) return undefined;
  return (protocol === 'https:' ? (env['HTTPS_PROXY'] ?? env['https_proxy']) : env['http_proxy']) || undefined;
}

/** `--timeout`, else what is left of the job's time less a reserve for the final statuses (short jobs get half of theirs, at most SHORT_JOB_MS), else ten minutes. */
function deadlineOf(values: Values, job: JobInfo, now: number): number {
  const timeout = values.duration('timeout');
  if (timeout !== undefined) return now + timeout;
  if (job.deadline === undefined) return now + OUTSIDE_JOB_MS;
  const left = Math.max(0, job.deadline - now);
  return now + Math.max(left - RESERVE_MS, Math.min(left / 2, SHORT_JOB_MS));
}

/** Runs an async function at its first call and gives every later caller the same promise. */
function once<T>(build: () => Promise<T>): () => Promise<T> {
  let promise: Promise<T> | undefined;
  return () => (promise ??= build());
}
