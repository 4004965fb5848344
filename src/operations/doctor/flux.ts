import type { KubernetesObject } from '../../systems/cluster.ts';
import { judge, type Finding } from './finding.ts';
import { isOlder } from './tools.ts';

/** Flux's controllers, with what is lost without each. */
export const controllers = {
  'source-controller': {
    group: 'source.toolkit.fluxcd.io',
    lost: 'nothing is fetched, so nothing is delivered',
  },
  'kustomize-controller': {
    group: 'kustomize.toolkit.fluxcd.io',
    lost: 'no Kustomization is applied',
  },
  'helm-controller': { group: 'helm.toolkit.fluxcd.io', lost: 'no HelmRelease is installed or upgraded' },
  'notification-controller': {
    group: 'notification.toolkit.fluxcd.io',
    lost: 'there are no Receivers (sync can only annotate), no alerts, and the agent cannot tell Flux of pushes',
  },
} as const;

export type ControllerName = keyof typeof controllers;

/** What was seen of one controller. */
export interface ControllerFacts {
  readonly name: ControllerName;
  /** Are its kinds served? */
  readonly served: boolean;
  /** Its Deployment; 'forbidden' where Deployments may not be read. */
  readonly deployment: KubernetesObject | 'forbidden' | 'missing';
  /** Objects of its kinds, as far as they may be read. */
  readonly objects: readonly KubernetesObject[];
  /** Is it needed by what sluice.yaml delivers here? */
  readonly needed: boolean;
  readonly now: number;
}

const GRACE_MS = 120_000;
const OLDEST = '2.5';
const INSTALL = `Install it: flux install --components=${Object.keys(controllers).join(',')}, then restart agentk, which looks for Flux’s kinds only when it starts.`;

/** Judges one controller: its kinds are served, it runs, and it does its work. */
export function judgeController(cluster: string, facts: ControllerFacts): Finding {
  const { name, served, deployment, needed } = facts;
  const { ok, warn, fault, unknown } = judge('flux', cluster);
  const { lost, group } = controllers[name];
  if (!served) {
    const message = `${name} is not installed (no ${group}): ${lost}`;
    if (!needed && name !== 'notification-controller') return ok('flux-absent', `${message}; nothing here needs it`);
    return needed ? fault('flux-missing', 'cluster_failed', message, INSTALL) : warn('flux-missing', message, INSTALL);
  }
  if (typeof deployment !== 'string') {
    const version = versionOf(deployment);
    const available = (deployment.status as { availableReplicas?: number } | undefined)?.availableReplicas ?? 0;
    const release = /^v?(\d+\.\d+)/.exec(deployment.metadata.labels?.['app.kubernetes.io/version'] ?? '')?.[1];
    if (available > 0 && release !== undefined && isOlder(release, OLDEST)) {
      const message = `${name} ${version} is older than Flux ${OLDEST}: it does not tell which commit an artifact came from`;
      return warn('flux-old', message, 'Update Flux (https://fluxcd.io/flux/installation/upgrade/).');
    }
    if (available > 0) return ok('flux', `${name} ${version} runs`);
    const message = `${name} ${version} is installed and does not run: ${lost}`;
    const repair = `Look at it: kubectl -n ${deployment.metadata.namespace ?? 'flux-system'} describe deploy ${name}.`;
    return needed ? fault('flux-down', 'cluster_failed', message, repair) : warn('flux-down', message, repair);
  }
  const answered = facts.objects.filter(hasAnswer);
  const old = facts.objects.filter((object) => isOlderThan(object, facts.now, GRACE_MS));
  if (answered.length > 0) return ok('flux', `${name} answers (its version may not be read)`);
  if (old.length > 0) {
    return fault(
      'flux-down',
      'cluster_failed',
      `${name} does not run: none of its ${old.length} objects has a status; ${lost}`,
      `Start it: kubectl -n flux-system rollout restart deploy ${name}.`,
    );
  }
  return unknown(
    'flux-unknown',
    `whether ${name} runs is not known: its Deployment ${deployment === 'forbidden' ? 'may not be read' : 'was not found in flux-system'}, and it has no objects yet`,
    'Bind the role sluice-watch, or run doctor as an administrator.',
  );
}

function versionOf(deployment: KubernetesObject): string {
  const label = deployment.metadata.labels?.['app.kubernetes.io/version'];
  const spec = deployment.spec as { template?: { spec?: { containers?: { image?: string }[] } } } | undefined;
  const tag = /:(v[\d.]+)/.exec(spec?.template?.spec?.containers?.[0]?.image ?? '')?.[1];
  return [tag, label && `(Flux ${label})`].filter((part) => part !== undefined && part !== '').join(' ');
}

function hasAnswer({ status }: KubernetesObject): boolean {
  return Array.isArray(status?.['conditions']) && status['conditions'].length > 0;
}

function isOlderThan({ metadata }: KubernetesObject, now: number, ms: number): boolean {
  const created = Date.parse((metadata as { creationTimestamp?: string }).creationTimestamp ?? '');
  return !Number.isNaN(created) && now - created > ms;
}
