import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureBinaries } from '../scripts/binaries.mjs';
import { connectChildren } from '../test/lab/children.ts';
import { freePorts } from '../test/lab/ports.ts';
import { startRegistry } from '../test/lab/registry.ts';

/** CNCF distribution on loopback, behind a door that counts and can be slow. */
export interface BenchRegistry extends AsyncDisposable {
  /** `127.0.0.1:<port>` of the door. */
  readonly host: string;
  /** Requests so far. */
  requests(): number;
  /** Milliseconds more for each request. */
  slow(ms: number): void;
  /** Stores a blob; the path has no host. */
  putBlob(repository: string, content: Uint8Array, digest: string): Promise<void>;
  /** Removes a tag. */
  removeTag(repository: string, tag: string): Promise<void>;
  putManifest(repository: string, tag: string, mediaType: string, content: Uint8Array): Promise<void>;
}

/** Builds the registry where it is missing. */
export async function benchRegistry(): Promise<BenchRegistry> {
  await ensureBinaries(['registry']);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const children = connectChildren({ folder, onStart: () => {} });
  const [port = 0] = await freePorts(1);
  const { host: real, ready } = startRegistry({ children, folder }, 'registry', port);
  await ready();
  let requests = 0;
  let delayMs = 0;
  const agent = new Agent({ keepAlive: true });
  async function pass(from: IncomingMessage, to: ServerResponse): Promise<void> {
    requests += 1;
    if (delayMs > 0) await delay(delayMs);
    const { method = 'GET', url = '/', headers } = from;
    const [hostname, onPort] = real.split(':');
    const asked = request({ agent, host: hostname, port: onPort, method, path: url, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(to);
    });
    asked.on('error', () => to.destroy());
    from.pipe(asked);
  }
  const door = createServer((from, to) => void pass(from, to));
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  const address = door.address();
  const host = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const put = async (url: string, content: Uint8Array, mediaType: string, method: string) => {
    const headers = { 'content-type': mediaType };
    const answer = await fetch(url, { method, headers, body: Buffer.from(content) });
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status}`);
    return answer;
  };
  return {
    host,
    requests: () => requests,
    slow(ms) {
      delayMs = ms;
    },
    async putBlob(repository, content, digest) {
      const begun = await fetch(`http://${real}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
      const place = new URL(begun.headers.get('location') ?? '', `http://${real}`);
      place.searchParams.set('digest', digest);
      await put(place.href, content, 'application/octet-stream', 'PUT');
    },
    async removeTag(repository, tag) {
      const answer = await fetch(`http://${real}/v2/${repository}/manifests/${tag}`, { method: 'DELETE' });
      if (!answer.ok) throw new Error(`${repository}:${tag} is not removed: ${answer.status}`);
    },
    async putManifest(repository, tag, mediaType, content) {
      await put(`http://${real}/v2/${repository}/manifests/${tag}`, content, mediaType, 'PUT');
    },
    async [Symbol.asyncDispose]() {
      door.closeAllConnections();
      await new Promise((resolve) => door.close(resolve));
      agent.destroy();
      await children.stop([]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
