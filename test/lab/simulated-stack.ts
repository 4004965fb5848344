import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster } from '../../sandbox/cluster/cluster.ts';
import { startRegistry } from '../../sandbox/registry/server.ts';
import { binaryPath, isBuilt, onPath } from '../../scripts/binaries.mjs';
import { connectKube } from './kube.ts';
import type { ControllerName } from '../../sandbox/cluster/handle.ts';
import type { LabStack, StackOptions } from './stack.ts';

/**
 * The simulated cluster and registry in the shape of a stack, so that the stories of the real Flux are told of the
 * simulation too. Flux's waits are a twentieth, except the retry of dependencies, which is the lab's 2 s.
 */
export async function startSimulatedStack({ featureGates = [] }: StackOptions): Promise<LabStack> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-twin-'));
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder };
  const kustomize = isBuilt('kustomize') ? binaryPath('kustomize') : join(onPath('kustomize') ?? '', 'kustomize');
  const registry = await startRegistry();
  const cluster = await startCluster({
    kustomize,
    env,
    folder,
    timeScale: 0.05,
    requeueDependencyMs: 40_000,
    featureGates: Object.fromEntries(featureGates.map((gate) => [gate, true])),
  });
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, cluster.kubeconfig('lab'), { mode: 0o600 });
  const kube = connectKube({ url: cluster.url, token: cluster.adminToken, ca: '' });
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    kube.close();
    await cluster.stop();
    await registry.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  return {
    folder,
    url: cluster.url,
    ca: '',
    adminToken: cluster.adminToken,
    kubeconfig,
    registryHost: registry.host,
    etcdUrl: null,
    receiverUrl: cluster.receiverUrl,
    kube,
    failed: new Promise(() => {}),
    times: {},
    pids: {},
    addToken: (token, { user, groups }) => cluster.addToken(token, user, groups),
    removeToken: (token) => cluster.removeToken(token),
    restart: (controller) => cluster.scripts.restart(controller as ControllerName),
    freeze: (controller, frozen) => cluster.scripts[frozen ? 'pause' : 'resume'](controller as ControllerName),
    memory: () => ({}),
    stop: () => (stopped ??= stop()),
  };
}
