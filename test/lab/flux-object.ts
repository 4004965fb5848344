/** One condition of a Flux object. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** A Flux object as the API server gives it, as far as the stories look. */
export interface FluxObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly generation: number;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly observedGeneration?: number;
    readonly artifact?: { readonly revision: string; readonly digest: string; readonly url: string };
    readonly lastAppliedRevision?: string;
    readonly lastAttemptedRevision?: string;
    readonly lastAttemptedRevisionDigest?: string;
    readonly lastHandledReconcileAt?: string;
    readonly webhookPath?: string;
    readonly failures?: number;
    readonly upgradeFailures?: number;
    readonly history?: readonly HistoryEntry[];
    readonly inventory?: { readonly entries?: readonly { readonly id: string; readonly v: string }[] };
  };
}

/** `status.history` of a Kustomization (lastReconciledStatus …) or of a HelmRelease (status, chartVersion). */
export interface HistoryEntry {
  readonly lastReconciledStatus?: string;
  readonly totalReconciliations?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly status?: string;
  readonly chartVersion?: string;
}

/** The condition of a type, or undefined. */
export function condition(object: FluxObject, type: string): Condition | undefined {
  return object.status?.conditions?.find((each) => each.type === type);
}

/** "Ready=False BuildFailed", or "Ready -" where there is none. */
export function brief(object: FluxObject, type: string): string {
  const found = condition(object, type);
  return found ? `${type}=${found.status} ${found.reason}` : `${type} -`;
}

/** Is it ready at its present generation, with nothing in progress? */
export function isReady(object: FluxObject): boolean {
  return (
    condition(object, 'Ready')?.status === 'True' &&
    object.status?.observedGeneration === object.metadata.generation &&
    condition(object, 'Reconciling')?.status !== 'True'
  );
}

/** Is exactly this digest or commit applied, and is the object ready? */
export function hasApplied(wanted: string): (object: FluxObject) => boolean {
  return (object) =>
    isReady(object) &&
    object.status?.lastAppliedRevision?.endsWith(wanted) === true &&
    object.status.lastAttemptedRevision === object.status.lastAppliedRevision;
}

/** Has it failed with this reason? */
export function hasFailed(reason: string): (object: FluxObject) => boolean {
  return (object) => condition(object, 'Ready')?.status === 'False' && condition(object, 'Ready')?.reason === reason;
}
