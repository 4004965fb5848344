import type { ClusterObject } from '../handle.ts';
import { type Fields, fields, list } from '../store/object.ts';

/** A release that was made, kept as Helm keeps it in its Secrets. */
export interface StoredRelease {
  readonly version: number;
  readonly objects: readonly ClusterObject[];
  readonly snapshot: Fields;
}

/** Puts a release on top of `status.history`; the one deployed before becomes superseded. At most five. */
export function recordRelease(status: Fields, snapshot: Fields): void {
  const standing = list(status['history']).map(fields);
  const isDeployed = snapshot['status'] === 'deployed';
  const before = standing.map((one) =>
    isDeployed && one['status'] === 'deployed' ? { ...one, status: 'superseded' } : one,
  );
  status['history'] = [snapshot, ...before].slice(0, 5);
}

/** The newest release in the history, or null. */
export function latestRelease(status: Fields): Fields | null {
  const [latest] = list(status['history']);
  return latest === undefined ? null : fields(latest);
}
