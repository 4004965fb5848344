import type { ClusterObject, SimulatedCluster } from '../../../sandbox/cluster/handle.ts';

/** What a job that waits for Ready tells: `hangs` is the timeout, without a cause. */
export type NaiveAnswer = 'green' | 'red' | 'hangs';

interface Condition {
  readonly type: string;
  readonly status: string;
}

const condition = (object: ClusterObject, type: string) =>
  ((object.status?.['conditions'] ?? []) as readonly Condition[]).find((one) => one.type === type)?.status;
const handled = (object: ClusterObject | undefined) => object?.status?.['lastHandledReconcileAt'];

/** kstatus for Flux's kinds. */
function statusOf(object: ClusterObject): 'Current' | 'InProgress' | 'Failed' | 'Terminating' {
  if (object.metadata.deletionTimestamp !== undefined) return 'Terminating';
  if (object.status?.['observedGeneration'] !== object.metadata.generation) return 'InProgress';
  if (condition(object, 'Stalled') === 'True') return 'Failed';
  if (condition(object, 'Reconciling') === 'True') return 'InProgress';
  return condition(object, 'Ready') === 'True' ? 'Current' : 'InProgress';
}

/** The cluster runs fifty times as quickly as Flux: 2 s between two looks, 5 minutes in all, with room for a slow machine. */
const pollMs = 40;
const timeoutMs = 9_000;

/**
 * `flux reconcile kustomization NAME --with-source`: asks source, then Kustomization; of each it awaits that *some*
 * request was handled, and Ready. No revision is compared, and nothing below is looked at
 * (https://github.com/fluxcd/flux2, cmd/flux/reconcile.go and reconcile_with_source.go).
 */
export async function reconcileWithSource(cluster: SimulatedCluster, name: string): Promise<NaiveAnswer> {
  const deadline = Date.now() + timeoutMs;
  const start = cluster.get('Kustomization', 'flux-system', name);
  if (start?.spec === undefined || start.spec['suspend'] === true) return 'red';
  const { kind, name: source } = start.spec['sourceRef'] as { readonly kind: string; readonly name: string };
  for (const [type, id] of [
    [kind, source],
    ['Kustomization', name],
  ] as const) {
    const answer = await reconcile(cluster, type, id, deadline);
    if (answer !== 'green') return answer;
  }
  return 'green';
}

async function reconcile(
  cluster: SimulatedCluster,
  kind: string,
  name: string,
  deadline: number,
): Promise<NaiveAnswer> {
  const before = cluster.get(kind, 'flux-system', name);
  if (before === undefined || before.spec?.['suspend'] === true) return 'red';
  const annotations = { 'reconcile.fluxcd.io/requestedAt': new Date().toISOString() };
  cluster.patch(kind, 'flux-system', name, { metadata: { annotations } });
  while (Date.now() < deadline) {
    const object = cluster.get(kind, 'flux-system', name);
    if (object === undefined) return 'red';
    if (handled(object) !== handled(before)) {
      const status = statusOf(object);
      if (status === 'Current') return 'green';
      if (status !== 'InProgress') return 'red';
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return 'hangs';
}
