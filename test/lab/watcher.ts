import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { annotate, requestToken } from '../../src/notify/annotate.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { connectCluster } from '../../src/systems/cluster-kubernetes.ts';
import { followCluster } from '../../src/watch/follow.ts';
import type { FollowOptions } from '../../src/watch/follow.ts';
import type { Followed, Observation, Verdict } from '../../src/watch/verdict.ts';
import type { LabStack } from './stack.ts';

const rights = join(import.meta.dirname, '..', '..', 'examples', 'agent-config', 'rbac');

/** A verdict with what led to it. */
export interface Watched {
  readonly verdict: Verdict;
  readonly phases: readonly Observation['phase'][];
  readonly messages: readonly string[];
}

/**
 * sluice's own watch on a stack, with the rights of the example's Role and nothing more: the token stands for a CI job,
 * as GitLab's agent impersonates one. `role`: other roles as YAML; `url`: another address of the API server;
 * `project`: another project than 42.
 */
export async function connectWatcher(
  stack: LabStack,
  options: { readonly role?: string; readonly url?: string; readonly project?: string } = {},
) {
  const clock = systemClock();
  const token = randomBytes(16).toString('hex');
  const { project = '42' } = options;
  const groups = ['gitlab:ci_job', `gitlab:project:${project}`, `gitlab:project_env:${project}:staging`];
  stack.addToken(token, { user: 'gitlab:ci_job:1', groups });
  await stack.kube.apply(options.role ?? rolesText());
  const authority = stack.ca ? { 'certificate-authority-data': Buffer.from(stack.ca).toString('base64') } : {};
  const kubeconfig = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'platform/agents:lab',
    clusters: [{ name: 'lab', cluster: { server: options.url ?? stack.url, ...authority } }],
    users: [{ name: 'job', user: { token } }],
    contexts: [{ name: 'platform/agents:lab', context: { cluster: 'lab', user: 'job' } }],
  });
  const cluster = connectCluster({ name: 'lab', context: 'platform/agents:lab', kubeconfig });

  return {
    cluster,
    /** What is followed, with everything that the stories do not care about filled in. */
    followed: (
      fields: Pick<Followed, 'wanted' | 'commit'> & Partial<Followed> & { readonly repository: string },
    ): Followed => {
      const { repository, ...rest } = fields;
      const urls = [`${stack.registryHost}/${repository}`];
      return {
        cluster: 'lab',
        environment: 'staging',
        app: 'podinfo',
        artifact: 'podinfo',
        source: 'oci',
        urls,
        reference: 'main',
        namespace: 'flux-system',
        objects: [],
        roots: [],
        health: 'workloads',
        ...rest,
      };
    },
    /** Asks Flux and watches until the verdict, at most `seconds` (default 40). */
    async watch(
      followed: Followed,
      { seconds = 40, ...more }: Partial<FollowOptions> & { readonly seconds?: number } = {},
    ): Promise<Watched> {
      const stop = new AbortController();
      void stack.failed.then((error) => stop.abort(error));
      const observations = followCluster({
        cluster,
        followed: [followed],
        clock,
        signal: stop.signal,
        deadline: clock.now() + seconds * 1000,
        contains: async (own, theirs) => own === theirs,
        stillHolds: async () => false,
        ask: (_, source) => annotate(cluster, source, requestToken(clock)),
        ...more,
      });
      const seen: Observation[] = [];
      for await (const observation of observations) seen.push(observation);
      const verdict = seen.at(-1)?.verdict;
      if (!verdict) throw new Error('watching ended without a verdict');
      return { verdict, phases: seen.map(({ phase }) => phase), messages: seen.map(({ message }) => message) };
    },
  };
}

export type Watcher = Awaited<ReturnType<typeof connectWatcher>>;

/** The example's roles, bound to the jobs of project 42 with environment staging. */
function rolesText(): string {
  return ['sluice.yaml', 'bindings-ci-job.yaml']
    .map((name) => readFileSync(join(rights, name), 'utf8'))
    .join('\n---\n');
}
