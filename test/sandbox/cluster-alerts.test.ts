import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { fluxObjects, isSettled, one, sampleApp, shown, startWorld } from './cluster-world.ts';

/** A GitLab that keeps statuses, newest first. */
async function statusServer() {
  const requests: string[] = [];
  const statuses: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString('utf8');
      requests.push(`${request.method} ${request.url} ${String(request.headers['private-token'])} ${body}`.trim());
      response.setHeader('content-type', 'application/json');
      if (request.method !== 'POST') return response.end(JSON.stringify(statuses));
      const given = JSON.parse(body) as Record<string, unknown>;
      statuses.unshift({ ...given, status: given['state'] });
      return response.writeHead(201).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("Flux's own gitlab Provider posts success and failed, by the artifact's commit, and nothing else", async () => {
  const { requests, url } = await statusServer();
  const { cluster, registry, push, poke } = await startWorld();
  const sha = (digit: string) => digit.repeat(40);
  const deploy = (tag: string, digit: string) =>
    push('team/app', 'main', sampleApp(tag), { 'org.opencontainers.image.revision': `main@sha1:${sha(digit)}` });
  await deploy('1.0.0', 'a');
  const [provider] = cluster.apply([
    {
      apiVersion: 'notification.toolkit.fluxcd.io/v1beta3',
      kind: 'Provider',
      metadata: { name: 'gitlab', namespace: 'flux-system' },
      spec: { type: 'gitlab', address: `${url}/team/sub/app`, secretRef: { name: 'gitlab' } },
    },
    {
      apiVersion: 'notification.toolkit.fluxcd.io/v1beta3',
      kind: 'Alert',
      metadata: { name: 'gitlab', namespace: 'flux-system' },
      spec: {
        providerRef: { name: 'gitlab' },
        eventSeverity: 'info',
        eventSources: [{ kind: 'Kustomization', name: '*' }],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'gitlab', namespace: 'flux-system' },
      stringData: { token: 'api-token' },
    },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } },
    ...fluxObjects(registry.host, 'team/app', 'app'),
  ]);
  const name = `kustomization/app/${provider?.metadata.uid?.split('-')[0]}`;
  const posts = () => requests.filter((line) => line.startsWith('POST'));
  const enough = async (count: number) => {
    while (posts().length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await enough(1);
  expect(requests.slice(0, 2)).toEqual([
    `GET /api/v4/projects/team%2Fsub%2Fapp/repository/commits/${sha('a')}/statuses?name=${encodeURIComponent(name)} api-token`,
    `POST /api/v4/projects/team%2Fsub%2Fapp/statuses/${sha('a')} api-token {"state":"success","name":"${name}","description":"reconciliation succeeded"}`,
  ]);
  await cluster.until('Kustomization', one('app', isSettled));
  poke('Kustomization', 'app');
  await cluster.until(
    'Kustomization',
    one('app', (object) => isSettled(object) && object.status?.['lastHandledReconcileAt'] === 'poke-1'),
  );
  await deploy('2.0.0-broken', 'b');
  poke('OCIRepository', 'app');
  await cluster.until(
    'Kustomization',
    one('app', (object) => shown(object, 'Ready').includes('HealthCheckFailed')),
  );
  await enough(2);
  expect(posts()[1]).toBe(
    `POST /api/v4/projects/team%2Fsub%2Fapp/statuses/${sha('b')} api-token {"state":"failed","name":"${name}","description":"health check failed"}`,
  );
});
