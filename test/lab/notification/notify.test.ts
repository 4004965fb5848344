import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClusterSettings } from '../../../src/config/config.ts';
import { requestReconcile } from '../../../src/notify/reconcile.ts';
import { secret } from '../../../src/secret.ts';
import { systemClock } from '../../../src/systems/clock-system.ts';
import { fetchHttp } from '../../../src/systems/http-fetch.ts';
import type { Followed } from '../../../src/watch/verdict.ts';
import { hasApplied, isReady } from '../flux-object.ts';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectWatcher } from '../watcher.ts';
import type { Watcher } from '../watcher.ts';
import { startIssuer, type Issuer } from '../web-tokens.ts';

const token = 'receiver-token';
const source = { kind: 'OCIRepository', namespace: 'flux-system', name: 'app' };

describe('sluice notifies the real notification-controller', () => {
  const stage = setStage({ tier: 'notification' });
  let issuer: Issuer;
  let watcher: Watcher;
  let count = 0;

  beforeAll(async () => {
    const { scene, stack } = stage();
    watcher = await connectWatcher(stack);
    issuer = await startIssuer();
    await scene.secret('receiver', { token });
    const resources = [{ apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'OCIRepository', name: 'app' }];
    await scene.put('Receiver', 'generic-hmac', { type: 'generic-hmac', secretRef: { name: 'receiver' }, resources });
    await scene.put('Receiver', 'gitlab', {
      type: 'gitlab',
      events: ['Push Hook'],
      secretRef: { name: 'receiver' },
      resources,
    });
    await scene.put('Receiver', 'generic-oidc', {
      type: 'generic-oidc',
      resources,
      oidcProviders: [
        {
          issuerURL: issuer.url,
          audience: 'flux',
          validations: [{ expression: "claims.project_path == 'team/delivery'", message: 'another project' }],
        },
      ],
    });
    for (const name of ['generic-hmac', 'gitlab', 'generic-oidc']) await scene.waitFor('Receiver', name, isReady);
    const { digest } = await scene.push('team/app', sampleApp({ namespace: 'demo' }));
    await scene.put('OCIRepository', 'app', scene.ociSpec('team/app'));
    await scene.put('Kustomization', 'app', scene.kustomizationSpec('app'));
    await scene.waitFor('Kustomization', 'app', hasApplied(digest));
  });
  afterAll(() => issuer?.stop());

  function idToken(): string {
    const now = Math.floor(Date.now() / 1000);
    return issuer.sign({
      iss: issuer.url,
      sub: 'project_path:team/delivery:ref_type:branch:ref:main',
      aud: 'flux',
      iat: now,
      nbf: now - 5,
      exp: now + 300,
      project_path: 'team/delivery',
    });
  }

  /** Pushes a new version, asks once, and watches without asking again. */
  async function deliver(
    type: 'generic-hmac' | 'gitlab' | 'generic-oidc',
    given: string,
    cluster: Watcher['cluster'] | null,
  ) {
    const { scene, stack } = stage();
    const commit = String(++count).padStart(40, '0');
    const { digest } = await scene.push('team/app', sampleApp({ namespace: 'demo', color: `c${count}` }));
    const followed: Followed = watcher.followed({ repository: 'team/app', wanted: digest, commit });
    const notify: ClusterSettings['notify'] = [type === 'generic-oidc' ? 'oidc' : 'receiver', 'annotate'];
    const receiver = { name: type, namespace: 'flux-system', url: stack.receiverUrl, type, secretEnv: 'RECEIVER' };
    const request = await requestReconcile({
      cluster,
      http: fetchHttp(),
      settings: { name: 'lab', notify, receiver } as unknown as ClusterSettings,
      followed,
      source,
      secretOf: () => secret(given),
      idToken: secret(given),
      clock: systemClock(),
      signal: new AbortController().signal,
    });
    const { verdict } = await watcher.watch(followed, { ask: async () => {} });
    return { way: request.way, verdict: verdict.verdict };
  }

  test.each(['generic-hmac', 'gitlab'] as const)('%s, without any cluster credential', async (type) => {
    expect(await deliver(type, token, null)).toEqual({ way: 'receiver', verdict: 'synced' });
  });

  test('generic-oidc, with the job’s ID token alone', async () => {
    expect(await deliver('generic-oidc', idToken(), null)).toEqual({ way: 'oidc', verdict: 'synced' });
  });

  test.each(['generic-hmac', 'gitlab', 'generic-oidc'] as const)('%s refuses: the next way is taken', async (type) => {
    expect(await deliver(type, 'wrong', watcher.cluster)).toEqual({ way: 'annotate', verdict: 'synced' });
  });
});
