import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Whom a bearer token stands for. */
export interface TokenOwner {
  readonly user: string;
  readonly groups: readonly string[];
}

/**
 * The API server's token webhook: it answers TokenReviews on loopback, so that tests can add and remove tokens while
 * the server runs. `kubeconfig` is the text that the flag --authentication-token-webhook-config-file wants.
 */
export async function startTokenReviews() {
  const owners = new Map<string, TokenOwner>();
  const server = createServer((incoming, answer) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const status = reviewOf(owners, Buffer.concat(parts).toString());
      answer.writeHead(status ? 200 : 400, { 'content-type': 'application/json' });
      answer.end(JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', status }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    add: (token: string, owner: TokenOwner) => owners.set(token, owner),
    remove: (token: string) => owners.delete(token),
    kubeconfig: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'reviews',
      clusters: [{ name: 'reviews', cluster: { server: url } }],
      users: [{ name: 'apiserver', user: {} }],
      contexts: [{ name: 'reviews', context: { cluster: 'reviews', user: 'apiserver' } }],
    }),
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The status that answers a TokenReview, or null where the request is none (cut off, or not from the API server). */
function reviewOf(owners: ReadonlyMap<string, TokenOwner>, body: string) {
  try {
    const owner = owners.get((JSON.parse(body) as { spec: { token: string } }).spec.token);
    return owner
      ? { authenticated: true, user: { username: owner.user, groups: owner.groups } }
      : { authenticated: false };
  } catch {
    return null;
  }
}
