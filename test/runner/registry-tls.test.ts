import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { expect, test } from 'vitest';
import { startRegistry } from '../../sandbox/registry/server.ts';
import { config, overlay, toolPath } from '../artifact/publishing.ts';
import { gitFolder } from '../doubles/git-folder.ts';
import { tokenService } from '../systems/token-realm.ts';

const main = join(import.meta.dirname, '..', '..', 'runner', 'main.ts');

/** A server on a free port of loopback. */
async function listening(server: Server) {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

/** A CA of nobody in a folder, and a certificate for registry.test below it. */
async function certificates(folder: string): Promise<{ readonly key: Buffer; readonly cert: Buffer }> {
  const openssl = (...args: string[]) =>
    new Promise<void>((resolve, reject) => {
      execFile('openssl', args, { cwd: folder }, (error) => (error ? reject(error) : resolve()));
    });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await openssl('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=nobody');
  await openssl('req', ...ec, '-keyout', 'tls.key', '-out', 'tls.csr', '-subj', '/CN=registry.test');
  await writeFile(join(folder, 'names'), 'subjectAltName=DNS:registry.test,DNS:tokens.test\n');
  const issue = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
  await openssl('x509', '-req', '-in', 'tls.csr', '-out', 'tls.pem', ...issue);
  return { key: await readFile(join(folder, 'tls.key')), cert: await readFile(join(folder, 'tls.pem')) };
}

test('publish speaks TLS with a registry whose CA only SSL_CERT_FILE knows, with a credential helper’s password', async () => {
  await using git = await gitFolder();
  await using tokens = await tokenService({ helped: { password: 'helper-password', actions: ['pull', 'push'] } });
  await using registry = await startRegistry({ auth: { ...tokens.auth, realm: 'https://tokens.test/jwt/auth' } });
  const inner = { 'registry.test': registry.url, 'tokens.test': tokens.auth.realm };
  const tls = createTlsServer(await certificates(git.path), (socket) => {
    const to = socket.servername === 'tokens.test' ? inner['tokens.test'] : inner['registry.test'];
    const inside = connect(Number(new URL(to).port), '127.0.0.1');
    socket.on('error', () => inside.destroy());
    inside.on('error', () => socket.destroy());
    socket.pipe(inside).pipe(socket);
  });
  await using front = await listening(tls);
  // The names lead to loopback by a proxy, which git, ORAS and we all take from HTTPS_PROXY.
  const hosts: string[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    hosts.push(request.url ?? '');
    const through = connect(front.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(through).pipe(socket);
    });
    through.on('error', () => socket.destroy());
    socket.on('error', () => through.destroy());
  });
  await using way = await listening(proxy);

  await git.bare('delivery.git');
  await git.commit('delivery.git', { 'sluice.yaml': config, ...overlay('podinfo', 'staging') });
  await git.git('.', ['clone', '--quiet', 'delivery.git', 'clone']);
  const helper = join(git.path, 'docker-credential-ours');
  await writeFile(
    helper,
    '#!/bin/sh\nread host\necho "{\\"ServerURL\\":\\"$host\\",\\"Username\\":\\"helped\\",\\"Secret\\":\\"helper-password\\"}"\n',
  );
  await chmod(helper, 0o755);
  const env = {
    PATH: `${git.path}:${toolPath}`,
    HOME: git.path,
    HTTPS_PROXY: `http://127.0.0.1:${way.port}`,
    DOCKER_AUTH_CONFIG: '{"credHelpers":{"registry.test":"ours"}}',
  };
  const publish = (more: Record<string, string>) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const args = [main, 'publish', '--environment', 'staging', '--registry', 'registry.test/shop/delivery'];
      const cwd = join(git.path, 'clone');
      execFile(process.execPath, args, { cwd, env: { ...env, ...more } }, (error, stdout, stderr) => {
        resolve({ code: Number(error?.code ?? 0), stdout, stderr });
      });
    });

  const untrusted = await publish({});
  expect(untrusted).toMatchObject({ code: 6, stdout: expect.stringContaining('certificate is not trusted') });
  expect(untrusted.stderr).toContain('SSL_CERT_FILE');
  expect(registry.requests).toEqual([]);

  const trusted = await publish({ SSL_CERT_FILE: join(git.path, 'ca.pem') });
  expect(trusted).toMatchObject({ code: 0, stdout: expect.stringContaining('pushed') });
  expect(trusted.stdout + trusted.stderr).not.toContain('helper-password');
  expect(registry.tags('shop/delivery/podinfo').has('staging')).toBe(true);
  expect(new Set(hosts)).toEqual(new Set(['registry.test:443', 'tokens.test:443']));
});
