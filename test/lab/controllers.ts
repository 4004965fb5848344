import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { binaryPath } from '../../scripts/binaries.mjs';
import type { Child } from './children.ts';
import type { StartOptions } from './etcd.ts';
import { until } from './until.ts';

/** Which of Flux's controllers run beside source- and kustomize-controller. */
export type Tier = 'core' | 'notification' | 'helm' | 'full';

/** Names of the controllers of a tier. */
export function controllersOf(tier: Tier): readonly string[] {
  const more = {
    core: [],
    notification: ['notification-controller'],
    helm: ['helm-controller'],
    full: ['notification-controller', 'helm-controller'],
  };
  return ['source-controller', 'kustomize-controller', ...more[tier]];
}

/** Ports of the controllers, all on loopback. */
export interface ControllerPorts {
  readonly health: readonly number[];
  readonly artifacts: number;
  readonly events: number;
  readonly receiver: number;
}

/** What a stack may do with a controller. */
export interface Controllers {
  /** Resolves when all say that they are ready. */
  ready(): Promise<unknown>;
  /** Ends one and starts it afresh; source-controller has lost its artifacts then, as with storage that is not kept. */
  restart(name: string): Promise<void>;
}

/**
 * Starts Flux's controllers of a tier with the flags of Flux's own manifests as far as they fit loopback, and a
 * dependency retry of 2 s instead of 30 s. `gates` are feature gates to switch on in kustomize-controller.
 */
export function startControllers(
  options: StartOptions,
  tier: Tier,
  kubeconfig: string,
  ports: ControllerPorts,
  gates: readonly string[] = [],
): Controllers {
  const { children, folder } = options;
  const storage = join(folder, 'artifacts');
  mkdirSync(storage, { recursive: true });
  const names = controllersOf(tier);
  const events = names.includes('notification-controller') ? [`--events-addr=http://127.0.0.1:${ports.events}/`] : [];
  const flags: Readonly<Record<string, readonly string[]>> = {
    'source-controller': [
      ...events,
      `--storage-path=${storage}`,
      `--storage-addr=127.0.0.1:${ports.artifacts}`,
      `--storage-adv-addr=127.0.0.1:${ports.artifacts}`,
      '--requeue-dependency=2s',
    ],
    'kustomize-controller': [
      ...events,
      '--requeue-dependency=2s',
      ...(gates.length > 0 ? [`--feature-gates=${gates.map((gate) => `${gate}=true`).join(',')}`] : []),
    ],
    'notification-controller': [
      `--events-addr=127.0.0.1:${ports.events}`,
      `--receiverAddr=127.0.0.1:${ports.receiver}`,
    ],
    'helm-controller': [...events, '--requeue-dependency=2s', '--graceful-shutdown-timeout=2s'],
  };
  const started = names.map((name, index) => {
    const health = `127.0.0.1:${ports.health[index]}`;
    const args = [
      `--health-addr=${health}`,
      '--metrics-addr=0',
      '--log-encoding=json',
      '--kube-api-qps=200',
      '--kube-api-burst=500',
      ...(flags[name] ?? []),
    ];
    const child = children.start(name, binaryPath(name), args, {
      KUBECONFIG: kubeconfig,
      RUNTIME_NAMESPACE: 'flux-system',
    });
    return { child, health };
  });
  return {
    ready: () => Promise.all(started.map(({ child, health }) => isReady(child, health))),
    async restart(name) {
      const health = `127.0.0.1:${ports.health[names.indexOf(name)]}`;
      const child = await children.restart(name, () => {
        if (name !== 'source-controller') return;
        rmSync(storage, { recursive: true });
        mkdirSync(storage);
      });
      await isReady(child, health);
    },
  };
}

function isReady(child: Child, health: string): Promise<boolean> {
  return until(child.name, async () => {
    child.check();
    return (await fetch(`http://${health}/readyz`)).status === 200;
  });
}
