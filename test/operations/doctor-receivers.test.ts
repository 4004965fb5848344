import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changesOf, readyOf } from './doctor-changes.ts';
import { doctorWorld, expectOpen, foundIn, settings, type DoctorWorld, type Wanted } from './doctor-world.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await doctorWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const { added } = changesOf(() => world);

const expectFound = foundIn(() => world);

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
  const expectLook = async (env: Readonly<Record<string, string>>, wanted: Wanted) => {
    await world.configure(withReceiver);
    try {
      await expectFound(args, wanted, { ...(await world.asAdministrator()), ...env });
    } finally {
      await world.configure(settings);
    }
  };
  const settled = () =>
    world.cluster.until('Receiver', (all) => all.every((one) => readyOf(one) !== undefined), 120_000);

  test('ready, and its webhook path is the one that sync calls', async () => {
    await using _secret = await added(receiverSecret);
    await using _ = await added(receiver(hmac));
    await settled();
    await world.configure(withReceiver);
    const looked = await world.doctor(args, { ...(await world.asAdministrator()), RECEIVER_STAGING: token });
    await world.configure(settings);
    expect(looked).toMatchObject({ exit: 0, outcome: 'ok' });
    expect(looked.text).toMatch(/Receiver flux-system\/sluice is ready, its webhook path is the one that sync calls/);
    expect(looked.text).not.toContain(token);
  });
  test('none', async () => {
    await expectLook(
      { RECEIVER_STAGING: token },
      { id: 'receiver-missing', exit: 4, message: /no Receiver flux-system\/sluice/, repair: /sluice init/ },
    );
  });
  test('its token is not set', async () => {
    await using _secret = await added(receiverSecret);
    await using _ = await added(receiver(hmac));
    await settled();
    await expectLook(
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
    await using _secret = await added(receiverSecret);
    await using _ = await added(receiver(hmac));
    await settled();
    await expectLook(
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
    await using _secret = await added(receiverSecret);
    await using _ = await added(receiver(hmac.replace('generic-hmac', 'gitlab')));
    await settled();
    await expectLook(
      { RECEIVER_STAGING: token },
      {
        id: 'receiver-type',
        exit: 4,
        message: /type gitlab, sluice\.yaml says generic-hmac/,
        repair: /receiver\.type/,
      },
    );
  });
  test.each([
    ['another source', 'name: another'],
    ['all sources without a label, which Flux refuses', 'name: "*"'],
  ])('for %s', async (_name, named) => {
    await using _secret = await added(receiverSecret);
    await using _ = await added(receiver(hmac.replace('name: podinfo', named)));
    await settled();
    await expectLook(
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
    await using _secret = await added(receiverSecret);
    await using _ = await added(receiver(hmac));
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
    await using _namespace = await added(
      'apiVersion: v1\nkind: Namespace\nmetadata: { name: gitlab-agent-staging-eu }\n',
    );
    await using _pod = await added(`apiVersion: v1
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
