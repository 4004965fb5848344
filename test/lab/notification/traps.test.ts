import { beforeAll, describe, expect, test } from 'vitest';
import type { ClusterSettings } from '../../../src/config/config.ts';
import { requestReconcile } from '../../../src/notify/reconcile.ts';
import { secret } from '../../../src/secret.ts';
import { systemClock } from '../../../src/systems/clock-system.ts';
import { fetchHttp } from '../../../src/systems/http-fetch.ts';
import { isReady } from '../flux-object.ts';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectVersions } from '../versions.ts';
import { connectWatcher } from '../watcher.ts';
import type { Watcher } from '../watcher.ts';

const token = 'receiver-token';

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
