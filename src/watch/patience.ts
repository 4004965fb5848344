import type { Grace } from './readiness.ts';

/** How long (milliseconds) something must stay as it is before it counts. */
export interface Patience extends Readonly<Record<Grace, number>> {
  /** Nothing uses the artifact. */
  readonly unconsumed: number;
}

/**
 * fetch: the source cannot get its artifact · artifact: it is unusable, or a Kustomization cannot get it (the first look
 * of a new Kustomization fails and is repeated after 30 s) · apply: the cluster refused an object · release: a
 * HelmRelease, or a descendant with a source of its own, failed and nobody works on it · gone: an object that was applied
 * is not there.
 */
export const defaultPatience: Patience = {
  unconsumed: 15_000,
  fetch: 90_000,
  artifact: 65_000,
  apply: 5_000,
  release: 60_000,
  gone: 30_000,
};

/**
 * What another revision is to ours: `follow`: it contains ours and still holds our values · `gone`: it contains ours, our
 * values are gone · `other`: older, or of another history.
 */
export type Relation = 'follow' | 'gone' | 'other';

/** What is remembered of one Followed between two looks. JSON-safe. */
export interface Progress {
  /** When something was first seen, without a break since. */
  readonly marks: Readonly<Record<string, number>>;
  /** Keys of sources and consumers that were there; `shown <key>` for sources that have shown our revision. */
  readonly seen: readonly string[];
}

/** Nothing seen yet. */
export const noProgress: Progress = { marks: {}, seen: [] };

/** The marks of one look: what holds now keeps the time since when it has held. */
export interface Marks {
  /** Milliseconds since the epoch at which `what` was first seen without a break. */
  readonly since: (what: string) => number;
  /** Has `what` held for less than `ms`? */
  readonly recent: (what: string, ms: number) => boolean;
  /** Keeps a mark that neither holds nor is refuted now. */
  readonly carry: (what: string) => void;
  readonly all: Readonly<Record<string, number>>;
}

/** Marks that continue those of the look before. */
export function continueMarks(before: Progress, now: number): Marks {
  const all: Record<string, number> = {};
  const since = (what: string) => (all[what] ??= before.marks[what] ?? now);
  return {
    since,
    recent: (what, ms) => now - since(what) < ms,
    carry(what) {
      const at = before.marks[what];
      if (at !== undefined) all[what] = at;
    },
    all,
  };
}
