import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changesOf } from './doctor-changes.ts';
import { doctorWorld, expectOpen, foundIn, inDays, settings, type DoctorWorld, type Wanted } from './doctor-world.ts';
import { pullSecret } from '../../sandbox/seed.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await doctorWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const { removed, added } = changesOf(() => world);

const expectFound = foundIn(() => world);

const withReceiver = settings.replace('agent:', 'receiver: { name: sluice, secret_env: RECEIVER_STAGING }, agent:');
describe('Flux’s parts', () => {
  const args = ['--check', 'flux'];
  const definitions: Readonly<Record<string, readonly string[]>> = {
    'notification-controller': ['receivers', 'providers', 'alerts'].map(
      (kind) => `${kind}.notification.toolkit.fluxcd.io`,
    ),
    'helm-controller': ['helmreleases.helm.toolkit.fluxcd.io'],
  };
  test('without notification-controller: to change, since sluice.yaml does not need it', async () => {
    await using _ = await removed('CustomResourceDefinition', null, ...definitions['notification-controller']!);
    const looked = await world.doctor(args);
    expect(looked.exit).toBe(0);
    expect(looked.open.map(({ id, state, message }) => `${state} ${id} ${message}`)).toEqual([
      expect.stringMatching(/^warn flux-missing notification-controller is not installed.*no Receivers/),
    ]);
  });
  test('without notification-controller, where a Receiver is to be called', async () => {
    await using _ = await removed('CustomResourceDefinition', null, ...definitions['notification-controller']!);
    await world.configure(withReceiver);
    await expectFound(args, {
      id: 'flux-missing',
      exit: 4,
      message: /notification-controller is not installed/,
      repair: /^Install it: flux install --components=/,
    });
    await world.configure(settings);
  });
  test('without helm-controller: said, and fine where nothing needs it', async () => {
    await using _ = await removed('CustomResourceDefinition', null, ...definitions['helm-controller']!);
    const looked = await world.doctor(args);
    expect(looked.open).toEqual([]);
    expect(looked.text).toMatch(
      /helm-controller is not installed.*no HelmRelease is installed or upgraded; nothing here needs it/,
    );
  });
  test('an old Flux is to be updated', async () => {
    const labels = (version: string) => ({ metadata: { labels: { 'app.kubernetes.io/version': version } } });
    world.cluster.patch('Deployment', 'flux-system', 'source-controller', labels('v2.3.0'));
    const looked = await world.doctor(args);
    world.cluster.patch('Deployment', 'flux-system', 'source-controller', labels('v2.9.4'));
    expect(looked.exit).toBe(0);
    expect(looked.open.map(({ state, id }) => `${state} ${id}`)).toEqual(['warn flux-old']);
  });
  test('a controller that is installed and does not run', async () => {
    world.cluster.patch(
      'Deployment',
      'flux-system',
      'source-controller',
      { status: { availableReplicas: 0 } },
      'status',
    );
    try {
      await expectFound(args, {
        id: 'flux-down',
        exit: 4,
        message: /source-controller .* does not run: nothing is fetched/,
        repair: /kubectl -n flux-system describe deploy source-controller/,
      });
    } finally {
      world.cluster.patch(
        'Deployment',
        'flux-system',
        'source-controller',
        { status: { availableReplicas: 1 } },
        'status',
      );
    }
  });
});

describe('other posters', () => {
  const args = ['--check', 'posters'];
  const provider = `apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: { name: gitlab, namespace: flux-system }
spec: { type: gitlab, address: "https://gitlab.example.com/shop/delivery", secretRef: { name: gitlab-token } }
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: { name: gitlab, namespace: flux-system }
spec: { providerRef: { name: gitlab }, eventSources: [{ kind: Kustomization, name: "*" }] }
`;
  test('Flux’s own Provider', async () => {
    await using _ = await added(provider);
    await expectFound(
      args,
      {
        id: 'poster-second',
        exit: 4,
        message: /Provider flux-system\/gitlab posts statuses on the same commits/,
        repair: /^Delete the Alerts that use gitlab/,
      },
      await world.asAdministrator(),
    );
  });
  test('Flux’s own Provider, which `watch: statuses` needs', async () => {
    await using _ = await added(provider);
    await world.configure(settings.replace('staging: {', 'staging: { watch: statuses,'));
    const looked = await world.doctor(args, await world.asAdministrator());
    await world.configure(settings);
    expect(looked).toMatchObject({ exit: 0, outcome: 'ok' });
  });
  test('what Flux posted, where Providers may not be read', async () => {
    await world.post('kustomization/podinfo/0c9c2e41');
    const { open } = await world.doctor(args);
    expect(open.map(({ id }) => id)).toEqual(['poster-second', 'posters-unknown']);
    expect(open[0]?.message).toContain('kustomization/podinfo/0c9c2e41');
  });
});

describe('what Flux pulls with', () => {
  const args = ['--check', 'credential'];
  const expectPull = async (credential: { readonly username: string; readonly token: string }, wanted: Wanted) => {
    world.cluster.apply(pullSecret(world.host, credential));
    try {
      const looked = await world.doctor(args, await world.asAdministrator());
      expectOpen(looked, wanted);
      expect(JSON.stringify(looked)).not.toContain(credential.token);
    } finally {
      world.cluster.apply(pullSecret(world.host, world.pull));
    }
  };
  test('a deploy token that can write', async () => {
    const wide = world.gitlab.createDeployToken('shop/delivery', {
      name: 'wide',
      scopes: ['read_registry', 'write_registry'],
    });
    await expectPull(wide, {
      id: 'credential-writes',
      exit: 7,
      message: /can write \(read_registry, write_registry\)/,
      repair: /^Make a deploy token with read_registry alone/,
    });
  });
  test('a person’s token', async () => {
    const person = world.gitlab.createUser('jo', { memberships: { 'shop/delivery': 30 }, scopes: ['read_registry'] });
    await expectPull(person, {
      id: 'credential-person',
      exit: 7,
      message: /token of a person \(jo\)/,
      repair: /^Make a deploy token with read_registry alone/,
    });
  });
  test('the bot that posts statuses', async () => {
    await expectPull(world.bot, {
      id: 'credential-writes',
      exit: 7,
      message: /can write \(api\)/,
      repair: /^Make a deploy token/,
    });
  });
  test('a wrong one', async () => {
    await expectPull(
      { username: world.pull.username, token: 'gldt-not-this-one-at-all' },
      { id: 'credential-refused', exit: 7, message: /401/, repair: /^Make a deploy token/ },
    );
  });
  test('one that expires soon is no fault yet', async () => {
    const soon = world.gitlab.createDeployToken('shop/delivery', {
      name: 'soon',
      scopes: ['read_registry'],
      expiresAt: `${inDays(5)}T00:00:00.000Z`,
    });
    world.cluster.apply(pullSecret(world.host, soon));
    const looked = await world.doctor(args, await world.asAdministrator());
    world.cluster.apply(pullSecret(world.host, world.pull));
    expect(looked).toMatchObject({ exit: 0, outcome: 'warn' });
    expect(looked.open[0]).toMatchObject({ id: 'credential-expiry' });
  });
  test('none', async () => {
    await using _ = await removed('Secret', 'flux-system', 'delivery-registry');
    await expectFound(
      args,
      {
        id: 'credential-missing',
        exit: 4,
        message: /Secret flux-system\/delivery-registry is not there/,
        repair: /sluice init/,
      },
      await world.asAdministrator(),
    );
  });
});
