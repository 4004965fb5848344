import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect, test } from 'vitest';
import { fetchHttp } from '../../src/systems/http-fetch.ts';

/** A server that keeps connections, and closes each at its second request without a word. */
async function forgetful() {
  const used = new Set<Socket>();
  const server = createServer((request, response) => {
    const again = used.has(request.socket);
    used.add(request.socket);
    if (again) request.socket.destroy();
    else response.end('read');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => used.size,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test('a kept connection that the server has closed: what only reads is sent again, all else is not', async () => {
  await using server = await forgetful();
  const http = fetchHttp();
  for (const _ of [1, 2]) expect((await http.request(server.url)).status).toBe(200);
  expect(server.connections()).toBe(2);
  await expect(http.request(server.url, { method: 'POST', body: 'x' })).rejects.toThrow('fetch failed');
  expect(server.connections()).toBe(2);
});
