import type { Origin } from '../app/change.ts';
import type { FaultRecord } from '../fault.ts';

/** Station 4, artifact: what Flux will pull. */

/** pushed: the tag moved to new content; with `source: git` the branch holds new content, and nothing is pushed · unchanged: the registry already has it · superseded: a newer commit stands ·
 * held: a gate is closed · refused: a guard said no · failed: see `fault`. */
export type PublishOutcome = 'pushed' | 'unchanged' | 'superseded' | 'held' | 'refused' | 'failed';

/** One artifact of one app in one environment. */
export interface PublishedArtifact {
  readonly app: string;
  /** Artifact name; equals the app's where it has only one. */
  readonly artifact: string;
  readonly environment: string;
  /** Without scheme and tag, e.g. `registry.example.com/shop/delivery/podinfo`; empty for `source: git`. */
  readonly repository: string;
  /** The moving tag first. */
  readonly tags: readonly string[];
  /** Manifest digest that stands under the moving tag (`sha256:…`); null where none does or with `source: git`. */
  readonly digest: string | null;
  /** sha256 of the uncompressed tar. */
  readonly contentDigest: string | null;
  /** `<branch>@sha1:<40 hex>` of the commit whose content the digest is. */
  readonly revision: string;
  readonly source: 'oci' | 'git';
  readonly outcome: PublishOutcome;
  /** Why, in one line. */
  readonly reason: string;
  readonly fault?: FaultRecord;
  /** Origins of this (app, environment) in the range of commits since the ledger. */
  readonly origins: readonly Origin[];
}

/** The range of delivery commits that one `publish` answers for, per environment. */
export interface PublishedRange {
  readonly environment: string;
  /** The ledger's commit before this run; null for the first. */
  readonly since: string | null;
  readonly until: string;
}

/** What `publish` hands to `sync` in result.json. */
export interface Publication {
  /** Path of the delivery project. */
  readonly project: string;
  readonly branch: string;
  readonly commit: string;
  readonly ranges: readonly PublishedRange[];
  readonly artifacts: readonly PublishedArtifact[];
}
