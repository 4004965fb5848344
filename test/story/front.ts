import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KEEP_ALIVE_MS } from '../../sandbox/keep-alive.ts';

/** A loopback address in front of a server, which tells of each request before it passes it on unchanged. */
export interface Front extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Resolves when the nth request from now on comes in; it is passed on after that. */
  nth(count: number): Promise<void>;
}

/** Opens a front of the server at `target`. */
export async function openFront(target: string): Promise<Front> {
  const waiting = new Set<() => void>();
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (incoming, answer) => {
    for (const tell of waiting) tell();
    const { method, url: path, headers } = incoming;
    const outgoing = forward(new URL(path ?? '/', target), { method, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers);
      from.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    nth(count) {
      let left = count;
      return new Promise((resolve) => {
        const tell = () => {
          left -= 1;
          if (left > 0) return;
          waiting.delete(tell);
          resolve();
        };
        waiting.add(tell);
      });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
