import type { GitLabEvent } from './gitlab/handle.ts';
import { visitGitLab } from './gitlab-client.ts';
import type { OwnDelivery } from './own-delivery.ts';
import { paths, pullSecret } from './seed.ts';
import type { World } from './world.ts';

/** What came of the person's own repository. */
export interface OwnRecord {
  readonly command: 'demo';
  readonly outcome: 'done' | 'failed';
  readonly url: string;
  readonly app: string;
  readonly environment: string;
  readonly assumptions: readonly string[];
  /** The proposed sluice.yaml; null where the repository has one. */
  readonly proposed: string | null;
  /** Delivery commit, and what it changed. */
  readonly commit: string | null;
  readonly diff: string;
  readonly statuses: readonly {
    readonly project: string;
    readonly name: string;
    readonly state: string;
    readonly description: string | null;
  }[];
  readonly logs: readonly string[];
  readonly durations: { readonly total: number; readonly start: number };
}

/** Names of the clusters that an own repository needs. */
export function ownClusters(own: OwnDelivery): readonly string[] {
  return own.environment.clusters.map((cluster) => cluster.name);
}

/** Seeds the copy, delivers it as it is, then delivers the image, and tells what GitLab shows. */
export async function playOwn(
  world: World,
  own: OwnDelivery,
  began: number,
  say: (line: string) => void,
): Promise<OwnRecord> {
  const { gitlab, person } = world;
  const start = (Date.now() - began) / 1000;
  await seedOwn(world, own);
  say('  the repository is delivered as it is');
  await gitlab.seed(paths.delivery, own.folder, 'Copy of the delivery repository');
  await gitlab.waitForPipelines();
  const events: GitLabEvent[] = [];
  const silence = gitlab.on((event) => void events.push(event));
  say(`  ${own.project} delivers ${own.image}`);
  await gitlab.seed(own.project, new Map([['.gitlab-ci.yml', applicationPipeline(own)]]), `Deliver ${own.image}`);
  await gitlab.waitForPipelines();
  silence();
  const push = events.findLast((event) => event.type === 'push' && event.project === paths.delivery);
  const commit = push?.type === 'push' ? push.after : null;
  const visitor = visitGitLab(gitlab, person.token);
  const last = new Map(
    events.flatMap((event) =>
      event.type === 'status'
        ? [
            [
              `${event.project} ${event.sha} ${event.name}`,
              { project: event.project, name: event.name, state: event.state, description: event.description },
            ] as const,
          ]
        : [],
    ),
  );
  const statuses = [...last.values()];
  const failed = events.filter((event) => event.type === 'job' && event.status === 'failed');
  return {
    command: 'demo',
    outcome:
      commit !== null && statuses.length > 0 && statuses.every((status) => status.state === 'success')
        ? 'done'
        : 'failed',
    url: gitlab.url,
    app: own.app,
    environment: own.environment.name,
    assumptions: own.assumptions,
    proposed: own.proposed,
    commit,
    diff: commit === null ? '' : await visitor.diff(paths.delivery, commit),
    statuses,
    logs: failed.map((event) =>
      event.type === 'job'
        ? `${event.project}: job ${event.name}:\n${gitlab.jobLog(event.project, event.id).trimEnd().split('\n').slice(-25).join('\n')}`
        : '',
    ),
    durations: { start, total: (Date.now() - began) / 1000 },
  };
}

