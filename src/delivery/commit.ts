import type { AppChange, Origin } from '../app/change.ts';
import type { ManifestChange, Target } from '../manifest/change.ts';

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

/**
 * pushed: a commit on the branch · unchanged: the values stand already · superseded: a newer pipeline's values stand ·
 * merge-request: opened or updated · planned: --dry-run, nothing done
 */
export type DeliveryOutcome = 'pushed' | 'unchanged' | 'superseded' | 'merge-request' | 'planned';

/** A place that the change writes. */
export interface DeliveredTarget extends Target {
  /** An earlier update brought it: the open merge request carries it on. */
  readonly carried?: boolean;
}

/** The merge request of a delivery. */
export interface DeliveryRequest {
  /** The one that was open before. */
  readonly open: MergeRequestRef | null;
  /** What earlier updates brought into it, and it still brings. */
  readonly carried: readonly Pick<AppChange, 'images' | 'values' | 'origin'>[];
}

/** What `update` did in one way (push, or the merge request of one app and environment). */
export interface Delivery {
  readonly outcome: DeliveryOutcome;
  readonly apps: readonly string[];
  readonly environments: readonly string[];
  /** The commit made, or the one that stands; null where nothing was done. */
  readonly commit: DeliveryCommit | null;
  readonly manifest: Omit<ManifestChange, 'targets'> & { readonly targets: readonly DeliveredTarget[] };
  /** Given where the change arrives by merge request. */
  readonly request?: DeliveryRequest;
  /** Unified diff of the change. */
  readonly diff: string;
  /** Pairs of those asked for that were left alone, and why. */
  readonly skipped: readonly SkippedPair[];
  /** Pushes tried. */
  readonly attempts: number;
}

/** A pair that a delivery left alone: its app is on hold, or a newer pipeline's values stand. */
export interface SkippedPair {
  readonly app: string;
  readonly environment: string;
  readonly reason: 'held' | 'superseded';
  readonly message: string;
}
