import type { Origin } from '../app/change.ts';

/** Station 3, delivery: the commit (or merge request) in the delivery repository. */

/** A merge request in the delivery project. */
export interface MergeRequestRef {
  readonly iid: number;
  readonly url: string;
  readonly state: 'opened' | 'merged' | 'closed' | 'locked';
  readonly branch: string;
}

/** What stands in the delivery repository after `update`. */
export interface DeliveryCommit {
  /** Path of the delivery project, or its URL where it is no GitLab project. */
  readonly project: string;
  readonly branch: string;
  /** 40 hex digits. */
  readonly sha: string;
  readonly mergeRequest: MergeRequestRef | null;
  readonly origins: readonly Origin[];
}

/** What a delivery commit's trailers claim: apps × environments, images and the origin. */
export interface CommitClaim {
  readonly commit: string;
  readonly apps: readonly string[];
  readonly environments: readonly string[];
  readonly images: readonly string[];
  readonly origin: Origin | null;
}
