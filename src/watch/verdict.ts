/** Station 6, watch: what the cluster says about one digest (or commit). */

/** The outcome of one (environment, app) in one cluster. */
export type VerdictName = 'synced' | 'superseded' | 'failed' | 'suspended' | 'unconsumed' | 'timed-out' | 'unknown';

/** How one object stands. */
export interface ObjectState {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly state: 'ready' | 'progressing' | 'failed' | 'suspended' | 'unknown';
  /** Reason word of the condition that decided, e.g. `HealthCheckFailed`. */
  readonly reason: string;
  readonly message: string;
}

/** The final word. `reason` is one word (a condition's reason or the verdict), `message` the first cause in one line. */
export interface Verdict {
  readonly verdict: VerdictName;
  readonly reason: string;
  readonly message: string;
  readonly objects: readonly ObjectState[];
}

/** What is to be followed in one cluster. */
export interface Followed {
  readonly cluster: string;
  readonly environment: string;
  readonly app: string;
  readonly artifact: string;
  readonly source: 'oci' | 'git';
  /** OCI: repository without scheme and tag; git: the delivery repository's URLs, any of which the source may use. */
  readonly urls: readonly string[];
  /** OCI: the moving tag; git: the branch. */
  readonly reference: string;
  /** OCI: manifest digest; git: commit (40 hex). */
  readonly wanted: string;
  /** The delivery commit. */
  readonly commit: string;
  /** Namespace of the Flux objects; names to follow, empty = found by URL and reference. */
  readonly namespace: string;
  readonly objects: readonly string[];
  /** Folders (repository paths) that Flux builds for this app; with `source: git` consumers are chosen by them. */
  readonly roots: readonly string[];
  readonly health: 'workloads' | 'applied';
}

/** One thing seen. Final when `verdict` is set. */
export interface Observation {
  readonly followed: Followed;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** How far our digest has come. */
  readonly phase: 'waiting' | 'fetched' | 'applied' | 'healthy';
  readonly message: string;
  readonly verdict: Verdict | null;
}
