import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import { pullSecret } from '../../sandbox/seed.ts';
import { doctorWorld, expectOpen, fluxObjects, settings, type DoctorWorld, type Wanted } from './doctor-world.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await doctorWorld();
  await world.publish();
  await world.cluster.until('Kustomization', (all) => all.some((one) => readyOf(one) === 'True'), 30_000);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const readyOf = ({ status }: ClusterObject) =>
  (status?.['conditions'] as { type: string; status: string }[] | undefined)?.find(({ type }) => type === 'Ready')
    ?.status;

/** Applies a patch to an object, and takes it back when the test ends. */
function patched(
  kind: string,
  name: string,
  patch: Readonly<Record<string, unknown>>,
  back: Readonly<Record<string, unknown>>,
) {
  world.cluster.patch(kind, 'flux-system', name, patch);
  return { [Symbol.dispose]: () => void world.cluster.patch(kind, 'flux-system', name, back) };
}

/** Removes objects; puts them back when the test ends. */
function removed(kind: string, namespace: string | null, ...names: readonly string[]) {
  const before = names.map((name) => world.cluster.get(kind, namespace, name)!);
  for (const name of names) world.cluster.remove(kind, namespace, name);
  return { [Symbol.dispose]: () => void before.map((object) => world.cluster.apply(fresh(object))) };
}

function added(manifest: string) {
  const objects = world.cluster.apply(manifest);
  return {
    [Symbol.dispose]: () => {
      for (const { kind, metadata } of objects) world.cluster.remove(kind, metadata.namespace ?? null, metadata.name);
    },
  };
}

function fresh(object: ClusterObject): ClusterObject {
  const { name, namespace, labels, annotations } = object.metadata;
  const { status: _status, ...rest } = object;
  return {
    ...rest,
    metadata: { name, ...(namespace && { namespace }), ...(labels && { labels }), ...(annotations && { annotations }) },
  } as ClusterObject;
}

async function expectFound(
  args: readonly string[],
  wanted: Wanted,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  expectOpen(await world.doctor(args, env), wanted);
}

test('all is as it should be: no fault, and nothing to do but what a job may not see', async () => {
  const looked = await world.doctor();
  expect(looked.open.map(({ check, id }) => `${check} ${id}`)).toEqual([
    'posters posters-unknown',
    'credential credential-unknown',
  ]);
  expect(looked).toMatchObject({ exit: 0, outcome: 'unknown' });
});

test('an administrator’s kubeconfig sees the rest', async () => {
  const looked = await world.doctor(['--check', 'posters', '--check', 'credential'], await world.asAdministrator());
  expect(looked).toMatchObject({ exit: 0, outcome: 'ok' });
  expect(looked.findings.map(({ id }) => id)).toEqual(['posters', 'credential']);
});

