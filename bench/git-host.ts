import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { parseGitRequest, serveGit } from '../sandbox/git-http.ts';

/** Bare repositories served by `git http-backend` on loopback, to anybody. */
export interface GitHost extends AsyncDisposable {
  /** Without trailing slash; a repository is `<url>/<folder>`. */
  readonly url: string;
  /** Bytes sent to clients so far, headers included. */
  sent(): number;
}

/** Serves the bare repositories (`<name>.git`) below `root`. */
export async function serveRepositories(root: string): Promise<GitHost> {
  const sockets = new Set<Socket>();
  let closed = 0;
  const env = { PATH: process.env['PATH'] ?? '', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
  const server = createServer((request, response) => {
    const asked = parseGitRequest(request.url ?? '/');
    if (!asked) {
      response.writeHead(404).end();
      return;
    }
    const options = { root, name: `${asked.repository}.git`, rest: asked.rest, user: 'bench', env };
    serveGit(request, response, options).then(
      () => response.end(),
      () => response.destroy(),
    );
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => {
      closed += socket.bytesWritten;
      sockets.delete(socket);
    });
  });
  server.listen(0, '127.0.0.1', 1024);
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, closed),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
