import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { startApiServer } from './apiserver.ts';
import { connectChildren } from './children.ts';
import { controllersOf, startControllers } from './controllers.ts';
import type { Tier } from './controllers.ts';
import { applyCustomResources } from './custom-resources.ts';
import { startEtcd } from './etcd.ts';
import type { Kube } from './kube.ts';
import { freePorts } from './ports.ts';
import { startRegistry } from './registry.ts';
import type { RegistryAuth } from './registry.ts';
import { connectRunRecord, endLeftovers } from './run-record.ts';
import { startTokenReviews } from './tokens.ts';
import type { TokenOwner } from './tokens.ts';
import { writeWorkloadStatus } from './workload-status.ts';

/** What a stack is started with. */
export interface StackOptions {
  readonly tier: Tier;
  /** Working folder that is kept; default a temporary one that is removed. */
  readonly folder?: string;
  readonly registryAuth?: RegistryAuth;
  /** Exactly these ports instead of free ones; for tests of clashes. */
  readonly ports?: readonly number[];
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
  /** "127.0.0.1:<port>" of the registry, plain HTTP. */
  readonly registryHost: string;
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
  /** Resident memory by program, MiB. */
  memory(): Readonly<Record<string, { readonly resident: number; readonly peak: number }>>;
  /** Ends all programs and removes the temporary folder; more calls do nothing. */
  stop(): Promise<void>;
}

const portCount = 11;

/**
 * Starts a stack; the programs must be built. First ends what a killed run left behind. Rejects with the name and the
 * log's tail of a program that did not come up; nothing runs then. However the process ends, its programs end too.
 */
export async function startStack(options: StackOptions): Promise<LabStack> {
  const log = options.log ?? (() => {});
  const began = performance.now();
  const times: Record<string, number> = {};
  const mark = (step: string) => {
    times[step] = Math.round(performance.now() - began);
    log(`${step}: ${times[step]} ms`);
  };
  for (const path of endLeftovers()) log(`ended ${basename(path)}, left behind by a run that was killed`);
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'sluice-lab-'));
  mkdirSync(folder, { recursive: true });
  const record = connectRunRecord(`${process.pid}-${basename(folder)}`, options.folder ? null : folder);
  const pids: Record<string, number> = {};
  const children = connectChildren({
    folder,
    onStart: (name, pid) => {
      pids[name] = pid;
      record.add(pid);
    },
  });
  const reviews = await startTokenReviews();
  const ends: (() => void)[] = [reviews.stop];
  const removeFolder = () => {
    if (!options.folder && existsSync(folder)) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  const exits = onExit(() => {
    children.kill();
    record.remove();
    removeFolder();
  });
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    for (const end of ends) end();
    await children.stop(['kube-apiserver', 'etcd']);
    exits.forget();
    record.remove();
    removeFolder();
  };

  try {
    const [client = 0, peer = 0, api = 0, registryPort = 0, artifacts = 0, events = 0, receiver = 0, ...health] =
      options.ports ?? (await freePorts(portCount));
    const shared = { children, folder };
    const etcd = startEtcd(shared, { client, peer });
    const registry = startRegistry(shared, 'registry', registryPort, options.registryAuth);
    const apiServer = await startApiServer(shared, etcd.client, api, reviews.kubeconfig);
    const { kube } = apiServer;
    ends.push(() => kube.close());
    await apiServer.ready();
    mark('API server');
    await applyCustomResources(kube, controllersOf(options.tier));
    await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'flux-system' } });
    mark('custom resources');
    ends.push(writeWorkloadStatus(kube));
    const controllers = startControllers(shared, options.tier, apiServer.kubeconfig, {
      health,
      artifacts,
      events,
      receiver,
    });
    await Promise.all([controllers.ready(), registry.ready()]);
    mark('ready');
    const notification = controllersOf(options.tier).includes('notification-controller');
    return {
      folder,
      url: apiServer.url,
      ca: apiServer.ca,
      adminToken: apiServer.adminToken,
      kubeconfig: apiServer.kubeconfig,
      registryHost: registry.host,
      receiverUrl: notification ? `http://127.0.0.1:${receiver}` : null,
      kube,
      failed: children.failed,
      times,
      pids,
      addToken: reviews.add,
      removeToken: reviews.remove,
      memory: children.memory,
      stop: () => (stopped ??= stop()),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Calls `clean` when this process ends by itself, by process.exit or by a signal that can be caught. */
function onExit(clean: () => void) {
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  const handlers = Object.entries(signals).map(([signal, code]) => ({ signal, handle: () => process.exit(code) }));
  process.on('exit', clean);
  for (const { signal, handle } of handlers) process.on(signal, handle);
  return {
    forget(): void {
      process.off('exit', clean);
      for (const { signal, handle } of handlers) process.off(signal, handle);
    },
  };
}