describe('sources', () => {
  const args = ['--check', 'sources'];
  test('no interval that heals a lost notification', async () => {
    using _ = patched('OCIRepository', 'podinfo', { spec: { interval: '24h' } }, { spec: { interval: '10m' } });
    await expectFound(args, {
      id: 'source-interval',
      exit: 4,
      message: /interval 24h: notifications are not guaranteed/,
      repair: /^Set spec\.interval of OCIRepository flux-system\/podinfo to 10m/,
    });
  });
  test('another tag', async () => {
    using _ = patched(
      'OCIRepository',
      'podinfo',
      { spec: { ref: { tag: 'latest' } } },
      { spec: { ref: { tag: 'staging' } } },
    );
    await expectFound(args, {
      id: 'source-reference',
      exit: 4,
      message: /follows tag latest, not staging/,
      repair: /^Set spec\.ref of OCIRepository flux-system\/podinfo to { tag: staging }/,
    });
  });
  test('no source at all', async () => {
    using _ = removed('OCIRepository', 'flux-system', 'podinfo');
    await expectFound(args, {
      id: 'source-missing',
      exit: 4,
      message: /what is published is never fetched/,
      repair: /sluice init/,
    });
  });
  test('a suspended source', async () => {
    using _ = patched('OCIRepository', 'podinfo', { spec: { suspend: true } }, { spec: { suspend: null } });
    await expectFound(args, {
      id: 'source-suspended',
      exit: 4,
      message: /suspended/,
      repair: /^flux resume source oci podinfo -n flux-system$/,
    });
  });
  test('nobody applies it', async () => {
    using _ = removed('Kustomization', 'flux-system', 'podinfo');
    await expectFound(args, { id: 'consumer-missing', exit: 4, message: /never applied/, repair: /sluice init/ });
  });
  test('a suspended Kustomization', async () => {
    using _ = patched('Kustomization', 'podinfo', { spec: { suspend: true } }, { spec: { suspend: null } });
    await expectFound(args, {
      id: 'consumer-suspended',
      exit: 4,
      message: /nothing is applied/,
      repair: /^flux resume kustomization podinfo/,
    });
  });
  test('a Kustomization that does not wait, of another path: to change, but no fault', async () => {
    using _ = patched(
      'Kustomization',
      'podinfo',
      { spec: { wait: false, path: './apps' } },
      { spec: { wait: true, path: './apps/podinfo/staging' } },
    );
    const looked = await world.doctor(args);
    expect(looked.exit).toBe(0);
    expect(looked.open.map(({ id, state }) => `${state} ${id}`)).toEqual(['warn consumer-path', 'warn consumer-wait']);
  });
  test('a credential that the registry refuses', async () => {
    world.cluster.apply(pullSecret(world.host, { username: world.pull.username, token: 'gldt-wrong-wrong-wrong' }));
    world.cluster.patch('OCIRepository', 'flux-system', 'podinfo', {
      metadata: { annotations: { 'reconcile.fluxcd.io/requestedAt': 'x1' } },
    });
    await world.cluster.until('OCIRepository', (all) => all.some((one) => readyOf(one) === 'False'), 30_000);
    try {
      await expectFound(args, {
        id: 'source-failing',
        exit: 4,
        message: /401|UNAUTHORIZED|denied/i,
        repair: /deploy token with read_registry/,
      });
    } finally {
      world.cluster.apply(pullSecret(world.host, world.pull));
      world.cluster.patch('OCIRepository', 'flux-system', 'podinfo', {
        metadata: { annotations: { 'reconcile.fluxcd.io/requestedAt': 'x2' } },
      });
      await world.cluster.until('OCIRepository', (all) => all.some((one) => readyOf(one) === 'True'), 30_000);
    }
  });
});

describe('rights', () => {
  const args = ['--check', 'rights'];
  test('none to ask Flux', async () => {
    using _ = removed('ClusterRoleBinding', null, 'sluice-notify');
    await expectFound(args, {
      id: 'rights-missing',
      exit: 5,
      message: /gitlab:ci_job:42 may not patch ocirepositories in flux-system/,
      repair: /rbac\/sluice\.yaml/,
    });
  });
  test('none at all', async () => {
    using _ = removed('ClusterRoleBinding', null, 'sluice-notify', 'sluice-watch');
    const { findings, exit } = await world.doctor(args);
    expect(exit).toBe(5);
    expect(findings.map(({ id }) => id)).toEqual(['rights-missing', 'rights-causes']);
    expect(findings[0]?.message).toMatch(/get\/list\/watch ocirepositories.*kustomizations/);
  });
  test('more than it needs', async () => {
    using _ = added(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: wide }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: Group, name: "gitlab:ci_job" }]
`);
    await expectFound(args, {
      id: 'rights-excess',
      exit: 7,
      message: /gitlab:ci_job:42 may do everything/,
      repair: /rbac\.create=false/,
    });
  });
  test('Secrets that may be read', async () => {
    using _ = added(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: secrets, namespace: flux-system }
rules: [{ apiGroups: [""], resources: [secrets], verbs: [get] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: secrets, namespace: flux-system }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: secrets }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: Group, name: "gitlab:ci_job" }]
`);
    await expectFound(args, {
      id: 'rights-excess',
      exit: 7,
      message: /may get secrets in flux-system/,
      repair: /wide binding/,
    });
  });
  test('an administrator on a laptop is told so, and it is no fault', async () => {
    const looked = await world.doctor(args, { ...(await world.asAdministrator()), CI_JOB_ID: '' });
    expect(looked.exit).toBe(0);
    expect(looked.open.map(({ state, id }) => `${state} ${id}`)).toEqual(['warn rights-excess']);
  });
});

