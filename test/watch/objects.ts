import type { StoredObject } from '../doubles/kubernetes.ts';

/** Objects as the real Flux controllers wrote them (condition words, fields and their order as recorded from Flux 2.9). */

export const ours = `sha256:${'a'.repeat(64)}`;
export const former = `sha256:${'b'.repeat(64)}`;
export const newer = `sha256:${'c'.repeat(64)}`;
export const ourCommit = '1'.repeat(40);
export const formerCommit = '2'.repeat(40);
export const newerCommit = '3'.repeat(40);

export type ConditionWords = readonly [
  type: string,
  status: 'True' | 'False' | 'Unknown',
  reason: string,
  message?: string,
];

export function conditions(...words: readonly ConditionWords[]): readonly Record<string, unknown>[] {
  return words.map(([type, status, reason, message = '']) => ({
    type,
    status,
    reason,
    message,
    lastTransitionTime: '2026-11-22T10:00:00Z',
  }));
}

interface Settings {
  readonly name?: string;
  readonly namespace?: string;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly generation?: number;
}

function object(apiVersion: string, kind: string, defaults: Settings, settings: Settings): StoredObject {
  return {
    apiVersion,
    kind,
    metadata: {
      name: settings.name ?? defaults.name ?? 'podinfo',
      namespace: settings.namespace ?? 'flux-system',
      generation: settings.generation ?? 1,
      ...settings.metadata,
    },
    spec: { ...defaults.spec, ...settings.spec },
    status: { ...defaults.status, ...settings.status },
  };
}

/** An OCIRepository that shows a digest (none: no artifact yet). */
export function ociRepository(
  digest: string | undefined,
  settings: Settings & { readonly commit?: string; readonly tag?: string } = {},
): StoredObject {
  const tag = settings.tag ?? 'staging';
  return object(
    'source.toolkit.fluxcd.io/v1',
    'OCIRepository',
    {
      spec: { url: 'oci://registry.example.com/shop/delivery/podinfo', ref: { tag }, interval: '10m' },
      status: {
        observedGeneration: settings.generation ?? 1,
        ...(digest === undefined
          ? {}
          : {
              artifact: {
                revision: `${tag}@${digest}`,
                digest: `sha256:${'f'.repeat(64)}`,
                metadata: { 'org.opencontainers.image.revision': `main@sha1:${settings.commit ?? ourCommit}` },
              },
              conditions: conditions(['Ready', 'True', 'Succeeded', `stored artifact for digest '${tag}@${digest}'`]),
            }),
      },
    },
    settings,
  );
}

/** A GitRepository that shows a commit. */
export function gitRepository(commit: string, settings: Settings = {}): StoredObject {
  return object(
    'source.toolkit.fluxcd.io/v1',
    'GitRepository',
    {
      name: 'delivery',
      spec: { url: 'https://gitlab.example.com/shop/delivery.git', ref: { branch: 'main' }, interval: '10m' },
      status: {
        observedGeneration: 1,
        artifact: { revision: `main@sha1:${commit}`, digest: `sha256:${'f'.repeat(64)}` },
        conditions: conditions(['Ready', 'True', 'Succeeded', `stored artifact for revision 'main@sha1:${commit}'`]),
      },
    },
    settings,
  );
}

/** A Kustomization that has applied a revision (`staging@sha256:…`), Ready, with wait. */
export function kustomization(revision: string | undefined, settings: Settings = {}): StoredObject {
  return object(
    'kustomize.toolkit.fluxcd.io/v1',
    'Kustomization',
    {
      spec: {
        sourceRef: { kind: 'OCIRepository', name: 'podinfo' },
        path: './',
        wait: true,
        prune: true,
        interval: '10m',
      },
      status:
        revision === undefined
          ? { observedGeneration: -1 }
          : {
              observedGeneration: settings.generation ?? 1,
              lastAttemptedRevision: revision,
              lastAppliedRevision: revision,
              conditions: conditions(
                ['Ready', 'True', 'ReconciliationSucceeded', `Applied revision: ${revision}`],
                ['Healthy', 'True', 'Succeeded', 'Health check passed in 28.899737ms'],
              ),
              inventory: { entries: [{ id: 'shop_podinfo_apps_Deployment', v: 'v1' }] },
            },
    },
    settings,
  );
}

/** A HelmRelease that has deployed a chart revision. */
export function helmRelease(revision: string, settings: Settings = {}): StoredObject {
  return object(
    'helm.toolkit.fluxcd.io/v2',
    'HelmRelease',
    {
      name: 'tiny',
      spec: { chartRef: { kind: 'OCIRepository', name: 'tiny' } },
      status: {
        observedGeneration: settings.generation ?? 1,
        lastAttemptedGeneration: settings.generation ?? 1,
        lastAttemptedRevision: revision,
        history: [{ chartVersion: revision, status: 'deployed', version: 1 }],
        conditions: conditions(
          ['Ready', 'True', 'UpgradeSucceeded', 'Helm upgrade succeeded'],
          ['Released', 'True', 'UpgradeSucceeded'],
        ),
      },
    },
    settings,
  );
}

/** A Deployment with all replicas ready. */
export function deployment(settings: Settings = {}): StoredObject {
  const generation = settings.generation ?? 1;
  return object(
    'apps/v1',
    'Deployment',
    {
      spec: { replicas: 2, selector: { matchLabels: { app: 'podinfo' } }, progressDeadlineSeconds: 600 },
      status: {
        observedGeneration: generation,
        replicas: 2,
        updatedReplicas: 2,
        readyReplicas: 2,
        availableReplicas: 2,
        conditions: conditions(
          ['Available', 'True', 'MinimumReplicasAvailable'],
          ['Progressing', 'True', 'NewReplicaSetAvailable'],
        ),
      },
    },
    { namespace: 'shop', ...settings },
  );
}

/** The Receiver that GitLab's agent makes for a GitRepository of its GitLab. */
export const agentReceiver: StoredObject = {
  apiVersion: 'notification.toolkit.fluxcd.io/v1',
  kind: 'Receiver',
  metadata: {
    name: 'gitlab-delivery',
    namespace: 'flux-system',
    annotations: { 'app.kubernetes.io/managed-by': 'gitlab', 'agent.gitlab.com/project': 'shop/delivery' },
  },
};
