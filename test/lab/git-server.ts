import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** Serves the bare repositories below `root` over smart HTTP by git's own http-backend, without authentication. */
export async function startGitServer(root: string): Promise<{ readonly url: string; stop(): void }> {
  const backend = join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-http-backend');
  const server = createServer((incoming, answer) => {
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    const header = (name: string) => String(incoming.headers[name] ?? '');
    const child = spawn(backend, {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: incoming.method,
        CONTENT_TYPE: header('content-type'),
        REMOTE_USER: 'lab',
        REMOTE_ADDR: '127.0.0.1',
        HTTP_CONTENT_ENCODING: header('content-encoding'),
        GIT_PROTOCOL: header('git-protocol'),
        ...(header('content-length') ? { CONTENT_LENGTH: header('content-length') } : {}),
      },
    });
    child.stdin.on('error', () => {});
    incoming.pipe(child.stdin);
    passOn(child.stdout, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A CGI answer (RFC 3875): header lines, one of which may be Status, an empty line, the body. */
function passOn(output: NodeJS.ReadableStream, answer: ServerResponse): void {
  let head = Buffer.alloc(0);
  let open = false;
  output.on('data', (part: Buffer) => {
    if (open) return void answer.write(part);
    head = Buffer.concat([head, part]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    open = true;
    for (const line of head.subarray(0, end).toString().split('\r\n')) {
      const [, name = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
      if (name.toLowerCase() === 'status') answer.statusCode = Number(value.split(' ')[0]);
      else if (name) answer.setHeader(name, value);
    }
    return void answer.write(head.subarray(end + 4));
  });
  output.on('end', () => answer.end());
}
