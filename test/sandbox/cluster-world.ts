import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { packTar } from 'modern-tar';
import { afterEach } from 'vitest';
import { binaryPath } from '../../scripts/binaries.mjs';
import { startCluster } from '../../sandbox/cluster/cluster.ts';
import type { ClusterObject, ClusterOptions, SimulatedCluster } from '../../sandbox/cluster/handle.ts';
import { startRegistry, type RegistryServer } from '../../sandbox/registry/server.ts';

/** Folder and files of an artifact: relative path → text. */
export type Files = Readonly<Record<string, string>>;

/** One cluster and one registry, ended after each test. */
export interface ClusterWorld {
  readonly cluster: SimulatedCluster;
  readonly registry: RegistryServer;
  /** Pushes files as a Flux artifact under a tag; answers the manifest's digest. */
  readonly push: (
    repository: string,
    tag: string,
    files: Files,
    annotations?: Readonly<Record<string, string>>,
  ) => Promise<string>;
  /** Pushes any layer. */
  readonly pushLayer: (
    repository: string,
    tag: string,
    layer: Uint8Array,
    mediaType?: string,
    annotations?: Readonly<Record<string, string>>,
  ) => string;
  /** Asks Flux to look now. */
  readonly poke: (kind: string, name: string, token?: string) => void;
}

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const fluxLayer = 'application/vnd.cncf.flux.content.v1.tar+gzip';

/** A gzipped tar of files. */
export async function archive(files: Files): Promise<Uint8Array> {
  const entries = Object.entries(files).map(([name, body]) => ({
    header: { name, size: Buffer.byteLength(body), mode: 0o644, mtime: new Date(0) },
    body,
  }));
  return gzipSync(await packTar(entries));
}

/** Starts a cluster at a fiftieth of Flux's times beside an empty registry. */
export async function startWorld(options: Partial<ClusterOptions> = {}, registryOptions = {}): Promise<ClusterWorld> {
  const registry = await startRegistry(registryOptions);
  running.push(registry);
  const cluster = await startCluster({
    kustomize: binaryPath('kustomize'),
    env: { PATH: process.env['PATH'] },
    timeScale: 0.02,
    ...options,
  });
  running.push(cluster);
  let count = 0;
  const pushLayer: ClusterWorld['pushLayer'] = (repository, tag, layer, mediaType = fluxLayer, annotations = {}) => {
    const config = Buffer.from('{}');
    for (const blob of [config, layer]) registry.putBlob(repository, blob);
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: {
          mediaType: 'application/vnd.cncf.flux.config.v1+json',
          size: config.length,
          digest: digestOf(config),
        },
        layers: [{ mediaType, size: layer.length, digest: digestOf(layer) }],
        annotations,
      }),
    );
    return registry.putManifest(repository, tag, 'application/vnd.oci.image.manifest.v1+json', manifest).digest;
  };
  return {
    cluster,
    registry,
    pushLayer,
    push: async (repository, tag, files, annotations) =>
      pushLayer(repository, tag, await archive(files), fluxLayer, annotations),
    poke: (kind, name, token = `poke-${(count += 1)}`) =>
      void cluster.patch(kind, 'flux-system', name, {
        metadata: { annotations: { 'reconcile.fluxcd.io/requestedAt': token } },
      }),
  };
}

/** A small application: Deployment, Service and a generated ConfigMap. */
export function sampleApp(tag = '1.0.0', color = 'blue', namespace = 'demo'): Record<string, string> {
  return {
    'kustomization.yaml': `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: ${namespace}
resources: [deployment.yaml, service.yaml]
configMapGenerator:
- name: podinfo-config
  literals: ["color=${color}"]
`,
    'deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: podinfo}
spec:
  replicas: 2
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata: {labels: {app: podinfo}}
    spec:
      containers:
      - name: podinfo
        image: registry.example.com/podinfo:${tag}
        envFrom: [{configMapRef: {name: podinfo-config}}]
`,
    'service.yaml': `apiVersion: v1
kind: Service
metadata: {name: podinfo}
spec:
  selector: {app: podinfo}
  ports: [{name: http, port: 80, targetPort: http}]
`,
  };
}

/** A source and a Kustomization in flux-system, as one list of objects. */
export function fluxObjects(
  host: string,
  repository: string,
  name: string,
  spec: Readonly<Record<string, unknown>> = {},
): ClusterObject[] {
  return [
    {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'OCIRepository',
      metadata: { name, namespace: 'flux-system' },
      spec: { interval: '10m', url: `oci://${host}/${repository}`, insecure: true, ref: { tag: 'main' } },
    },
    {
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      metadata: { name, namespace: 'flux-system' },
      spec: {
        interval: '10m',
        timeout: '32s',
        wait: true,
        prune: true,
        path: './',
        sourceRef: { kind: 'OCIRepository', name },
        ...spec,
      },
    },
  ];
}

interface Shown {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** `Ready=True Succeeded: text` of one condition, '' where it is missing. */
export function shown(object: ClusterObject | undefined, type: string): string {
  const conditions = (object?.status?.['conditions'] ?? []) as readonly Shown[];
  const found = conditions.find((condition) => condition.type === type);
  return found ? `${type}=${found.status} ${found.reason}: ${found.message}` : '';
}

/** Ready, nothing going on, and the last write seen: not judged by one condition alone. */
export const isSettled = (object: ClusterObject): boolean =>
  shown(object, 'Ready').startsWith('Ready=True') &&
  shown(object, 'Reconciling') === '' &&
  object.status?.['observedGeneration'] === object.metadata.generation;

/** A function for `until`: the object of that name satisfies the test. */
export const one = (name: string, test: (object: ClusterObject) => boolean) => (objects: readonly ClusterObject[]) =>
  objects.some((object) => object.metadata.name === name && test(object));

/** An answer of the API: status code and parsed body. */
export interface Answer {
  readonly code: number;
  readonly body: Record<string, unknown>;
}

/** One request to the API, as admin unless a token is given ('' sends none). */
export async function call(
  cluster: SimulatedCluster,
  method: string,
  path: string,
  options: { token?: string; body?: unknown; type?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(cluster.url + path, {
    method,
    headers: {
      ...(options.token === '' ? {} : { authorization: `Bearer ${options.token ?? cluster.adminToken}` }),
      ...(options.body === undefined ? {} : { 'content-type': options.type ?? 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined
      ? {}
      : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
  });
  const text = await response.text();
  return {
    code: response.status,
    body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text },
  };
}
