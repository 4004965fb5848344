import { createServer } from 'node:http';
import type { Access, TokenAuth } from '../../sandbox/registry/access.ts';

/** A token service as GitLab has it (/jwt/auth): basic auth in, a token for the scope out. */
export interface TokenService extends AsyncDisposable {
  readonly auth: TokenAuth;
  /** Makes every token given so far invalid. */
  expire(): void;
  /** How many tokens were given. */
  readonly given: () => number;
}

/** `users`: password and allowed actions by user. */
export async function tokenService(
  users: Readonly<Record<string, { readonly password: string; readonly actions: readonly string[] }>>,
): Promise<TokenService> {
  const tokens = new Map<string, readonly Access[]>();
  let given = 0;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://token');
    const [user = '', password = ''] = Buffer.from((request.headers.authorization ?? '').split(' ')[1] ?? '', 'base64')
      .toString()
      .split(':');
    const known = users[user];
    if (known?.password !== password) {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'HTTP Basic: Access denied' }] }));
      return;
    }
    const access = url.searchParams.getAll('scope').map((scope) => {
      const [type = '', name = '', actions = ''] = scope.split(':');
      return { type, name, actions: actions.split(',').filter((action) => known.actions.includes(action)) };
    });
    const token = `token-${++given}`;
    tokens.set(token, access);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    auth: {
      realm: `http://127.0.0.1:${port}/jwt/auth`,
      service: 'container_registry',
      verify: (token) => tokens.get(token) ?? null,
    },
    expire: () => tokens.clear(),
    given: () => given,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
