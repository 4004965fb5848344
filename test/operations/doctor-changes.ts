// What doctor loads on first use is loaded here: while a busy machine loads it, answers that wait run out of time.
import '../../runner/commands/doctor.run.ts';
import '../../src/systems/cluster-kubernetes.ts';
import '../../src/systems/gitlab-inspect.ts';
import '../../src/systems/registry-inspect.ts';
import type { ClusterObject, SimulatedCluster } from '../../sandbox/cluster/handle.ts';
import type { DoctorWorld } from './doctor-world.ts';

/** Status of an object's Ready condition. */
export const readyOf = ({ status }: ClusterObject): string | undefined =>
  (status?.['conditions'] as { type: string; status: string }[] | undefined)?.find(({ type }) => type === 'Ready')
    ?.status;

/** Changes of a cluster that are taken back when a test ends. */
export function changesOf(world: () => DoctorWorld) {
  const cluster = () => world().cluster;
  return {
    /** Applies a merge patch to an object of flux-system; `back` undoes it. */
    patched: (
      kind: string,
      name: string,
      patch: Readonly<Record<string, unknown>>,
      back: Readonly<Record<string, unknown>>,
    ) => {
      cluster().patch(kind, 'flux-system', name, patch);
      return { [Symbol.dispose]: () => void cluster().patch(kind, 'flux-system', name, back) };
    },
    removed: async (kind: string, namespace: string | null, ...names: readonly string[]) => {
      const before = names.map((name) => cluster().get(kind, namespace, name)!);
      for (const object of before) await gone(cluster(), object);
      return {
        [Symbol.asyncDispose]: async () => {
          for (const object of before) cluster().apply(fresh(object));
        },
      };
    },
    added: async (manifest: string) => {
      const objects = cluster().apply(manifest);
      return {
        [Symbol.asyncDispose]: async () => {
          for (const object of objects) await gone(cluster(), object);
        },
      };
    },
  };
}

/** Removes an object, and waits for the controllers whose finalizers it has. */
async function gone(cluster: SimulatedCluster, { kind, metadata }: ClusterObject): Promise<void> {
  cluster.remove(kind, metadata.namespace ?? null, metadata.name);
  await cluster.until(
    kind,
    (all) => !all.some((one) => one.metadata.name === metadata.name && one.metadata.namespace === metadata.namespace),
    120_000,
  );
}

function fresh(object: ClusterObject): ClusterObject {
  const { name, namespace, labels, annotations } = object.metadata;
  const { status: _status, ...rest } = object;
  return {
    ...rest,
    metadata: { name, ...(namespace && { namespace }), ...(labels && { labels }), ...(annotations && { annotations }) },
  };
}
