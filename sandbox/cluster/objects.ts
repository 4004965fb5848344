import { parseAllDocuments } from 'yaml';
import type { World } from './flux/world.ts';
import type { ClusterObject, SimulatedCluster } from './handle.ts';
import type { Resource } from './store/kinds.ts';
import { fields, list, text } from './store/object.ts';
import { mergePatch } from './store/patch.ts';

type ObjectCalls = Pick<SimulatedCluster, 'objects' | 'get' | 'apply' | 'patch' | 'remove' | 'observe' | 'until'>;

function read(manifests: string | ClusterObject | readonly ClusterObject[]): readonly ClusterObject[] {
  if (typeof manifests !== 'string') return [manifests].flat();
  return parseAllDocuments(manifests).flatMap((document) => {
    const [broken] = document.errors;
    if (broken) throw new Error(`The manifests are not YAML: ${broken.message}`);
    const value: unknown = document.toJS();
    const items = fields(value)['kind'] === 'List' ? list(fields(value)['items']) : [value];
    return items.filter((item) => text(fields(item)['kind']) !== '') as ClusterObject[];
  });
}

/** What the cluster's handle does with objects, as admin and without HTTP. */
export function handleObjects(world: World): ObjectCalls {
  const { store } = world;
  const named = (kind: string): Resource => {
    const resource = store.kinds.named(kind);
    if (!resource) throw new Error(`The cluster serves no kind ${kind}.`);
    return resource;
  };
  const objects = (kind: string, namespace?: string) => store.list(named(kind), namespace);
  return {
    objects,
    get: (kind, namespace, name) => store.find(named(kind), namespace, name),
    apply: (manifests) =>
      read(manifests).map((object) => {
        const resource = store.kinds.byKind(object.apiVersion, object.kind);
        if (!resource) throw new Error(`no matches for kind "${object.kind}" in version "${object.apiVersion}"`);
        return store.apply(resource, object, 'kubectl');
      }),
    patch: (kind, namespace, name, patch, subresource) => {
      const before = store.get(named(kind), namespace, name);
      return store.update(named(kind), mergePatch(before, patch) as ClusterObject, subresource);
    },
    remove: (kind, namespace, name) => void store.remove(named(kind), namespace, name),
    observe: (kind, on) =>
      store.subscribe((change) => {
        if (change.resource === named(kind)) on(change.type, change.object);
      }),
    until: (kind, test, timeoutMs = 10_000) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = objects(kind);
          if (!test(found)) return false;
          end();
          resolve(found);
          return true;
        };
        const timer = setTimeout(() => {
          end();
          reject(
            new Error(
              `The ${kind} objects did not come to the state that was waited for: ${JSON.stringify(objects(kind).map(({ metadata, status }) => ({ name: metadata.name, status })))}`,
            ),
          );
        }, timeoutMs);
        const unsubscribe = store.subscribe((change) => {
          if (change.resource.kind === kind) look();
        });
        const end = () => {
          clearTimeout(timer);
          unsubscribe();
        };
        look();
      }),
  };
}
