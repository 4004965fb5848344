import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { changesOf, readyOf } from './doctor-changes.ts';
import { pullSecret } from '../../sandbox/seed.ts';
import { doctorWorld, fluxObjects, foundIn, type DoctorWorld } from './doctor-world.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await doctorWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const { patched, removed, added } = changesOf(() => world);

const expectFound = foundIn(() => world);

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
  afterEach(async () => {
    await world.cluster.until(
      'OCIRepository',
      (all) =>
        all.length === 1 &&
        all.every((one) => readyOf(one) === 'True' && one.metadata.generation === one.status?.['observedGeneration']),
      120_000,
    );
  });
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
    await using _ = await removed('OCIRepository', 'flux-system', 'podinfo');
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
    await using _ = await removed('Kustomization', 'flux-system', 'podinfo');
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
    await world.cluster.until('OCIRepository', (all) => all.some((one) => readyOf(one) === 'False'), 120_000);
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
      await world.cluster.until('OCIRepository', (all) => all.some((one) => readyOf(one) === 'True'), 120_000);
    }
  });
});

describe('rights', () => {
  const args = ['--check', 'rights'];
  test('none to ask Flux', async () => {
    await using _ = await removed('ClusterRoleBinding', null, 'sluice-notify');
    await expectFound(args, {
      id: 'rights-missing',
      exit: 5,
      message: /gitlab:ci_job:42 may not patch ocirepositories in flux-system/,
      repair: /rbac\/sluice\.yaml/,
    });
  });
  test('none at all', async () => {
    await using _ = await removed('ClusterRoleBinding', null, 'sluice-notify', 'sluice-watch');
    const { findings, exit } = await world.doctor(args);
    expect(exit).toBe(5);
    expect(findings.map(({ id }) => id)).toEqual(['rights-missing', 'rights-causes']);
    expect(findings[0]?.message).toMatch(/get\/list\/watch ocirepositories.*kustomizations/);
  });
  test('more than it needs', async () => {
    await using _ = await added(`apiVersion: rbac.authorization.k8s.io/v1
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
    await using _ = await added(`apiVersion: rbac.authorization.k8s.io/v1
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
  test('Flux objects that may be made and deleted, as GitLab’s tutorial binds it', async () => {
    await using _ = await added(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: edit-flux, namespace: flux-system }
rules: [{ apiGroups: [source.toolkit.fluxcd.io, kustomize.toolkit.fluxcd.io], resources: ["*"], verbs: [create, delete, patch, update] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: edit-flux, namespace: flux-system }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: edit-flux }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: Group, name: "gitlab:ci_job" }]
`);
    await expectFound(args, {
      id: 'rights-excess',
      exit: 7,
      message: /may create kustomizations in flux-system, create\/delete ocirepositories in flux-system, and/,
      repair: /wide binding/,
    });
  });
  test('rights in the namespace of the Flux objects alone are enough', async () => {
    const rules = (world.cluster.get('ClusterRole', null, 'sluice-watch') as unknown as { rules: unknown }).rules;
    await using _gone = await removed('ClusterRoleBinding', null, 'sluice-watch');
    await using _role = await added(
      JSON.stringify({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'watch', namespace: 'flux-system' },
        rules,
      }),
    );
    await using _ = await added(`apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: watch, namespace: flux-system }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: watch }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: Group, name: "gitlab:ci_job" }]
`);
    const looked = await world.doctor([...args, '--check', 'sources']);
    expect(looked.exit).toBe(0);
    expect(looked.open.map(({ state, id }) => `${state} ${id}`)).toEqual(['warn rights-causes']);
  });
  test('an administrator on a laptop is told so, and it is no fault', async () => {
    const looked = await world.doctor(args, { ...(await world.asAdministrator()), CI_JOB_ID: '' });
    expect(looked.exit).toBe(0);
    expect(looked.open.map(({ state, id }) => `${state} ${id}`)).toEqual(['warn rights-excess']);
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