async function seedOwn(world: World, own: OwnDelivery): Promise<void> {
  const { gitlab, registry, clusters } = world;
  for (const project of [paths.delivery, own.project]) gitlab.createProject(project);
  const bot = gitlab.createToken(paths.delivery, {
    name: 'sluice',
    scopes: ['api', 'write_repository'],
    accessLevel: 40,
  });
  const appBot = gitlab.createToken(own.project, { name: 'sluice', scopes: ['api'], accessLevel: 40 });
  const variable = (project: string, key: string, value: string, more = {}) =>
    gitlab.setVariable(project, { key, value, protected: true, masked: true, ...more });
  variable(paths.delivery, 'SLUICE_GITLAB_TOKEN', bot.token);
  variable(paths.delivery, `SLUICE_GITLAB_TOKEN_${own.app.toUpperCase().replaceAll('-', '_')}`, appBot.token);
  variable(own.project, 'SLUICE_GITLAB_TOKEN', bot.token);
  variable(paths.delivery, 'KUBECONFIG', kubeconfig(world, own), { file: true, masked: false });
  const pull = gitlab.createDeployToken(paths.delivery, { name: 'flux', scopes: ['read_registry', 'read_repository'] });
  for (const cluster of Object.values(clusters)) {
    for (const name of new Set(['flux-system', own.pair.namespace, ...own.namespaces])) {
      await cluster.apply(`apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`);
    }
    await cluster.apply(pullSecret(registry.host, pull, own.pair.namespace));
    await cluster.apply(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'delivery-git', namespace: own.pair.namespace },
        stringData: { username: pull.username, password: pull.token },
      }),
    );
    await cluster.apply(fluxObjects(world, own));
  }
}

function fluxObjects({ gitlab, registry }: World, { pair }: OwnDelivery): string {
  const { namespace } = pair;
  const metadata = (name: string) => ({ name, namespace });
  const objects = pair.artifacts.flatMap((artifact) => [
    pair.source === 'oci'
      ? {
          apiVersion: 'source.toolkit.fluxcd.io/v1',
          kind: 'OCIRepository',
          metadata: metadata(artifact.name),
          spec: {
            url: `oci://${artifact.repository.replace('{registry}', `${registry.host}/${paths.delivery}`)}`,
            ref: { tag: pair.tag },
            interval: '10m',
            secretRef: { name: 'delivery-registry' },
          },
        }
      : {
          apiVersion: 'source.toolkit.fluxcd.io/v1',
          kind: 'GitRepository',
          metadata: metadata(artifact.name),
          spec: {
            url: `${gitlab.url}/${paths.delivery}.git`,
            ref: { branch: 'main' },
            interval: '10m',
            secretRef: { name: 'delivery-git' },
          },
        },
    ...artifact.roots.map((root, index) => ({
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      metadata: metadata(index === 0 ? artifact.name : `${artifact.name}-${index}`),
      spec: {
        sourceRef: { kind: pair.source === 'oci' ? 'OCIRepository' : 'GitRepository', name: artifact.name },
        path: `./${root}`,
        interval: '10m',
        timeout: '3m',
        prune: true,
        wait: true,
      },
    })),
  ]);
  const bootstrap = {
    apiVersion: 'source.toolkit.fluxcd.io/v1',
    kind: 'GitRepository',
    metadata: { name: 'flux-system', namespace: 'flux-system' },
    spec: {
      url: `${gitlab.url}/${paths.delivery}.git`,
      ref: { branch: 'main' },
      interval: '10m',
      secretRef: { name: 'delivery-git' },
    },
  };
  return [bootstrap, ...objects].map((object) => JSON.stringify(object)).join('\n---\n');
}
function kubeconfig({ clusters }: World, { environment }: OwnDelivery): string {
  const entries = environment.clusters.map(({ name, context }) => ({ context, cluster: clusters[name]! }));
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: entries.map(({ context, cluster }) => ({
      name: context,
      cluster: { server: cluster.url, 'insecure-skip-tls-verify': true },
    })),
    users: entries.map(({ context, cluster }) => ({ name: context, user: { token: cluster.agentToken } })),
    contexts: entries.map(({ context }) => ({ name: context, context: { cluster: context, user: context } })),
  });
}

function applicationPipeline(own: OwnDelivery): string {
  const inputs = {
    app: own.app,
    delivery: paths.delivery,
    environment: own.environment.name,
    image: own.image,
    no_verify_image: true,
    mode: 'push',
  };
  return JSON.stringify({ include: [{ component: '$CI_SERVER_FQDN/sluice/sluice/update@0.1.0', inputs }] });
}
