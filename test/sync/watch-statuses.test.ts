import { afterAll, beforeAll, expect, test } from 'vitest';
import { gitlabProvider } from '../status/gitlab-provider.ts';
import { deliveryWorld } from './delivery-world.ts';
import type { DeliveryWorld } from './delivery-world.ts';

const settings = (clusters: string) => `version: 1
environments:
  staging: { watch: statuses${clusters} }
apps:
  podinfo: { project: team/podinfo }
`;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
  world.cluster.apply(gitlabProvider(world.gitlab));
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

test.each([
  ['7.0.0', 'synced', 0, 'success', ', clusters: [{ name: eu, context: "agents:eu", notify: [none] }]'],
  ['7.1.0-broken', 'failed', 4, 'failed', ''],
] as const)(
  'version %s: %s by Flux’s own Provider, without a kubeconfig',
  async (tag, outcome, exit, state, clusters) => {
    const sha = await world.deliver(tag, undefined, settings(clusters));
    const run = world.sluice(['deliver', '--format', 'json', '--timeout', '60s'], { env: { KUBECONFIG: '/none' } });
    // Somebody else, the agent or a person, tells Flux.
    const asking = setInterval(() => {
      const annotations = { 'reconcile.fluxcd.io/requestedAt': String(Date.now()) };
      world.cluster.patch('OCIRepository', 'flux-system', 'podinfo', { metadata: { annotations } });
    }, 1_000);
    const ended = await run.finally(() => clearInterval(asking));
    expect([ended.exit, ended.record['outcome']], ended.stderr).toEqual([exit, outcome]);
    expect(JSON.stringify(ended.record['pairs'])).toContain('weaker than the cluster itself');
    expect(world.states(sha)).toContain(`sync: staging/podinfo ${state}`);
  },
  120_000,
);
