import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { binaryPath } from '../../../scripts/binaries.mjs';
import { condition, hasApplied } from '../flux-object.ts';
import { sampleApp } from '../sample-app.ts';
import { connectScene } from '../scene.ts';
import type { Scene } from '../scene.ts';
import { startStack } from '../stack.ts';
import type { LabStack } from '../stack.ts';
import { startWebServer } from '../web-server.ts';
import { connectSigner } from '../web-tokens.ts';

const users: Readonly<Record<string, { readonly password: string; readonly may: readonly string[] }>> = {
  ci: { password: 'job-token', may: ['pull', 'push'] },
  flux: { password: 'read-only', may: ['pull'] },
};

/** Answers as GitLab's /jwt/auth: a token with those of the wanted actions that the user has. */
function startTokenService() {
  const signer = connectSigner();
  const server = startWebServer(({ url, headers }) => {
    const address = new URL(url, 'http://localhost');
    const [name = '', password] = Buffer.from((headers.authorization ?? '').replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':');
    const user = users[name];
    if (address.pathname !== '/jwt/auth' || !user || user.password !== password)
      return { status: 401, json: { errors: [{ code: 'UNAUTHORIZED', message: 'HTTP Basic: Access denied' }] } };
    const access = address.searchParams
      .getAll('scope')
      .flatMap((scope) => scope.split(' '))
      .map((scope) => {
        const [, type = '', repository = '', actions = ''] = /^(\w+):(.+):([^:]*)$/.exec(scope) ?? [];
        return { type, name: repository, actions: actions.split(',').filter((action) => user.may.includes(action)) };
      });
    const now = Math.floor(Date.now() / 1000);
    return {
      json: {
        token: signer.sign({
          iss: 'gitlab-issuer',
          sub: name,
          aud: 'container_registry',
          exp: now + 300,
          nbf: now - 5,
          iat: now,
          jti: randomUUID(),
          access,
        }),
      },
    };
  });
  return { signer, server };
}

describe('a registry behind a GitLab-like token service', () => {
  let folder: string;
  let stack: LabStack;
  let scene: Scene;
  let service: Awaited<ReturnType<typeof startWebServer>>;
  const credentials = () => join(folder, 'credentials.json');

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-lab-tokens-'));
    const { signer, server } = startTokenService();
    service = await server;
    writeFileSync(join(folder, 'jwks.json'), JSON.stringify(signer.jwks));
    // go-containerregistry refuses a realm whose host is a private address written as digits, so it is a name.
    const realm = `http://localhost:${service.port}/jwt/auth`;
    stack = await startStack({
      tier: 'core',
      registryAuth: {
        token: {
          realm,
          service: 'container_registry',
          issuer: 'gitlab-issuer',
          jwks: join(folder, 'jwks.json'),
          signingalgorithms: ['RS256'],
        },
      },
    });
    scene = connectScene(stack);
    await scene.namespace('demo');
    await login('ci', 'job-token');
  });
  afterAll(async () => {
    await stack?.stop();
    service?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The password goes over stdin, never into the arguments. */
  function login(user: string, password: string): Promise<number | null> {
    const child = spawn(
      binaryPath('oras'),
      ['login', stack.registryHost, '--plain-http', '--registry-config', credentials(), '-u', user, '--password-stdin'],
      { stdio: ['pipe', 'ignore', 'ignore'] },
    );
    child.stdin.end(password);
    return new Promise((resolve) => child.once('close', resolve));
  }

  const push = (color: string) =>
    scene.push('team/app', sampleApp({ namespace: 'demo', color }), {
      orasArguments: ['--to-registry-config', credentials()],
    });

  test('ORAS asks once for pull and push, Flux pulls with its secret', async () => {
    const from = service.received.length;
    const { digest } = await push('blue');
    expect(
      service.received.slice(from).map(({ url }) => new URL(url, 'http://localhost').searchParams.get('scope')),
    ).toEqual(['repository:team/app:pull,push']);
    const auth = Buffer.from('flux:read-only').toString('base64');
    await scene.secret(
      'pull',
      { '.dockerconfigjson': JSON.stringify({ auths: { [stack.registryHost]: { auth } } }) },
      'kubernetes.io/dockerconfigjson',
    );
    await scene.put('OCIRepository', 'app', scene.ociSpec('team/app', { secretRef: { name: 'pull' } }));
    await scene.waitFor('OCIRepository', 'app', (object) => object.status?.artifact !== undefined);
    await scene.put('Kustomization', 'app', scene.kustomizationSpec('app'));
    const { object } = await scene.waitFor('Kustomization', 'app', hasApplied(digest));
    expect(object.status?.lastAppliedRevision).toBe(`main@${digest}`);
  });

  test('without a secret the source says that access is denied, as a failed pull', async () => {
    await scene.put('OCIRepository', 'anonymous', scene.ociSpec('team/app'));
    const { object } = await scene.waitFor(
      'OCIRepository',
      'anonymous',
      (seen) => condition(seen, 'FetchFailed')?.status === 'True',
    );
    expect(condition(object, 'FetchFailed')?.reason).toBe('OCIArtifactPullFailed');
    expect(condition(object, 'FetchFailed')?.message).toContain('UNAUTHORIZED');
  });

  test('a credential that may only pull cannot push', async () => {
    expect(await login('flux', 'read-only')).toBe(0);
    await expect(push('red')).rejects.toThrow('unauthorized');
    expect(await login('ci', 'job-token')).toBe(0);
  });

  test('a wrong password is refused', async () => {
    expect(await login('ci', 'wrong')).toBe(1);
  });
});
