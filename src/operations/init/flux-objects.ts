import { stringify } from 'yaml';
import type { Pair } from '../../config/config.ts';

/** Name of the pull Secret. */
export const PULL_SECRET = 'delivery-registry';
/** Name of the Secret with which Flux clones (`source: git`). */
export const CLONE_SECRET = 'delivery-git';

/** A Kubernetes object to be written. */
export type NewObject = Readonly<Record<string, unknown>>;

/** Documents as one YAML file. */
export function documentsText(objects: readonly NewObject[]): string {
  return objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');
}

/** The OCIRepository that follows an artifact's moving tag. */
export function ociSource(name: string, { namespace, tag }: Pair, repository: string): NewObject {
  return {
    apiVersion: 'source.toolkit.fluxcd.io/v1',
    kind: 'OCIRepository',
    metadata: { name, namespace },
    spec: {
      url: `oci://${repository}`,
      ref: { tag },
      interval: '10m',
      secretRef: { name: PULL_SECRET },
    },
  };
}

/** The GitRepository that follows the delivery repository itself. */
export function gitSource(name: string, namespace: string, url: string, branch: string): NewObject {
  return {
    apiVersion: 'source.toolkit.fluxcd.io/v1',
    kind: 'GitRepository',
    metadata: { name, namespace },
    spec: { url, ref: { branch }, interval: '10m', secretRef: { name: CLONE_SECRET } },
  };
}

/** The Kustomization that applies a root and waits until it is healthy. */
export function fluxKustomization(
  name: string,
  namespace: string,
  source: { readonly kind: string; readonly name: string },
  root: string,
): NewObject {
  return {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name, namespace },
    spec: {
      sourceRef: { kind: source.kind, name: source.name },
      path: root === '.' ? './' : `./${root}`,
      interval: '10m',
      retryInterval: '1m',
      timeout: '5m',
      prune: true,
      wait: true,
    },
  };
}

/** The Receiver that sync calls through the API server. */
export function receiverObject(
  name: string,
  namespace: string,
  sources: readonly { readonly kind: string; readonly name: string; readonly namespace: string }[],
): NewObject {
  return {
    apiVersion: 'notification.toolkit.fluxcd.io/v1',
    kind: 'Receiver',
    metadata: { name, namespace },
    spec: {
      type: 'generic-hmac',
      secretRef: { name: `${name}-receiver` },
      resources: sources.map((source) => ({ kind: source.kind, name: source.name, namespace: source.namespace })),
    },
  };
}
