import type { ClusterObject } from '../handle.ts';
import { number, spec, status } from '../store/object.ts';
import { findSource } from './kustomization.ts';
import { conditionOf } from './status.ts';
import { type Key, keyOf, kindOf, type World } from './world.ts';

/** The Kustomizations to look at when a source's artifact has a new revision. */
export function consumersOf(world: World, source: ClusterObject, revision: string): readonly Key[] {
  const resource = kindOf(world.store, 'Kustomization');
  return world.store
    .list(resource)
    .filter((object) => {
      const found = findSource(world, object, spec(object)['sourceRef']);
      if (!found || found.kind !== source.kind || found.metadata.uid !== source.metadata.uid) return false;
      const isDone =
        conditionOf(object, 'Ready')?.status === 'True' && status(object)['lastAttemptedRevision'] === revision;
      return !isDone || number(status(object)['observedGeneration'], -1) !== object.metadata.generation;
    })
    .map((object) => keyOf(resource, object));
}

/** The HelmCharts and HelmReleases to look at when a source's artifact has a new revision. */
export function chartConsumersOf(world: World, source: ClusterObject): readonly Key[] {
  const isSource = (object: ClusterObject, reference: unknown) =>
    findSource(world, object, reference)?.metadata.uid === source.metadata.uid;
  const id = `${source.metadata.namespace}/${source.metadata.name}`;
  const charts = kindOf(world.store, 'HelmChart');
  const releases = kindOf(world.store, 'HelmRelease');
  return [
    ...world.store
      .list(charts)
      .filter((object) => isSource(object, spec(object)['sourceRef']))
      .map((object) => keyOf(charts, object)),
    ...world.store
      .list(releases)
      .filter(
        (object) =>
          isSource(object, spec(object)['chartRef']) ||
          (source.kind === 'HelmChart' && status(object)['helmChart'] === id),
      )
      .map((object) => keyOf(releases, object)),
  ];
}
