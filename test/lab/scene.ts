import { join } from 'node:path';
import { pushArtifact } from './artifact-push.ts';
import type { Push } from './artifact-push.ts';
import type { Condition, FluxObject } from './flux-object.ts';
import type { LabStack } from './stack.ts';

const apiVersions = {
  OCIRepository: 'source.toolkit.fluxcd.io/v1',
  GitRepository: 'source.toolkit.fluxcd.io/v1',
  Kustomization: 'kustomize.toolkit.fluxcd.io/v1',
  HelmRelease: 'helm.toolkit.fluxcd.io/v2',
  Receiver: 'notification.toolkit.fluxcd.io/v1',
  Provider: 'notification.toolkit.fluxcd.io/v1beta3',
  Alert: 'notification.toolkit.fluxcd.io/v1beta3',
} as const;

/** A Flux kind of the stories. */
export type FluxKind = keyof typeof apiVersions;

/** One state of an object as a watch saw it: conditions and the fields that say how far it is. */
export interface Sight {
  readonly conditions: readonly Condition[];
  readonly attempted: string | undefined;
  readonly applied: string | undefined;
  readonly object: FluxObject;
}

/** The stage of a story: Flux objects in flux-system on a running stack, and artifacts in its registry. */
export function connectScene(stack: LabStack) {
  const { kube } = stack;
  let poked = 0;
  const pathOf = (kind: FluxKind, name: string) => kube.path(apiVersions[kind], kind, 'flux-system', name);

  /** Waits by a watch until `test` holds; gives the object and all it passed through. A dead program ends the wait. */
  async function waitFor(
    kind: FluxKind,
    name: string,
    test: (object: FluxObject) => boolean,
    timeoutMs = 45_000,
  ): Promise<{ object: FluxObject; seen: Sight[] }> {
    const list = (await pathOf(kind, name)).replace(/\/[^/]+$/, '');
    const seen: Sight[] = [];
    return new Promise((resolve, reject) => {
      const end = (act: () => void) => {
        clearTimeout(timer);
        stop();
        act();
      };
      const timer = setTimeout(() => {
        end(() =>
          reject(
            new Error(
              `${kind} ${name} did not get there in ${timeoutMs / 1000} s; last seen: ${JSON.stringify(seen.at(-1)?.object.status)}`,
            ),
          ),
        );
      }, timeoutMs);
      void stack.failed.then((error) => end(() => reject(error)));
      const stop = kube.watch(`${list}?fieldSelector=metadata.name%3D${name}`, (_, seenObject) => {
        const object = seenObject as FluxObject;
        const { conditions = [], lastAttemptedRevision: attempted, lastAppliedRevision: applied } = object.status ?? {};
        seen.push({ conditions, attempted, applied, object });
        if (test(object)) end(() => resolve({ object, seen }));
      });
    });
  }

  return {
    waitFor,
    get: async (kind: FluxKind, name: string) => kube.get<FluxObject>(await pathOf(kind, name)),
    put: (kind: FluxKind, name: string, spec: object) =>
      kube.apply({ apiVersion: apiVersions[kind], kind, metadata: { name, namespace: 'flux-system' }, spec }),
    patch: async (kind: FluxKind, name: string, patch: object) => kube.merge(await pathOf(kind, name), patch),
    namespace: (name: string) => kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }),
    secret: (name: string, stringData: Readonly<Record<string, string>>, type = 'Opaque') =>
      kube.apply({ apiVersion: 'v1', kind: 'Secret', type, metadata: { name, namespace: 'flux-system' }, stringData }),
    /** Asks for reconciliation as `flux reconcile` does; gives the token. */
    poke: async (kind: FluxKind, name: string) => {
      const token = `lab-${++poked}-${Date.now()}`;
      await kube.merge(await pathOf(kind, name), {
        metadata: { annotations: { 'reconcile.fluxcd.io/requestedAt': token } },
      });
      return token;
    },
    /** Pushes files under a tag (default main) of a repository in the stack's registry. */
    push: (repository: string, files: Push['files'], more: Partial<Push> = {}) =>
      pushArtifact({
        folder: join(stack.folder, 'pushed'),
        repository: `${stack.registryHost}/${repository}`,
        tag: 'main',
        files,
        ...more,
      }),
    /** spec of an OCIRepository that follows a tag (default main). */
    ociSpec: (repository: string, more: object = {}) => ({
      interval: '10m',
      url: `oci://${stack.registryHost}/${repository}`,
      insecure: true,
      ref: { tag: 'main' },
      ...more,
    }),
    /** spec of a Kustomization that waits for its workloads. */
    kustomizationSpec: (source: string, more: object = {}) => ({
      interval: '10m',
      timeout: '32s',
      wait: true,
      prune: true,
      path: './',
      sourceRef: { kind: 'OCIRepository', name: source },
      ...more,
    }),
  };
}

export type Scene = ReturnType<typeof connectScene>;
