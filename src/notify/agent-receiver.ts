import type { Cluster } from '../systems/cluster.ts';
import { readObject } from './annotate.ts';
import type { ObjectRef } from './request.ts';

/**
 * Name of the Receiver that GitLab's agent made for a GitRepository of its instance, or undefined. The agent fires it on
 * every push, before a pipeline begins; it knows GitRepositories only, not OCI, and may fail where it cannot read the
 * project (gitlab-agent internal/module/flux). Detected so that no second one is made beside it. Faults as `Cluster`.
 */
export async function agentReceiverOf(
  cluster: Cluster,
  source: ObjectRef,
  signal?: AbortSignal,
): Promise<string | undefined> {
  if (source.kind !== 'GitRepository') return undefined;
  const ref: ObjectRef = { kind: 'Receiver', namespace: source.namespace, name: `gitlab-${source.name}` };
  const receiver = await readObject(cluster, ref, signal);
  if (typeof receiver === 'string') return undefined;
  const managed = receiver.metadata.annotations?.['app.kubernetes.io/managed-by'] === 'gitlab';
  return managed ? ref.name : undefined;
}
