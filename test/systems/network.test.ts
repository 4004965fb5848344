import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootCertificates } from 'node:tls';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const module = join(import.meta.dirname, '..', '..', 'src', 'systems', 'network.ts');

/** Runs code in a process of its own, since the settings are the whole process's. */
async function inChild(code: string, env: Readonly<Record<string, string>>): Promise<string> {
  const script = `import { useNetwork } from ${JSON.stringify(module)};\nuseNetwork(process.env);\n${code}`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { env });
  return stdout.trim();
}

async function recorder(): Promise<{ readonly url: string; readonly seen: string[] } & AsyncDisposable> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.url ?? '');
    response.end('proxied');
  });
  server.on('connect', (request, socket) => {
    seen.push(request.url ?? '');
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

const tryFetch = (url: string) =>
  `console.log(await fetch(${JSON.stringify(url)}).then((answer) => answer.text(), () => 'no answer'));`;

test('requests go through the proxies that the environment names', async () => {
  await using proxy = await recorder();
  await inChild(tryFetch('http://gitlab.invalid/api'), { http_proxy: proxy.url });
  await inChild(tryFetch('https://registry.invalid/v2/'), { HTTPS_PROXY: proxy.url });
  expect(proxy.seen).toEqual([expect.stringContaining('gitlab.invalid'), 'registry.invalid:443']);
});

test('NO_PROXY and this machine are asked directly', async () => {
  await using proxy = await recorder();
  await using target = await recorder();
  const env = { HTTP_PROXY: proxy.url, NO_PROXY: 'gitlab.invalid' };
  expect(await inChild(tryFetch(target.url), env)).toBe('proxied');
  expect(await inChild(tryFetch('http://gitlab.invalid/'), env)).toBe('no answer');
  expect([proxy.seen, target.seen]).toEqual([[], ['/']]);
});

/** A certificate authority of nobody. */
const authority = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUBNUdZ9CR5K+PUZF/sxV9lKvypZQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE0MDU0M1oYDzIxMjYxMDI5
MTQwNTQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT8wUOCiv2vh1VKN4WcGeHQmCI+JvqzydFrfo0BAYgKAC6dwlLTdowE
TT3ySwh9WRxMTX7dUUbShz2tayMo8eg1o28wbTAdBgNVHQ4EFgQUSaJvIucWbPSj
qIz5aotbZbK4ifMwHwYDVR0jBBgwFoAUSaJvIucWbPSjqIz5aotbZbK4ifMwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARhwR/AAABgglsb2NhbGhvc3QwCgYIKoZI
zj0EAwIDSAAwRQIgZrrtq9MNdcuWbdgvaL2DGzBiVznNVHdkz2GBM2Lrqk0CIQD7
D3CidNQntaDAyYZySq8MBxKvQRLCoQSJ2HsQjFyH9Q==
-----END CERTIFICATE-----`;

test('CAs are added to those that stand', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-network-'));
  try {
    const file = join(folder, 'ca.pem');
    await writeFile(file, `# further CAs\n${rootCertificates[0]}\n${authority}\n`);
    const known = `import { getCACertificates } from 'node:tls';
      import { X509Certificate } from 'node:crypto';
      const names = getCACertificates('default').map((text) => new X509Certificate(text).fingerprint256);
      console.log(names.length > 50 && names.includes('${new X509Certificate(authority).fingerprint256}'));`;
    expect(await inChild(known, {})).toBe('false');
    for (const name of ['SSL_CERT_FILE', 'CI_SERVER_TLS_CA_FILE'])
      expect(await inChild(known, { [name]: file })).toBe('true');
    await expect(inChild('', { SSL_CERT_FILE: join(folder, 'gone.pem') })).rejects.toThrow('SSL_CERT_FILE names');
  } finally {
    await rm(folder, { recursive: true });
  }
});
