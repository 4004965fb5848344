/** Station 5, notify: ask Flux, do not wait. */

/** How Flux was asked. */
export type NotifyWay = 'annotate' | 'receiver' | 'oidc' | 'none';

/** A Flux object. */
export interface ObjectRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** One request to reconcile a source. */
export interface ReconcileRequest {
  readonly cluster: string;
  readonly source: ObjectRef;
  /** Value of `reconcile.fluxcd.io/requestedAt`; opaque. */
  readonly token: string;
  /** The way that worked; `none` where none was wanted or none worked. */
  readonly way: NotifyWay;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Ways that were tried before and did not work, in order, each with the reason. */
  readonly tried?: readonly { readonly way: NotifyWay; readonly reason: string }[];
}
