import { readFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { parseConfig } from '../src/config/parse.ts';
import { Fault } from '../src/fault.ts';
import type { Secret } from '../src/secret.ts';
import type { Clock } from '../src/systems/clock.ts';
import { localFiles } from '../src/systems/files-local.ts';
import { fetchHttp } from '../src/systems/http-fetch.ts';
import { runProcesses } from '../src/systems/process-run.ts';
import type { Context, JobInfo, Reporter, Values } from './context.ts';
import type { Credentials } from './settings/credentials.ts';
import { readJob } from './settings/job.ts';

/** What main hands in. */
export interface ComposeInput {
  readonly values: Values;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
  readonly folder: string;
}

const OUTSIDE_JOB_MS = 600_000;
const RESERVE_MS = 90_000;

/** The only place that builds systems; each is loaded and connected on first use. */
export function composeContext(input: ComposeInput): { readonly context: Context; dispose(): Promise<void> } {
  const { values, reporter, clock, env, credentials, signal, folder } = input;
  const job = readJob(env);
  const files = localFiles(folder, tmpdir());
  const processes = runProcesses(env);
  const http = fetchHttp();
  const disposals = new AsyncDisposableStack();

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
    const url = values.given('gitlab-url') ? values.string('gitlab-url') : job.serverUrl;
    if (url === undefined) throw new Fault('usage', 'the address of GitLab is not known', { hint: 'Run in a GitLab job, or set CI_SERVER_URL.' });
    const { connectGitLab } = await import('../src/systems/gitlab-rest.ts');
    return connectGitLab({ url, token: secret, tokenKind, clock });
  };
  const gitlab = once(() => gitlabWith(token('SLUICE_GITLAB_TOKEN'), 'private'));

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
    config: once(async () => {
      const path = values.string('config') ?? 'sluice.yaml';
      const content = await files.read(path);
      if (content === null) throw new Fault('config_missing', `${path} does not exist in ${folder}`);
      return parseConfig(Buffer.from(content).toString(), path);
    }),
    secret: (variable) => credentials.of(variable),
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
      const { connectDeliveryGit } = await import('../src/systems/git-push.ts');
      return connectDeliveryGit({ processes, files, token: credentials.of('SLUICE_GIT_TOKEN') ?? credentials.of('SLUICE_GITLAB_TOKEN') ?? null, env, notice: (text) => reporter.info(text) });
    }),
    registry: once(async () => {
      const { connectRegistry } = await import('../src/systems/registry-http.ts');
      return connectRegistry({ http, processes, files, clock, credentials: await registryCredentials() });
    }),
    kustomize: once(async () => {
      const { connectKustomize } = await import('../src/systems/kustomize-cli.ts');
      return connectKustomize({ processes });
    }),
    cluster: async (name, contextName) => {
      const { connectCluster } = await import('../src/systems/cluster-kubernetes.ts');
      const text = kubeconfig();
      return connectCluster({ name, context: contextName, kubeconfig: text, clock });
    },
  };
  return { context, dispose: () => disposals.disposeAsync() };
}
