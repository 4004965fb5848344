import { one, sampleApp, shown } from '../../sandbox/cluster-world.ts';
import { receiverToken } from './stage.ts';
import type { Stage } from './stage.ts';
import { deliver, version } from './trap.ts';
import type { Trap } from './trap.ts';

/** A Receiver of this type in flux-system, ready, for OCIRepositories with a label that none has. */
async function receiver(stage: Stage, type: 'generic-hmac' | 'generic-oidc'): Promise<void> {
  const metadata = { name: 'sluice', namespace: 'flux-system' };
  stage.cluster.apply([
    { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { token: receiverToken } },
    {
      apiVersion: 'notification.toolkit.fluxcd.io/v1',
      kind: 'Receiver',
      metadata,
      spec: {
        type,
        ...(type === 'generic-hmac'
          ? { secretRef: { name: 'sluice' } }
          : {
              oidcProviders: [
                { issuerURL: 'https://gitlab.example.com', validations: [{ expression: 'true', message: '-' }] },
              ],
            }),
        resources: [{ kind: 'OCIRepository', name: '*', matchLabels: { team: 'nobody' } }],
      },
    },
  ]);
  await stage.cluster.until(
    'Receiver',
    one('sluice', (object) => shown(object, 'Ready').startsWith('Ready=True')),
  );
}

/** Traps of the ways in which Flux is asked and tells. */
export const tellingTraps: readonly Trap[] = [
  {
    traps: '24',
    story: 'Flux’s events reach nobody; the version is broken',
    truth: 'broken',
    async play(stage) {
      stage.cluster.scripts.loseEvents();
      return version('1.0.1-broken')(stage);
    },
  },
  {
    traps: '24',
    story: 'Flux’s events reach nobody; the version is good',
    truth: 'healthy',
    async play(stage) {
      stage.cluster.scripts.loseEvents();
      return version('1.0.1')(stage);
    },
  },
  {
    traps: '32',
    story: 'a Receiver answers 200 and matches nothing; the version is broken',
    truth: 'broken',
    cluster: () => 'notify: [receiver, annotate], receiver: { name: sluice, type: generic-hmac, secret_env: RECEIVER }',
    async play(stage) {
      await receiver(stage, 'generic-hmac');
      return deliver(stage, sampleApp('1.0.1-broken'));
    },
  },
  {
    traps: '33',
    story: 'a Receiver for ID tokens behind the service proxy, which removes the Authorization header',
    truth: 'healthy',
    cluster: ({ cluster: { url } }) =>
      `notify: [oidc, annotate], receiver: { name: sluice, type: generic-oidc, url: "${url}/api/v1/namespaces/flux-system/services/http:webhook-receiver:80/proxy" }`,
    async play(stage) {
      await receiver(stage, 'generic-oidc');
      return deliver(stage, sampleApp('1.0.1'));
    },
  },
];
