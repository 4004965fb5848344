import type { Clock } from '../systems/clock.ts';
import type { Cluster, KubernetesObject } from '../systems/cluster.ts';
import { requestedKinds, resourceKind, type KnownKind } from './kinds.ts';
import type { ObjectRef } from './request.ts';

/** Any new value of this annotation makes Flux reconcile the object (fluxcd/pkg apis/meta). */
export const REQUESTED_AT = 'reconcile.fluxcd.io/requestedAt';

/** A value that no other request has: time and a random part. Flux never parses it. */
export function requestToken(clock: Pick<Clock, 'now' | 'random'>): string {
  const random = Math.floor(clock.random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0');
  return `${new Date(clock.now()).toISOString()}-sluice-${random}`;
}

/** Asks Flux by annotation. Takes the newest API version that the cluster has. Faults as `Cluster`. */
export async function annotate(
  cluster: Cluster,
  object: ObjectRef,
  token: string,
  signal?: AbortSignal,
): Promise<'done' | 'forbidden' | 'missing'> {
  return overVersions(object.kind, (known, version) =>
    cluster.annotate(resourceKind(known, version), object.namespace, object.name, { [REQUESTED_AT]: token }, signal),
  );
}

/** Reads one object under the newest API version that the cluster has. Faults as `Cluster`. */
export async function readObject(
  cluster: Cluster,
  object: ObjectRef,
  signal?: AbortSignal,
): Promise<KubernetesObject | 'forbidden' | 'missing'> {
  return overVersions(object.kind, (known, version) =>
    cluster.get(resourceKind(known, version), object.namespace, object.name, signal),
  );
}

async function overVersions<T>(
  kind: string,
  act: (known: KnownKind, version: string) => Promise<T | 'missing'>,
): Promise<T | 'missing'> {
  const known: KnownKind | undefined = (requestedKinds as Readonly<Record<string, KnownKind>>)[kind];
  if (!known) throw new Error(`${kind} is no kind that Flux reconciles on request`);
  for (const version of known.versions) {
    const answer = await act(known, version);
    if (answer !== 'missing') return answer;
  }
  return 'missing';
}
