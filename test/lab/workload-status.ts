import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterObject, WorkloadFate } from '../../sandbox/cluster/handle.ts';
import { at, list, number, spec } from '../../sandbox/cluster/store/object.ts';
import {
  deadStatus,
  fateByTag,
  healthyStatus,
  podStatus,
  startingStatus,
  templateHash,
  workloadOf,
} from '../../sandbox/cluster/workloads/rollout.ts';
import type { Kube } from './kube.ts';

const kinds = [
  { kind: 'Deployment', list: '/apis/apps/v1/deployments' },
  { kind: 'StatefulSet', list: '/apis/apps/v1/statefulsets' },
  { kind: 'DaemonSet', list: '/apis/apps/v1/daemonsets' },
  { kind: 'Job', list: '/apis/batch/v1/jobs' },
] as const;

/** Progress deadlines run so much quicker than they say. */
const quicker = 20;

/**
 * Takes the place of controller manager, scheduler and kubelet, with the rules and words of the simulated cluster: each
 * workload gets its fate by label or image tag, a ReplicaSet, a pod and events that say why, and its status. A progress
 * deadline of 60 s is over after 3 s, as on a simulated cluster whose time scale is 1/20. Returns the function that ends it.
 */
export function writeWorkloadStatus(kube: Kube): () => void {
  const stop = new AbortController();
  const looked = new Map<string, string>();
  const ends = kinds.map(({ kind, list: path }) =>
    kube.watch(path, (type, seen) => {
      const object = { ...(seen as ClusterObject), kind };
      const { uid = '', generation } = object.metadata;
      if (type === 'DELETED') {
        looked.delete(uid);
        void removeOwned(kube, object, null).catch(() => {});
      } else if (looked.get(uid) !== String(generation)) {
        looked.set(uid, String(generation));
        // What fails because the object changed meanwhile is repeated at the next event.
        void rollOut(kube, object, stop.signal).catch(() => looked.delete(uid));
      }
    }),
  );
  return () => {
    stop.abort();
    for (const end of ends) end();
  };
}

async function rollOut(kube: Kube, object: ClusterObject, signal: AbortSignal): Promise<void> {
  const fate = fateByTag(workloadOf(object));
  const { namespace = '', name, generation } = object.metadata;
  const path = await kube.path(object.apiVersion, object.kind, namespace, name);
  const replicaSet = `${name}-${templateHash(object)}`;
  const write = async (statusOf: typeof healthyStatus) => {
    const now = await kube.get<ClusterObject>(path);
    if (now.metadata.generation !== generation || signal.aborted) return;
    await kube.merge(`${path}/status`, {
      status: cleared(now, statusOf({ ...now, kind: object.kind }, replicaSet, time())),
    });
  };
  // Flux polls every 5 s: what is healthy at its first look costs no story those 5 s.
  await write(fate === 'healthy' ? healthyStatus : startingStatus);
  await showPod(kube, object, replicaSet, fate);
  if (fate === 'healthy') {
    await removeOwned(kube, object, templateHash(object));
  } else if (fate === 'deadline') {
    await write(deadStatus);
  } else if (object.kind === 'Deployment') {
    await sleep((number(spec(object)['progressDeadlineSeconds'], 600) * 1000) / quicker, undefined, {
      signal,
      ref: false,
    });
    await write(deadStatus);
  }
}

/** A merge patch that also takes away what the new status does not say. */
function cleared(object: ClusterObject, status: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { ...Object.fromEntries(Object.keys(object.status ?? {}).map((key) => [key, null])), ...status };
}

/** One pod stands for all; a Deployment's belongs to its ReplicaSet. */
async function showPod(kube: Kube, object: ClusterObject, replicaSet: string, fate: WorkloadFate): Promise<void> {
  const hash = templateHash(object);
  const template = at(object, 'spec', 'template') as {
    readonly metadata?: { readonly labels?: object };
    readonly spec: object;
  };
  const labels = { ...template.metadata?.labels, 'pod-template-hash': hash };
  const { namespace = '' } = object.metadata;
  const create = async (apiVersion: string, kind: string, name: string, owner: ClusterObject, content: object) => {
    const ownerReferences = [
      {
        apiVersion: owner.apiVersion,
        kind: owner.kind,
        name: owner.metadata.name,
        uid: owner.metadata.uid,
        controller: true,
      },
    ];
    await kube.apply({ apiVersion, kind, metadata: { name, namespace, labels, ownerReferences }, spec: content });
    return { ...(await kube.get<ClusterObject>(await kube.path(apiVersion, kind, namespace, name))), apiVersion, kind };
  };
  const owner =
    object.kind === 'Deployment'
      ? await create('apps/v1', 'ReplicaSet', replicaSet, object, {
          replicas: spec(object)['replicas'],
          selector: { matchLabels: labels },
          template: { ...template, metadata: { labels } },
        })
      : object;
  const pod = await create('v1', 'Pod', `${owner.metadata.name}-${(object.metadata.uid ?? '').slice(0, 5)}`, owner, {
    ...template.spec,
  });
  await kube.merge(`${await kube.path('v1', 'Pod', namespace, pod.metadata.name)}/status`, {
    status: podStatus(object, fate, time()),
  });
  if (fate === 'healthy') return;
  const message =
    fate === 'crash'
      ? 'Back-off restarting failed container'
      : `Back-off pulling image "${workloadOf(object).images[0] ?? ''}"`;
  await kube.apply({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${pod.metadata.name}.backoff`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name: pod.metadata.name, uid: pod.metadata.uid },
    type: 'Warning',
    reason: 'BackOff',
    message,
    source: { component: 'kubelet' },
    firstTimestamp: time(),
    lastTimestamp: time(),
    count: 1,
  });
}

/** Removes ReplicaSets and pods of an object, except those of the template hash `kept`. */
async function removeOwned(kube: Kube, object: ClusterObject, kept: string | null): Promise<void> {
  const { namespace = '', uid } = object.metadata;
  const owners = new Set([uid]);
  for (const [apiVersion, plural] of [
    ['apis/apps/v1', 'replicasets'],
    ['api/v1', 'pods'],
  ] as const) {
    const path = `/${apiVersion}/namespaces/${namespace}/${plural}`;
    const { items } = await kube.get<{ items: ClusterObject[] }>(path);
    for (const item of items) {
      const isOwned = list(item.metadata['ownerReferences']).some((owner) => owners.has(at(owner, 'uid') as string));
      if (!isOwned || item.metadata.labels?.['pod-template-hash'] === kept) continue;
      owners.add(item.metadata.uid);
      await kube.remove(`${path}/${item.metadata.name}?gracePeriodSeconds=0`);
    }
  }
}

function time(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}
