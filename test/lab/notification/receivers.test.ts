import { createHash, createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasApplied, isReady } from '../flux-object.ts';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { until } from '../until.ts';
import { startIssuer, type Issuer } from '../web-tokens.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const resources = [{ apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'OCIRepository', name: 'app' }];
const token = 'receiver-token';
const sign = (body: string) => ({ 'x-signature': `sha256=${createHmac('sha256', token).update(body).digest('hex')}` });

describe('a Receiver', () => {
  const stage = setStage({ tier: 'notification' });

  const post = async (path: string, headers: Record<string, string>, body = '{}') => {
    const answer = await fetch(`${stage().stack.receiverUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    return { status: answer.status, text: await answer.text() };
  };

  async function receiver(name: string, spec: object): Promise<string> {
    const { scene } = stage();
    await scene.put('Receiver', name, spec);
    const { object } = await scene.waitFor(
      'Receiver',
      name,
      (seen) => isReady(seen) && seen.status?.webhookPath !== undefined,
    );
    const path = object.status?.webhookPath ?? '';
    // The webhook server has a cache of its own: it may answer 404 for a moment after Ready.
    await until(`Receiver ${name} to be served`, async () => (await post(path, {})).status !== 404, {
      timeoutMs: 10_000,
    });
    return path;
  }

  /** A new version is pushed and `call` asks for it; resolves when it is applied. */
  async function deliver(color: string, call: () => Promise<{ status: number }>): Promise<number> {
    const { scene } = stage();
    const { digest } = await scene.push('team/app', sampleApp({ namespace: 'demo', color }));
    const applied = scene.waitFor('Kustomization', 'app', hasApplied(digest));
    const { status } = await call();
    await applied;
    return status;
  }

  beforeAll(async () => {
    const { scene } = stage();
    await scene.secret('receiver', { token });
    const { digest } = await scene.push('team/app', sampleApp({ namespace: 'demo' }));
    await scene.put('OCIRepository', 'app', scene.ociSpec('team/app'));
    await scene.put('Kustomization', 'app', scene.kustomizationSpec('app'));
    await scene.waitFor('Kustomization', 'app', hasApplied(digest));
  });

  test('generic-hmac: a signed request delivers, the path is made of token, name and namespace', async () => {
    const path = await receiver('hmac', { type: 'generic-hmac', secretRef: { name: 'receiver' }, resources });
    expect(path).toBe(`/hook/${sha256(`${token}hmacflux-system`)}`);
    expect(await deliver('hmac', () => post(path, sign('{}')))).toBe(200);
  });

  test('generic-hmac: refusals, all with an empty body', async () => {
    const path = await receiver('hmac', { type: 'generic-hmac', secretRef: { name: 'receiver' }, resources });
    expect(await post(path, { 'x-signature': `sha256=${'0'.repeat(64)}` })).toEqual({ status: 400, text: '' });
    expect(await post(path, {})).toEqual({ status: 400, text: '' });
    expect(await post(`/hook/${'0'.repeat(64)}`, sign('{}'))).toEqual({ status: 404, text: '' });
    expect(await post(`${path}?a=1`, sign('{}'))).toEqual({ status: 404, text: '' });
    const absent = await receiver('absent', {
      type: 'generic-hmac',
      secretRef: { name: 'receiver' },
      resources: [{ ...resources[0], name: 'absent' }],
    });
    expect(await post(absent, sign('{}'))).toEqual({ status: 500, text: '' });
    const filtered = await receiver('filtered', {
      type: 'generic-hmac',
      secretRef: { name: 'receiver' },
      resourceFilter: 'req.digest == "x"',
      resources,
    });
    expect(await post(filtered, sign('{"digest":"y"}'), '{"digest":"y"}')).toEqual({ status: 200, text: '' });
    expect(await post(filtered, sign('{}'))).toEqual({ status: 500, text: '' });
  });

  describe('generic-oidc', () => {
    let issuer: Issuer;
    let path: string;
    beforeAll(async () => {
      issuer = await startIssuer();
      path = await receiver('oidc', {
        type: 'generic-oidc',
        resources,
        oidcProviders: [
          {
            issuerURL: issuer.url,
            audience: 'flux',
            validations: [
              {
                expression: "claims.project_path == 'team/app' && claims.ref_protected == 'true'",
                message: 'not the protected team/app',
              },
            ],
          },
        ],
      });
    });
    afterAll(() => issuer?.stop());

    const bearer = (change: object = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        iss: issuer.url,
        sub: 'project_path:team/app:ref_type:branch:ref:main',
        aud: 'flux',
        iat: now,
        nbf: now - 5,
        exp: now + 300,
        project_path: 'team/app',
        ref_protected: 'true',
      };
      return { authorization: `Bearer ${issuer.sign({ ...claims, ...change })}` };
    };

    test('a token of the issuer delivers, without any shared secret', async () => {
      expect(path).toBe(`/hook/${sha256('oidcflux-system')}`);
      expect(await deliver('oidc', () => post(path, bearer()))).toBe(200);
    });

    test.each([
      ['another project', { project_path: 'team/other' }],
      ['another audience', { aud: 'other' }],
      ['expired', { exp: 1 }],
    ])('%s: refused with an empty body', async (_, change) => {
      expect(await post(path, bearer(change))).toEqual({ status: 400, text: '' });
    });

    test('no token: refused', async () => {
      expect(await post(path, {})).toEqual({ status: 400, text: '' });
    });
  });
});
