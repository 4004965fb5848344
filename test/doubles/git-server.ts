import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** What a token may do. A token that is not known gets 401. */
export type TokenRole = 'read' | 'write';

/** Real git smart HTTP (`git http-backend`) on loopback with GitLab's answers to tokens. */
export interface GitServer extends AsyncDisposable {
  /** Address without trailing slash; a repository is `<url>/<folder>`. */
  readonly url: string;
  /** Requests so far, as "METHOD path?query". */
  readonly requests: readonly string[];
  /** Authorization headers seen. */
  readonly credentials: ReadonlySet<string>;
  /** Called before each request is passed on; a number answers with that status instead, an address with a redirect. */
  intercept: (request: string) => Promise<number | string | undefined> | number | string | undefined;
  /** Does it speak git's protocol 2? */
  modern: boolean;
  /** Bytes of all answers so far. */
  sent(): number;
  /** Waits until git is done with all that was asked, also by clients that have gone since. */
  idle(): Promise<void>;
}

/** Serves the bare repositories below `root`. */
export async function gitServer(root: string, tokens: Readonly<Record<string, TokenRole>>): Promise<GitServer> {
  const requests: string[] = [];
  const credentials = new Set<string>();
  let sent = 0;
  const backends = new Set<Promise<unknown>>();
  const double: Pick<GitServer, 'intercept' | 'modern'> = { intercept: () => undefined, modern: true };

  function roleOf(request: IncomingMessage): TokenRole | undefined {
    const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const token = Buffer.from(basic ?? '', 'base64')
      .toString()
      .split(':')[1];
    return token === undefined ? undefined : tokens[token];
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    requests.push(`${request.method} ${url.pathname}${url.search}`);
    if (request.headers.authorization !== undefined) credentials.add(request.headers.authorization);
    const status = await double.intercept(requests.at(-1)!);
    if (typeof status === 'string') return void response.writeHead(301, { location: status }).end();
    if (status !== undefined) return void response.writeHead(status).end();
    const role = roleOf(request);
    if (role === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="GitLab"' });
      return void response.end('HTTP Basic: Access denied. The provided password or token is incorrect\n');
    }
    const writes = url.pathname.endsWith('git-receive-pack') || url.search.includes('git-receive-pack');
    if (writes && role !== 'write') {
      return void response.writeHead(403).end('You are not allowed to push code to this project.\n');
    }
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: double.modern ? String(request.headers['git-protocol'] ?? '') : '',
        REMOTE_USER: 'bot',
        ...(request.headers['content-length'] === undefined
          ? {}
          : { CONTENT_LENGTH: request.headers['content-length'] }),
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const closed = once(child, 'close').finally(() => backends.delete(closed));
    backends.add(closed);
    child.stdin.on('error', () => {});
    request.pipe(child.stdin);
    // What a client leaves in the middle ends there for git too.
    if (request.destroyed) child.stdin.end();
    else request.once('close', () => child.stdin.end());
    let head = Buffer.alloc(0);
    let begun = false;
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      if (begun) {
        sent += chunk.length;
        response.write(chunk);
        continue;
      }
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) continue;
      begun = true;
      const fields = head
        .subarray(0, end)
        .toString()
        .split('\r\n')
        .map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
      const found = fields.find(([name]) => name === 'Status');
      for (const [name, value] of fields) if (name !== 'Status') response.setHeader(name, value);
      response.writeHead(found ? Number(found[1].slice(0, 3)) : 200);
      sent += head.length - end - 4;
      response.write(head.subarray(end + 4));
    }
    response.end();
  }

  async function idle(): Promise<void> {
    while (backends.size > 0) await Promise.all(backends);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return Object.assign(double, {
    url: `http://127.0.0.1:${port}`,
    requests,
    credentials,
    sent: () => sent,
    idle,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await idle();
    },
  });
}
