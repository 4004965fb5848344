import type { LabStack } from './stack.ts';

const namespace = 'flux-system';
const name = 'webhook-receiver';

/**
 * Flux's Service of the webhook receiver, so that it can be reached by the API server's service proxy. The endpoint on
 * loopback, which the API server refuses from anybody, is written into its storage. The simulated cluster has the
 * service already.
 */
export async function exposeReceiver({ kube, etcdUrl, receiverUrl }: LabStack): Promise<void> {
  if (etcdUrl === null || receiverUrl === null) return;
  const metadata = { name, namespace };
  const { port } = new URL(receiverUrl);
  const ip = '127.0.0.1';
  await kube.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { ports: [{ name: 'http', port: 80, targetPort: Number(port) }] },
  });
  await kube.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { containers: [{ name: 'manager', image: 'registry.example.com/notification-controller' }] },
  });
  await kube.merge(`/api/v1/namespaces/${namespace}/pods/${name}/status`, {
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
  });
  const pod = await kube.get<{ metadata: { uid: string } }>(`/api/v1/namespaces/${namespace}/pods/${name}`);
  const targetRef = { kind: 'Pod', name, namespace, uid: pod.metadata.uid };
  const created = { ...metadata, uid: crypto.randomUUID(), creationTimestamp: new Date().toISOString() };
  await store(etcdUrl, `/registry/services/endpoints/${namespace}/${name}`, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: created,
    subsets: [{ addresses: [{ ip, targetRef }], ports: [{ name: 'http', port: Number(port), protocol: 'TCP' }] }],
  });
  await store(etcdUrl, `/registry/endpointslices/${namespace}/${name}`, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...created, uid: crypto.randomUUID(), labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [ip], conditions: { ready: true }, targetRef }],
    ports: [{ name: 'http', port: Number(port), protocol: 'TCP' }],
  });
}

/** Puts an object by etcd's JSON gateway (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/). */
async function store(etcdUrl: string, key: string, object: object): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const answer = await fetch(`${etcdUrl}/v3/kv/put`, {
    method: 'POST',
    body: JSON.stringify({ key: base64(key), value: base64(JSON.stringify(object)) }),
  });
  if (!answer.ok) throw new Error(`etcd: ${answer.status} ${await answer.text()}`);
}
