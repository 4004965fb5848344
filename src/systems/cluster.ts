/** One Kubernetes cluster, through one kubeconfig context. */

/** A kind with its API, e.g. {group: 'kustomize.toolkit.fluxcd.io', version: 'v1', plural: 'kustomizations', kind: 'Kustomization'}. */
export interface ResourceKind {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
}

/** Any object, parsed no further than this. */
export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly generation?: number;
    readonly resourceVersion?: string;
    readonly deletionTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** A change seen by a watch; `gone` when the stream ended and a new list is due. */
export type WatchEvent =
  | { readonly type: 'added' | 'modified' | 'deleted'; readonly object: KubernetesObject }
  | { readonly type: 'gone'; readonly reason: string };

/**
 * `namespace` null means all namespaces. Rejects with `Fault`: `cluster_unavailable` (network, 5xx, agent offline),
 * `token_refused` (401, 403 of the agent's proxy); `list` and `get` answer 'forbidden' where the cluster's RBAC says no
 * and 'missing' where kind or object is not there.
 */
export interface Cluster {
  readonly name: string;
  list(
    kind: ResourceKind,
    namespace: string | null,
    signal?: AbortSignal,
  ): Promise<
    { readonly items: readonly KubernetesObject[]; readonly resourceVersion: string } | 'forbidden' | 'missing'
  >;
  get(
    kind: ResourceKind,
    namespace: string,
    name: string,
    signal?: AbortSignal,
  ): Promise<KubernetesObject | 'forbidden' | 'missing'>;
  /** Streams changes after `resourceVersion`; ends with one `gone`. */
  watch(
    kind: ResourceKind,
    namespace: string | null,
    resourceVersion: string,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent>;
  /** Sets an annotation by merge patch. */
  annotate(
    kind: ResourceKind,
    namespace: string,
    name: string,
    annotations: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<'done' | 'forbidden' | 'missing'>;
  /** POST through the service proxy, `path` beginning with /api/v1/namespaces/…/proxy/…; answers the HTTP status. */
  post(path: string, headers: Readonly<Record<string, string>>, body: string, signal?: AbortSignal): Promise<number>;
}
