import { type Fields, fields, list } from '../store/object.ts';
import { goDuration } from './duration.ts';

/** A finished run, for `status.history` of a Kustomization. */
export interface HistoryEntry {
  /** Digest of the built manifests. */
  readonly digest: string;
  /** Start in milliseconds since the epoch. */
  readonly began: number;
  readonly now: () => number;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Puts a run on top of `status.history`: at most five entries, one for each pair of build digest and reason, counted up
 * when it comes again. With `drops` the entry gets lost, as was seen with the real one under load.
 */
export function upsertHistory(status: Fields, entry: HistoryEntry, reason: string, drops: boolean): void {
  const standing = list(status['history']).map(fields);
  const isSame = (one: Fields) => one['digest'] === entry.digest && one['lastReconciledStatus'] === reason;
  const old = standing.find(isSame);
  const time = new Date(entry.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  const next = {
    digest: entry.digest,
    firstReconciled: old?.['firstReconciled'] ?? time,
    lastReconciled: time,
    lastReconciledDuration: goDuration(entry.now() - entry.began),
    lastReconciledStatus: reason,
    totalReconciliations: Number(old?.['totalReconciliations'] ?? 0) + 1,
    metadata: entry.metadata,
  };
  const others = standing.filter((one) => !isSame(one));
  status['history'] = (drops ? others : [next, ...others]).slice(0, 5);
}