describe('Flux’s parts', () => {
  const args = ['--check', 'flux'];
  const definitions: Readonly<Record<string, readonly string[]>> = {
    'notification-controller': ['receivers', 'providers', 'alerts'].map(
      (kind) => `${kind}.notification.toolkit.fluxcd.io`,
    ),
    'helm-controller': ['helmreleases.helm.toolkit.fluxcd.io'],
  };
  test('without notification-controller: to change, since sluice.yaml does not need it', async () => {
    using _ = removed('CustomResourceDefinition', null, ...definitions['notification-controller']!);
    const looked = await world.doctor(args);
    expect(looked.exit).toBe(0);
    expect(looked.open.map(({ id, state, message }) => `${state} ${id} ${message}`)).toEqual([
      expect.stringMatching(/^warn flux-missing notification-controller is not installed.*no Receivers/),
    ]);
  });
  test('without notification-controller, where a Receiver is to be called', async () => {
    using _ = removed('CustomResourceDefinition', null, ...definitions['notification-controller']!);
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
    using _ = removed('CustomResourceDefinition', null, ...definitions['helm-controller']!);
    const looked = await world.doctor(args);
    expect(looked.open).toEqual([]);
    expect(looked.text).toMatch(
      /helm-controller is not installed.*no HelmRelease is installed or upgraded; nothing here needs it/,
    );
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

const withReceiver = settings.replace('agent:', 'receiver: { name: sluice, secret_env: RECEIVER_STAGING }, agent:');
const receiver = (spec: string) => `apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata: { name: sluice, namespace: flux-system }
spec: ${spec}
`;
const hmac =
  '{ type: generic-hmac, secretRef: { name: receiver }, resources: [{ kind: OCIRepository, name: podinfo }] }';
const token = 'a-receiver-token-of-this-test';
const receiverSecret = `apiVersion: v1
kind: Secret
metadata: { name: receiver, namespace: flux-system }
stringData: { token: ${token} }
`;

describe('Receivers', () => {
  const args = ['--check', 'receivers'];
  const look = async (env: Readonly<Record<string, string>>, wanted: Wanted) => {
    await world.configure(withReceiver);
    try {
      await expectFound(args, wanted, { ...(await world.asAdministrator()), ...env });
    } finally {
      await world.configure(settings);
    }
  };
  const settled = () =>
    world.cluster.until('Receiver', (all) => all.every((one) => readyOf(one) !== undefined), 20_000);

  test('ready, and its webhook path is the one that sync calls', async () => {
    using _secret = added(receiverSecret);
    using _ = added(receiver(hmac));
    await settled();
    await world.configure(withReceiver);
    const looked = await world.doctor(args, { ...(await world.asAdministrator()), RECEIVER_STAGING: token });
    await world.configure(settings);
    expect(looked).toMatchObject({ exit: 0, outcome: 'ok' });
    expect(looked.text).toMatch(/Receiver flux-system\/sluice is ready, its webhook path is the one that sync calls/);
    expect(looked.text).not.toContain(token);
  });
  test('none', async () => {
    await look(
      { RECEIVER_STAGING: token },
      { id: 'receiver-missing', exit: 4, message: /no Receiver flux-system\/sluice/, repair: /sluice init/ },
    );
  });
  test('its token is not set', async () => {
    using _secret = added(receiverSecret);
    using _ = added(receiver(hmac));
    await settled();
    await look(
      {},
      {
        id: 'receiver-token',
        exit: 7,
        message: /RECEIVER_STAGING is not set/,
        repair: /CI\/CD variable RECEIVER_STAGING/,
      },
    );
  });
  test('another token than its Secret’s', async () => {
    using _secret = added(receiverSecret);
    using _ = added(receiver(hmac));
    await settled();
    await look(
      { RECEIVER_STAGING: 'another-token-altogether' },
      {
        id: 'receiver-path',
        exit: 4,
        message: /webhook path .* its Secret holds another token/,
        repair: /in RECEIVER_STAGING/,
      },
    );
  });
  test('of another type', async () => {
    using _secret = added(receiverSecret);
    using _ = added(receiver(hmac.replace('generic-hmac', 'gitlab')));
    await settled();
    await look(
      { RECEIVER_STAGING: token },
      {
        id: 'receiver-type',
        exit: 4,
        message: /type gitlab, sluice\.yaml says generic-hmac/,
        repair: /receiver\.type/,
      },
    );
  });
  test('not for our source', async () => {
    using _secret = added(receiverSecret);
    using _ = added(receiver(hmac.replace('name: podinfo', 'name: another')));
    await settled();
    await look(
      { RECEIVER_STAGING: token },
      {
        id: 'receiver-resources',
        exit: 4,
        message: /does not list the source of .*podinfo, staging/,
        repair: /spec\.resources/,
      },
    );
  });
  test('an address that does not answer', async () => {
    using _secret = added(receiverSecret);
    using _ = added(receiver(hmac));
    await settled();
    await world.configure(withReceiver.replace('name: sluice,', 'name: sluice, url: "http://127.0.0.1:1",'));
    const looked = await world.doctor(args, { ...(await world.asAdministrator()), RECEIVER_STAGING: token });
    await world.configure(settings);
    expectOpen(looked, {
      id: 'receiver-unreachable',
      exit: 6,
      message: /127\.0\.0\.1:1 does not answer/,
      repair: /receiver\.url/,
    });
  });
  test('agentk started before Flux’s kinds were there', async () => {
    using _namespace = added('apiVersion: v1\nkind: Namespace\nmetadata: { name: gitlab-agent-staging-eu }\n');
    using _pod = added(`apiVersion: v1
kind: Pod
metadata: { name: agentk, namespace: gitlab-agent-staging-eu, labels: { app.kubernetes.io/name: gitlab-agent } }
spec: { containers: [{ name: agentk, image: agentk }] }
`);
    world.cluster.patch(
      'Pod',
      'gitlab-agent-staging-eu',
      'agentk',
      { status: { startTime: '2020-01-01T00:00:00Z' } },
      'status',
    );
    await expectFound(
      args,
      {
        id: 'agent-before-flux',
        exit: 4,
        message: /agentk started before Flux’s kinds were there/,
        repair: /^Restart agentk once: kubectl -n .* rollout restart/,
      },
      await world.asAdministrator(),
    );
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
    using _ = added(provider);
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
    using _ = added(provider);
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
  const pullsWith = async (credential: { readonly username: string; readonly token: string }, wanted: Wanted) => {
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
    await pullsWith(wide, {
      id: 'credential-writes',
      exit: 7,
      message: /can write \(read_registry, write_registry\)/,
      repair: /^Make a deploy token with read_registry alone/,
    });
  });
  test('a person’s token', async () => {
    const person = world.gitlab.createUser('jo', { memberships: { 'shop/delivery': 30 }, scopes: ['read_registry'] });
    await pullsWith(person, {
      id: 'credential-person',
      exit: 7,
      message: /token of a person \(jo\)/,
      repair: /^Make a deploy token with read_registry alone/,
    });
  });
  test('the bot that posts statuses', async () => {
    await pullsWith(world.bot, {
      id: 'credential-writes',
      exit: 7,
      message: /can write \(api\)/,
      repair: /^Make a deploy token/,
    });
  });
  test('a wrong one', async () => {
    await pullsWith(
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
    using _ = removed('Secret', 'flux-system', 'delivery-registry');
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

test('no fault is left after all that', async () => {
  world.cluster.apply(fluxObjects(world.host));
  const looked = await world.doctor([
    '--check',
    'rights',
    '--check',
    'flux',
    '--check',
    'receivers',
    '--check',
    'credential',
  ]);
  expect(looked.exit).toBe(0);
});

function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}
