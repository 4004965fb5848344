import { beforeAll, describe, expect, test } from 'vitest';
import type { ClusterSettings } from '../../../src/config/config.ts';
import { requestReconcile } from '../../../src/notify/reconcile.ts';
import { secret } from '../../../src/secret.ts';
import { systemClock } from '../../../src/systems/clock-system.ts';
import { fetchHttp } from '../../../src/systems/http-fetch.ts';
import { isReady } from '../flux-object.ts';
import { exposeReceiver } from '../receiver-endpoint.ts';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectVersions } from '../versions.ts';
import { connectWatcher } from '../watcher.ts';
import type { Watcher } from '../watcher.ts';

const token = 'receiver-token';

/** The Role for the way `receiver` without `url`, bound to the stories' job. */
const receiverRole = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: sluice-receiver, namespace: flux-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: sluice-receiver}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'gitlab:project_env:42:staging'}]
`;

describe('Receivers behind the API server’s service proxy', () => {
  const stage = setStage({ tier: 'notification' });
  let watcher: Watcher;
  const { push, stand, watch } = connectVersions(stage, () => watcher);
  beforeAll(async () => {
    const { scene, stack } = stage();
    watcher = await connectWatcher(stack);
    await scene.secret('receiver', { token });
    await stand('app', sampleApp({ namespace: 'demo' }));
    await exposeReceiver(stack);
    const resources = [{ apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'OCIRepository', name: 'app' }];
    for (const type of ['generic-hmac', 'gitlab'])
      await scene.put('Receiver', type, { type, secretRef: { name: 'receiver' }, resources });
    for (const type of ['generic-hmac', 'gitlab']) await scene.waitFor('Receiver', type, isReady);
  });

  const ask = (type: string, wanted: string) =>
    requestReconcile({
      cluster: watcher.cluster,
      http: fetchHttp(),
      settings: {
        name: 'lab',
        notify: ['receiver', 'annotate'],
        receiver: { name: type, namespace: 'flux-system', url: null, type, secretEnv: 'R' },
      } as unknown as ClusterSettings,
      followed: { app: 'app', environment: 'staging', wanted },
      source: { kind: 'OCIRepository', namespace: 'flux-system', name: 'app' },
      secretOf: () => secret(token),
      idToken: undefined,
      clock: systemClock(),
      signal: new AbortController().signal,
    });

  test('33: without the right to it the next way is taken; with the Role’s, and nothing more, it works', async () => {
    const { stack } = stage();
    const first = await push('app', sampleApp({ namespace: 'demo', color: 'refused' }));
    expect(await ask('generic-hmac', first.wanted)).toMatchObject({
      way: 'annotate',
      tried: [{ reason: expect.stringContaining('no right to create services/proxy') }],
    });
    await stack.kube.apply(receiverRole);
    for (const type of ['generic-hmac', 'gitlab']) {
      const ours = await push('app', sampleApp({ namespace: 'demo', color: type }));
      expect(await ask(type, ours.wanted)).toMatchObject({ way: 'receiver' });
      expect((await watch(ours, { ask: async () => {} })).verdict).toMatchObject({ verdict: 'synced' });
    }
  });

  test('33: a Receiver for ID tokens refuses whatever comes behind it', async () => {
    const { scene, stack } = stage();
    const oidcProviders = [{ issuerURL: 'http://127.0.0.1:9', validations: [{ expression: 'true', message: '-' }] }];
    const resources = [{ apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'OCIRepository', name: 'app' }];
    await scene.put('Receiver', 'oidc', { type: 'generic-oidc', resources, oidcProviders });
    const { object } = await scene.waitFor('Receiver', 'oidc', isReady);
    const path = `/api/v1/namespaces/flux-system/services/http:webhook-receiver:80/proxy${object.status?.webhookPath}`;
    const before = await scene.get('OCIRepository', 'app');
    expect((await stack.kube.raw('POST', path, '{}')).status).toBe(400);
    const after = await scene.get('OCIRepository', 'app');
    expect(after.metadata.annotations).toEqual(before.metadata.annotations);
  });
});

describe('a Receiver that says yes and moves nothing', () => {
  const stage = setStage({ tier: 'notification' });
  let watcher: Watcher;
  const { push, stand, watch } = connectVersions(stage, () => watcher);
  beforeAll(async () => {
    watcher = await connectWatcher(stage().stack);
    await stage().scene.secret('receiver', { token });
    await stand('app', sampleApp({ namespace: 'demo' }));
  });

  const app = { apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'OCIRepository', name: 'app' };
  test.each([
    ['labels', { resources: [{ ...app, name: '*', matchLabels: { team: 'nobody' } }] }],
    ['filter', { resources: [app], resourceFilter: 'req.app == "another"' }],
    ['neighbour', { resources: [{ ...app, name: 'other' }] }],
  ])('32: its %s match nothing: the next way is taken, and the reason told', async (name, spec) => {
    const { scene, stack } = stage();
    await scene.put('OCIRepository', 'other', scene.ociSpec('team/other'));
    await scene.put('Receiver', name, { type: 'generic-hmac', secretRef: { name: 'receiver' }, ...spec });
    await scene.waitFor('Receiver', name, isReady);
    const ours = await push('app', sampleApp({ namespace: 'demo', color: name }));
    const followed = watcher.followed(ours);
    const receiver = { name, namespace: 'flux-system', url: stack.receiverUrl, type: 'generic-hmac', secretEnv: 'R' };
    const request = await requestReconcile({
      cluster: watcher.cluster,
      http: fetchHttp(),
      settings: { name: 'lab', notify: ['receiver', 'annotate'], receiver } as unknown as ClusterSettings,
      followed,
      source: { kind: 'OCIRepository', namespace: 'flux-system', name: 'app' },
      secretOf: () => secret(token),
      idToken: undefined,
      clock: systemClock(),
      signal: new AbortController().signal,
    });
    expect(request).toMatchObject({ way: 'annotate', tried: [{ way: 'receiver' }] });
    expect(request.tried?.[0]?.reason).toContain('said yes, but OCIRepository flux-system/app did not move');
    expect((await watch(ours, { ask: async () => {} })).verdict).toMatchObject({ verdict: 'synced' });
  });
});
