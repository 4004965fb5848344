import { randomBytes } from 'node:crypto';
import type { ClusterObject } from './cluster/handle.ts';
import { startCluster } from './cluster/cluster.ts';
import type { GitLabServer } from './gitlab/handle.ts';
import { gitlabRegistry } from './registry/gitlab-auth.ts';
import { startRegistry } from './registry/server.ts';

/** A cluster that a story plays on, simulated or real. */
export interface WorldCluster {
  /** Address of the Kubernetes API. */
  readonly url: string;
  /** PEM text, for https. */
  readonly ca?: string;
  /** The agent's own identity; it may impersonate. */
  readonly agentToken: string;
  /** Applies YAML documents as an administrator. */
  apply(manifests: string): Promise<void>;
  objects(kind: string, namespace?: string): Promise<readonly ClusterObject[]>;
  stop(): Promise<void>;
}

/** A registry that a story plays on. */
export interface WorldRegistry {
  /** As images name it: `localhost:<port>`, which every client reaches without TLS. */
  readonly host: string;
  tags(repository: string): Promise<readonly { readonly name: string; readonly digest: string }[]>;
  stop(): Promise<void>;
}

/** Starts what a story plays on; handed in, so that the same story runs on simulated and on real parts. */
export interface WorldParts {
  readonly real: boolean;
  startRegistry(auth: GitLabServer['registryAuth']): Promise<WorldRegistry>;
  startCluster(name: string): Promise<WorldCluster>;
}

/** What the simulated parts need. */
export interface SimulatedOptions {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Path of the kustomize binary. */
  readonly kustomize: string;
  /** Flux's waits, multiplied; default 0.1. */
  readonly timeScale?: number;
  readonly log?: (line: string) => void;
}

/** The simulated cluster and the embedded registry. */
export function simulatedParts(options: SimulatedOptions): WorldParts {
  return {
    real: false,
    async startRegistry(auth) {
      const server = await startRegistry({
        ...gitlabRegistry(auth),
        ...(options.log ? { log: options.log } : {}),
      });
      return {
        host: server.host.replace('127.0.0.1', 'localhost'),
        tags: async (repository) => [...server.tags(repository)].map(([tag, digest]) => ({ name: tag, digest })),
        stop: () => server.stop(),
      };
    },
    async startCluster(name) {
      const agentToken = randomBytes(24).toString('hex');
      const cluster = await startCluster({
        kustomize: options.kustomize,
        env: options.env,
        folder: options.folder,
        timeScale: options.timeScale ?? 0.1,
        ...(options.log ? { log: (line) => options.log?.(`${name}: ${line}`) } : {}),
      });
      cluster.addToken(agentToken, 'system:serviceaccount:gitlab-agent:agent', ['system:masters']);
      return {
        url: cluster.url,
        agentToken,
        apply: async (manifests) => void cluster.apply(manifests),
        objects: async (kind, namespace) => cluster.objects(kind, namespace),
        stop: () => cluster.stop(),
      };
    },
  };
}
