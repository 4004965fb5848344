import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createAuthorizer } from './api/authorize.ts';
import { type ApiState, createApi } from './api/server.ts';
import { createAlerts } from './flux/alerts.ts';
import { createArtifacts } from './flux/artifacts.ts';
import { fluxDuties, startControllers } from './flux/flux.ts';
import type { World } from './flux/world.ts';
import type { ClusterOptions, SimulatedCluster } from './handle.ts';
import { handleObjects } from './objects.ts';
import { createReceiverServer, receiverProxy } from './receiver-server.ts';
import { createScripts, type Forgetting } from './scripts.ts';
import { fluxDefinitions } from './store/kinds.ts';
import { createStore } from './store/store.ts';
import { runTool } from './tools.ts';
import { fateByTag } from './workloads/rollout.ts';
import { createWorkloads, workloadKinds } from './workloads/workloads.ts';

const systemNamespaces = ['default', 'kube-system', 'flux-system'];

function createWorld(options: ClusterOptions, folder: string, forgetting: Forgetting) {
  const scale = options.timeScale ?? 1;
  const now = options.now ?? Date.now;
  const store = createStore(now);
  const hosts = Object.entries(options.hosts ?? {});
  const world: World = {
    store,
    artifacts: createArtifacts(),
    now,
    scaled: (ms) => ms * scale,
    sleep: async (ms, signal) => {
      await wait(ms * scale, undefined, { signal }).catch((error: unknown) => {
        throw signal.aborted ? signal.reason : error;
      });
    },
    run: (tool, args, { cwd, env, signal }) =>
      runTool(tool === 'git' ? (options.git ?? 'git') : options.kustomize, args, {
        cwd,
        home: folder,
        env: options.env,
        added: env ?? {},
        signal,
      }),
    locate: (url) => {
      const { host, pathname, search } = new URL(url);
      const to = hosts.find(([name]) => name === host)?.[1];
      return to === undefined ? url : `${to.replace(/\/$/, '')}${pathname === '/' ? '' : pathname}${search}`;
    },
    makeFolder: (name) => mkdtemp(join(folder, `${name}-`)),
    isGateOpen: (gate) => options.featureGates?.[gate] === true,
    requeueDependency: options.requeueDependencyMs ?? 30_000,
    dropsHistory: () => forgetting.history,
    omitted: () => forgetting.fields,
    notify: (event) => {
      if (!forgetting.events) alerts.send(event);
    },
    log: options.log ?? (() => undefined),
  };
  const alerts = createAlerts(world);
  return { world, alerts };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/**
 * Starts a simulated cluster on loopback: a Kubernetes API over HTTP and the behaviour of Flux 2.9 behind it. Artifacts are
 * pulled, git is fetched and kustomize is run for real; kubelet, Helm and the storage are simulated. Left out: field
 * ownership of several managers, `spec.serviceAccountName`, `healthCheckExprs`, Helm's hooks, tests and drift detection,
 * SOPS keys (values become the word `decrypted`), signatures, Buckets, and Providers other than gitlab.
 * Rejects when no port is free or the temporary folder cannot be made.
 */
export async function startCluster(options: ClusterOptions): Promise<SimulatedCluster> {
  const folder = await mkdtemp(join(options.folder ?? tmpdir(), 'cluster-'));
  const forgetting: Forgetting = { events: false, history: false, fields: [] };
  const { world, alerts } = createWorld(options, folder, forgetting);
  const { store } = world;
  const workloads = createWorkloads(world, options.workloads ?? fateByTag);
  const work = Object.fromEntries(
    workloadKinds.map((kind) => [kind, { by: 'workloads' as const, reconcile: workloads.reconcile }]),
  );
  const controllers = startControllers(world, { ...fluxDuties(world), ...work });
  store.subscribe(workloads.collect);
  const adminToken = options.adminToken ?? randomBytes(24).toString('hex');
  const state: ApiState = {
    tokens: new Map([[adminToken, { name: 'admin', groups: ['system:masters', 'system:authenticated'] }]]),
    watches: new Set(),
    records: [],
    rules: [],
    latency: 0,
    refusesWatches: false,
    isOffline: false,
  };
  const server = createApi({
    store,
    authorizer: createAuthorizer(store),
    state,
    version: options.version ?? 'v1.36.4',
    now: world.now,
    bookmarkEvery: Math.max(world.scaled(60_000), 1000),
    proxy: receiverProxy(world),
  });
  const receiver = createReceiverServer(world);
  const [url, receiverUrl] = await Promise.all([listen(server), listen(receiver)]);
  const objects = handleObjects(world);
  objects.apply(fluxDefinitions(store.kinds));
  for (const name of systemNamespaces) objects.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

  let stopping: Promise<void> | null = null;
  const stop = async () => {
    await controllers.stop();
    await alerts.settle();
    for (const cut of state.watches) cut();
    await Promise.all([server, receiver].map(close));
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  return {
    url,
    receiverUrl,
    adminToken,
    addToken: (token, user, groups = []) =>
      void state.tokens.set(token, { name: user, groups: [...groups, 'system:authenticated'] }),
    removeToken: (token) => void state.tokens.delete(token),
    kubeconfig: (context, token = adminToken) =>
      JSON.stringify(
        {
          apiVersion: 'v1',
          kind: 'Config',
          'current-context': context,
          clusters: [{ name: context, cluster: { server: url, 'insecure-skip-tls-verify': true } }],
          users: [{ name: context, user: { token } }],
          contexts: [{ name: context, context: { cluster: context, user: context } }],
        },
        null,
        2,
      ),
    ...objects,
    scripts: createScripts({ world, state, controllers, workloads, forgetting }),
    requests: () => state.records,
    stop: () => (stopping ??= stop()),
  };
}
