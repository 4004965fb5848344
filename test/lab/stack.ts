import { startApiServer } from './apiserver.ts';
import { controllersOf, startControllers } from './controllers.ts';
import type { Tier } from './controllers.ts';
import { applyCustomResources } from './custom-resources.ts';
import { startEtcd } from './etcd.ts';
import type { Kube } from './kube.ts';
import { freePorts } from './ports.ts';
import { startRegistry } from './registry.ts';
import type { RegistryAuth } from './registry.ts';
import { beginRun } from './run.ts';
import { startTokenReviews } from './tokens.ts';
import type { TokenOwner } from './tokens.ts';
import { writeWorkloadStatus } from './workload-status.ts';

/** What a stack is started with. */
export interface StackOptions {
  readonly tier: Tier;
  /** Working folder that is kept; default a temporary one that is removed. */
  readonly folder?: string;
  /** False: without a registry. */
  readonly registry?: false;
  readonly registryAuth?: RegistryAuth;
  /** Exactly these ports instead of free ones; for tests of clashes. */
  readonly ports?: readonly number[];
  /** Feature gates of kustomize-controller to switch on. */
  readonly featureGates?: readonly string[];
  /** False: somebody else answers signals by stopping; default true. */
  readonly answerSignals?: boolean | undefined;
  readonly log?: (line: string) => void;
}

/** A running stack: the real API server, etcd, Flux and registry on loopback. */
export interface LabStack {
  readonly folder: string;
  readonly url: string;
  /** PEM text that proves the API server's certificate. */
  readonly ca: string;
  readonly adminToken: string;
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** "127.0.0.1:<port>" of the registry, plain HTTP; empty where there is none. */
  readonly registryHost: string;
  /** etcd's address for clients; null on the simulated cluster. */
  readonly etcdUrl: string | null;
  /** notification-controller's address for webhooks, where the tier has one. */
  readonly receiverUrl: string | null;
  /** Client with an administrator's rights. */
  readonly kube: Kube;
  /** Resolves with the cause and its log's tail as soon as a program ends by itself. */
  readonly failed: Promise<Error>;
  /** Milliseconds from the start until each step was done. */
  readonly times: Readonly<Record<string, number>>;
  /** Process ids by program. */
  readonly pids: Readonly<Record<string, number>>;
  addToken(token: string, owner: TokenOwner): void;
  removeToken(token: string): void;
  /** Ends one of Flux's controllers and starts it afresh; source-controller loses its artifacts. */
  restart(controller: string): Promise<void>;
  /** Stops a controller where it stands, as a hung process, or lets it go on. */
  freeze(controller: string, frozen: boolean): void;
  /** Resident memory by program, MiB. */
  memory(): Readonly<Record<string, { readonly resident: number; readonly peak: number }>>;
  /** Ends all programs and removes the temporary folder; more calls do nothing. */
  stop(): Promise<void>;
}

/** Free ports that a stack wants. */
export const portCount = 11;

/**
 * Starts a stack; the programs must be built. First ends what a killed run left behind. Rejects with the name and the
 * log's tail of the first program that did not come up; nothing runs then. Where another program takes one of the free
 * ports first, it begins again. However the process ends, its programs end too.
 */
export async function startStack(options: StackOptions): Promise<LabStack> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      const clash = error instanceof Error && error.message.includes('address already in use');
      if (!clash || options.ports || attempt === 3) throw error;
      options.log?.('a port was taken meanwhile: starting again');
    }
  }
}

async function startOnce(options: StackOptions): Promise<LabStack> {
  const log = options.log ?? (() => {});
  const began = performance.now();
  const times: Record<string, number> = {};
  const mark = (step: string) => {
    times[step] = Math.round(performance.now() - began);
    log(`${step}: ${times[step]} ms`);
  };
  const run = beginRun({ folder: options.folder, answerSignals: options.answerSignals, log });
  const stop = () => run.stop(['kube-apiserver', 'etcd']);
  const setUp = async (): Promise<LabStack> => {
    const [client = 0, peer = 0, api = 0, registryPort = 0, artifacts = 0, events = 0, receiver = 0, ...health] =
      options.ports ?? (await freePorts(portCount));
    const reviews = await startTokenReviews();
    run.defer(reviews.stop);
    const etcd = startEtcd(run, { client, peer });
    const registry =
      options.registry === false ? null : startRegistry(run, 'registry', registryPort, options.registryAuth);
    const apiServer = await startApiServer(run, etcd.client, api, reviews.kubeconfig);
    const { kube } = apiServer;
    run.defer(() => kube.close());
    await apiServer.ready();
    mark('API server');
    await applyCustomResources(kube, controllersOf(options.tier));
    await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'flux-system' } });
    mark('custom resources');
    run.defer(writeWorkloadStatus(kube));
    const ports = { health, artifacts, events, receiver };
    const controllers = startControllers(run, options.tier, apiServer.kubeconfig, ports, options.featureGates);
    await Promise.all([controllers.ready(), registry?.ready()]);
    mark('ready');
    const notification = controllersOf(options.tier).includes('notification-controller');
    return {
      folder: run.folder,
      url: apiServer.url,
      ca: apiServer.ca,
      adminToken: apiServer.adminToken,
      kubeconfig: apiServer.kubeconfig,
      registryHost: registry?.host ?? '',
      etcdUrl: etcd.client,
      receiverUrl: notification ? `http://127.0.0.1:${receiver}` : null,
      kube,
      failed: run.children.failed,
      times,
      pids: run.pids,
      addToken: reviews.add,
      removeToken: reviews.remove,
      restart: (controller) => controllers.restart(controller),
      freeze: (controller, frozen) => void process.kill(run.pids[controller] ?? 0, frozen ? 'SIGSTOP' : 'SIGCONT'),
      memory: run.children.memory,
      stop,
    };
  };
  try {
    return await Promise.race([setUp(), run.children.failed.then((error) => Promise.reject(error))]);
  } catch (error) {
    await stop();
    throw error;
  }
}
