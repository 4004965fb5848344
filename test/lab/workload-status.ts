import type { Kube } from './kube.ts';

interface Workload {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly generation: number;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly replicas?: number;
    readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
  };
  readonly status?: { readonly observedGeneration?: number };
}

/** What becomes of a Deployment in a world without nodes. */
export type Fate = 'healthy' | 'stuck' | 'deadline';

/**
 * The label lab/fate decides; without it an image whose tag holds "broken" exceeds its progress deadline and every
 * other one becomes healthy.
 */
export function fateOf(workload: Workload): Fate {
  const label = workload.metadata.labels?.['lab/fate'];
  if (label === 'stuck' || label === 'deadline') return label;
  const broken = workload.spec.template.spec.containers.some(({ image }) => /:[^/]*broken/.test(image));
  return broken ? 'deadline' : 'healthy';
}

/**
 * Takes the place of controller manager, scheduler and kubelet: writes the status of every Deployment. Stuck ones are
 * never answered. Returns the function that ends it.
 */
export function writeWorkloadStatus(kube: Kube): () => void {
  return kube.watch('/apis/apps/v1/deployments', (type, object) => {
    const workload = object as Workload;
    const fate = fateOf(workload);
    if (type === 'DELETED' || fate === 'stuck' || workload.status?.observedGeneration === workload.metadata.generation)
      return;
    const { namespace, name } = workload.metadata;
    const status = fate === 'deadline' ? deadlineStatus(workload) : healthyStatus(workload);
    // A conflict or a deleted object shows up as the next event.
    kube.merge(`/apis/apps/v1/namespaces/${namespace}/deployments/${name}/status`, { status }).catch(() => {});
  });
}

function healthyStatus({ metadata, spec }: Workload) {
  const replicas = spec.replicas ?? 1;
  return {
    observedGeneration: metadata.generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
    unavailableReplicas: null,
    conditions: [
      { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
      { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
    ],
  };
}

function deadlineStatus({ metadata, spec }: Workload) {
  const replicas = spec.replicas ?? 1;
  return {
    observedGeneration: metadata.generation,
    replicas,
    updatedReplicas: replicas,
    unavailableReplicas: replicas,
    readyReplicas: null,
    availableReplicas: null,
    conditions: [
      {
        type: 'Progressing',
        status: 'False',
        reason: 'ProgressDeadlineExceeded',
        message: 'deployment exceeded its progress deadline',
      },
    ],
  };
}
