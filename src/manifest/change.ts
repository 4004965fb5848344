import type { Place } from '../fault.ts';

/** Station 2, manifest: text in, edits out. Everything in this folder is pure. */

/** Replaces text[start, end) by `text`; offsets count UTF-16 code units of the decoded file, a BOM included. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What kind of place holds the value; also the order of precedence in `update`, strongest first. */
export type TargetKind = 'path' | 'kustomize-images' | 'setter' | 'helm-values' | 'flux-source' | 'chart' | 'workload';

/** A place in a manifest that holds an image or value, and what the change makes of it. */
export interface Target extends Required<Place> {
  readonly kind: TargetKind;
  /** Where in the file, for people: e.g. `images[name=podinfo].newTag`, `Deployment/web spec…image`. */
  readonly path: string;
  /** The image it belongs to, where it is one. */
  readonly image: string | null;
  /** Value before ('' where the key is added) and after. */
  readonly before: string;
  readonly after: string;
}

/** Why a candidate was not taken. */
export type NotTakenReason =
  | 'precedence'
  | 'shared'
  | 'encrypted'
  | 'template'
  | 'unparsable'
  | 'other-image'
  | 'other-environment'
  | 'missing'
  | 'unchanged'
  | 'refused';

/** A place that looked like a target and was left alone. */
export interface NotTaken extends Place {
  readonly kind: TargetKind | null;
  readonly image: string | null;
  readonly reason: NotTakenReason;
  readonly message: string;
}

/** The edits of one file, in ascending order, not overlapping. */
export interface FileChange {
  readonly path: string;
  readonly edits: readonly Edit[];
}

/** Everything that a change does to manifests. */
export interface ManifestChange {
  readonly files: readonly FileChange[];
  readonly targets: readonly Target[];
  readonly notTaken: readonly NotTaken[];
}
