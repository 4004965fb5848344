/** What the simulated cluster takes and gives: the contract for demo, stories, agent proxy and tests. */

/** Any Kubernetes object; parsed no further. */
export interface ClusterObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** `metadata` as the API server keeps it. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** What becomes of a workload: `stuck` never reports ready, `deadline` reports ProgressDeadlineExceeded, `crash` loops. */
export type WorkloadFate = 'healthy' | 'stuck' | 'deadline' | 'crash';

/** A Deployment, StatefulSet, DaemonSet or Job as the fate rule sees it. */
export interface Workload {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Images of all containers, init containers included. */
  readonly images: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly object: ClusterObject;
}

export type ControllerName =
  | 'source-controller'
  | 'kustomize-controller'
  | 'helm-controller'
  | 'notification-controller'
  | 'workloads';

/** How a cluster is started. Times are those of the real Flux, multiplied by `timeScale`. */
export interface ClusterOptions {
  /** Path of the kustomize binary (v5). */
  readonly kustomize: string;
  /** Path of git; default `git` on the PATH of `env`. */
  readonly git?: string;
  /** Environment of the child processes (PATH …); only PATH, proxies and CA settings are passed on. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Parent of the cluster's temporary folder; default the system's. */
  readonly folder?: string;
  /** Other addresses for hosts named in `spec.url`, e.g. {'registry.example.com': 'http://127.0.0.1:5000'}. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** 1 = as slow as the real one; 0.05 = twenty times quicker (default 1). */
  readonly timeScale?: number;
  /** Requeue of `DependencyNotReady` and `Source artifact not found` in milliseconds before scaling; default 30000 as Flux. */
  readonly requeueDependencyMs?: number;
  /** Feature gates of the controllers, e.g. {CancelHealthCheckOnNewRevision: true}. */
  readonly featureGates?: Readonly<Record<string, boolean>>;
  /** Fate of a workload; default: `broken` in an image's tag is stuck with ImagePullBackOff, `crash` crashes, `dead` runs into its deadline. */
  readonly workloads?: (workload: Workload) => WorkloadFate;
  /** Version reported by /version; default v1.36.4. */
  readonly version?: string;
  readonly adminToken?: string;
  /** Milliseconds since the epoch, for timestamps; default Date.now. */
  readonly now?: () => number;
  readonly log?: (line: string) => void;
}

/** One request to the API as a fault rule sees it. */
export interface ApiRequest {
  readonly method: string;
  /** Path with query, e.g. `/apis/apps/v1/deployments?watch=1`. */
  readonly url: string;
  readonly verb: string;
  readonly resource: string;
  /** Who it counts for: the impersonated user where there is one. */
  readonly user: string;
}

/** A fault rule; the first that matches answers. */
export interface FaultRule {
  readonly when: (request: ApiRequest) => boolean;
  /** HTTP status to answer, `reset` to drop the connection, `hang` to never answer. */
  readonly answer: number | 'reset' | 'hang';
  /** How often; default until `remove` is called. */
  readonly times?: number;
}

/** Scripts for the traps a cluster can show. All act at once. */
export interface ClusterScripts {
  /** The controller stops taking work; what it is doing ends. Changes queue up. */
  pause(controller: ControllerName): void;
  resume(controller: ControllerName): void;
  /** Ends work in flight and starts afresh; source-controller forgets its artifacts (`status.artifact` goes, then comes back). */
  restart(controller: ControllerName): Promise<void>;
  /** Ends all open watch streams; `refuse` makes new watches fail with 500 until called with false. */
  cutWatches(refuse?: boolean): void;
  /** Older resource versions answer 410 Gone from now on. */
  compact(): void;
  /** Added to every API answer. */
  latency(milliseconds: number): void;
  fail(rule: FaultRule): { remove(): void };
  /** From now on Kustomizations lose their newest `status.history` entry on each write, until called with false. */
  dropHistory(drop?: boolean): void;
  /** From now on events of Flux do not reach notification-controller, as when it is away or rate limited, until called with false. */
  loseEvents(lose?: boolean): void;
  /** Controllers no longer write these fields of status, as older ones do not know them, e.g. ['history', 'lastAppliedOriginRevision']. */
  omitStatus(fields: readonly string[]): void;
  /** The fate of workloads from now on, also of those standing (they are looked at again). */
  workloads(fate: (workload: Workload) => WorkloadFate): void;
  /** true: every request to the API is reset and all watches end, until called with false. */
  offline(offline: boolean): void;
}

/** One line of the cluster's record of requests. */
export interface RequestRecord extends ApiRequest {
  readonly at: number;
  readonly status: number;
}

/** A running cluster. `kind` arguments are kind names (`Deployment`), unique over all groups here. */
export interface SimulatedCluster {
  /** Base URL of the API, http://127.0.0.1:PORT. */
  readonly url: string;
  /** Base URL of notification-controller's receiver, for `status.webhookPath`. */
  readonly receiverUrl: string;
  readonly adminToken: string;
  /** Makes a bearer token known. Rights come from RBAC objects; group `system:masters` may do all. */
  addToken(token: string, user: string, groups?: readonly string[]): void;
  removeToken(token: string): void;
  /** A kubeconfig (YAML text) with one context; token default the admin's. */
  kubeconfig(context: string, token?: string): string;
  /** All objects of a kind, of all namespaces unless one is named. */
  objects(kind: string, namespace?: string): readonly ClusterObject[];
  get(kind: string, namespace: string | null, name: string): ClusterObject | undefined;
  /** Server-side apply as admin, as field manager `kubectl`: YAML text (several documents) or objects. Missing namespaces are an error. */
  apply(manifests: string | ClusterObject | readonly ClusterObject[]): readonly ClusterObject[];
  /** JSON merge patch as admin; `subresource` status for status. */
  patch(
    kind: string,
    namespace: string | null,
    name: string,
    patch: Readonly<Record<string, unknown>>,
    subresource?: 'status',
  ): ClusterObject;
  remove(kind: string, namespace: string | null, name: string): void;
  /** Calls back for every change of a kind from now on; returns the end of it. */
  observe(kind: string, on: (type: 'ADDED' | 'MODIFIED' | 'DELETED', object: ClusterObject) => void): () => void;
  /** Waits until the test says true for the objects of a kind; rejects after `timeoutMs` (not scaled). */
  until(
    kind: string,
    test: (objects: readonly ClusterObject[]) => boolean,
    timeoutMs?: number,
  ): Promise<readonly ClusterObject[]>;
  readonly scripts: ClusterScripts;
  /** All API requests so far, watches once. */
  requests(): readonly RequestRecord[];
  /** Stops controllers, children and servers, removes the folder. Safe to call twice. */
  stop(): Promise<void>;
}
