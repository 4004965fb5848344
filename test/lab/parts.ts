import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import type { WorldCluster, WorldParts, WorldRegistry } from '../../sandbox/parts.ts';
import type { Tier } from './controllers.ts';
import { freePorts } from './ports.ts';
import { startRegistry } from './registry.ts';
import { beginRun } from './run.ts';
import { startStack } from './stack.ts';

/** The programs that a world on real parts needs. */
export const coreTools = [
  'oras',
  'kustomize',
  'registry',
  'etcd',
  'kube-apiserver',
  'source-controller',
  'kustomize-controller',
] as const;

/** What the real parts need. The programs of the tier must be built. */
export interface LabOptions {
  /** Default core. */
  readonly tier?: Tier;
  /** False: the caller answers signals by stopping the parts; default true. */
  readonly answerSignals?: boolean;
  readonly log?: (line: string) => void;
}

/** The real parts of a world: API server, Flux and registry as processes, behind the simulated GitLab's agent proxy. */
export function labParts(options: LabOptions = {}): WorldParts {
  return {
    real: true,
    startRegistry: (auth) => startTokenRegistry(auth, options),
    startCluster: (name) => startAgentCluster(name, options),
  };
}

async function startTokenRegistry(
  auth: Parameters<WorldParts['startRegistry']>[0],
  { answerSignals, log = () => {} }: LabOptions,
): Promise<WorldRegistry> {
  const run = beginRun({ answerSignals, log });
  const jwks = join(run.folder, 'jwks.json');
  writeFileSync(jwks, JSON.stringify(auth.jwks()));
  // Flux's registry client refuses a realm whose host is a private address written as digits.
  const realm = auth.realm.replace('//127.0.0.1', '//localhost');
  const { service, issuer } = auth;
  const [port = 0] = await freePorts(1);
  const registry = startRegistry(run, 'registry', port, {
    token: { realm, service, issuer, jwks, signingalgorithms: ['RS256'] },
  });
  try {
    await registry.ready();
  } catch (error) {
    await run.stop([]);
    throw error;
  }
  return {
    host: `localhost:${port}`,
    tags: async (repository) => storedTags(registry.storage, repository),
    stop: () => run.stop([]),
  };
}

/** Tags as they stand in the registry's storage, which needs no credential. */
function storedTags(storage: string, repository: string) {
  const folder = join(storage, 'docker/registry/v2/repositories', repository, '_manifests/tags');
  try {
    return readdirSync(folder).map((name) => ({
      name,
      digest: readFileSync(join(folder, name, 'current/link'), 'utf8'),
    }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function startAgentCluster(name: string, options: LabOptions): Promise<WorldCluster> {
  const { tier = 'core', answerSignals, log = () => {} } = options;
  const stack = await startStack({ tier, registry: false, answerSignals, log: (line) => log(`${name}: ${line}`) });
  const agentToken = randomBytes(24).toString('hex');
  const namespace = `gitlab-agent-${name}`;
  const user = `system:serviceaccount:${namespace}:${name}-gitlab-agent`;
  stack.addToken(agentToken, { user, groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`] });
  await stack.kube.apply(impersonation(user));
  const lists: Readonly<Record<string, string>> = {
    OCIRepository: '/apis/source.toolkit.fluxcd.io/v1/ocirepositories',
    GitRepository: '/apis/source.toolkit.fluxcd.io/v1/gitrepositories',
    Kustomization: '/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations',
    HelmRelease: '/apis/helm.toolkit.fluxcd.io/v2/helmreleases',
    Receiver: '/apis/notification.toolkit.fluxcd.io/v1/receivers',
    Deployment: '/apis/apps/v1/deployments',
    Pod: '/api/v1/pods',
  };
  return {
    url: stack.url,
    ca: stack.ca,
    agentToken,
    apply: (manifests) => stack.kube.apply(manifests),
    async objects(kind, only) {
      const path = lists[kind];
      if (!path) throw new Error(`the lab does not list ${kind}`);
      const { items } = await stack.kube.get<{ items: ClusterObject[] }>(path);
      return items
        .filter((item) => only === undefined || item.metadata.namespace === only)
        .map((item) => ({ ...item, kind }));
    },
    stop: () => stack.stop(),
  };
}

/** The agent may act as anybody and has no other right: what a job may do is decided by the roles of its groups. */
function impersonation(user: string): string {
  return `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: gitlab-agent-impersonate}
rules:
- {apiGroups: [''], resources: [users, groups, serviceaccounts], verbs: [impersonate]}
- {apiGroups: [authentication.k8s.io], resources: ['*'], verbs: [impersonate]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: gitlab-agent-impersonate}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: gitlab-agent-impersonate}
subjects: [{kind: User, name: '${user}', apiGroup: rbac.authorization.k8s.io}]
`;
}
