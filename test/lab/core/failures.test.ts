import { describe, expect, test } from 'vitest';
import { brief, condition, hasApplied, hasFailed, isReady } from '../flux-object.ts';
import type { FluxObject } from '../flux-object.ts';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';

interface Case {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly spec?: object;
  readonly reason: string;
  /** Words of the message that do not vary. */
  readonly says: string;
  /** Does status.lastAttemptedRevision name the pushed digest? */
  readonly attempted: boolean;
  /** lastReconciledStatus of the newest history entry, null where there is none. */
  readonly history: string | null;
}

const app = (more: object = {}) => sampleApp({ namespace: 'demo', ...more });

const cases: readonly Case[] = [
  {
    name: 'broken-yaml',
    files: { ...app(), 'service.yaml': 'apiVersion: v1\nkind: Service\nmetadata: {name: a\n' },
    reason: 'BuildFailed',
    says: 'service.yaml',
    attempted: true,
    history: null,
  },
  {
    name: 'undefined-variable',
    files: app({ color: '${COLOR}' }),
    spec: { postBuild: { substitute: { OTHER: 'x' } } },
    reason: 'BuildFailed',
    says: '"COLOR"',
    attempted: true,
    history: null,
  },
  {
    name: 'invalid-object',
    files: { ...app(), 'service.yaml': (app()['service.yaml'] ?? '').replace('port: 80', 'port: 99999') },
    reason: 'ReconciliationFailed',
    says: 'spec.ports[0].port',
    attempted: true,
    history: 'ReconciliationFailed',
  },
  {
    name: 'missing-namespace',
    files: sampleApp({ namespace: 'absent' }),
    reason: 'ReconciliationFailed',
    says: 'namespaces "absent" not found',
    attempted: true,
    history: 'ReconciliationFailed',
  },
  {
    name: 'wrong-path',
    files: app(),
    spec: { path: './nope' },
    reason: 'ArtifactFailed',
    says: 'kustomization path not found',
    attempted: false,
    history: null,
  },
  {
    name: 'dead-deployment',
    files: sampleApp({ namespace: 'dead', fate: 'deadline' }),
    reason: 'HealthCheckFailed',
    says: 'Deployment/dead/podinfo',
    attempted: true,
    history: 'HealthCheckFailed',
  },
];

describe('a version that fails', () => {
  const stage = setStage({ tier: 'core' }, ['demo', 'dead', 'stuck', 'suspended']);

  /** Pushes, waits until the source has it, then puts the Kustomization. */
  async function deploy(name: string, files: Readonly<Record<string, string>>, spec: object = {}): Promise<string> {
    const { scene } = stage();
    const { digest } = await scene.push(`team/${name}`, files);
    await scene.put('OCIRepository', name, scene.ociSpec(`team/${name}`));
    await scene.waitFor('OCIRepository', name, (object) => object.status?.artifact !== undefined);
    await scene.put('Kustomization', name, scene.kustomizationSpec(name, spec));
    return digest;
  }

  test.each(cases)('$name: $reason', async ({ name, files, spec, reason, says, attempted, history }) => {
    const { scene } = stage();
    const digest = await deploy(name, files, spec);
    // Conditions are patched before the other fields, so the end is where both are there.
    const complete = (object: FluxObject) =>
      (object.status?.lastAttemptedRevision === undefined) !== attempted &&
      (history === null || object.status?.history !== undefined);
    const { object } = await scene.waitFor('Kustomization', name, (seen) => hasFailed(reason)(seen) && complete(seen));
    expect(condition(object, 'Ready')?.message).toContain(says);
    expect(object.status?.lastAppliedRevision).toBeUndefined();
    expect(object.status?.lastAttemptedRevision).toBe(attempted ? `main@${digest}` : undefined);
    expect(object.status?.history?.[0]?.lastReconciledStatus ?? null).toBe(history);
  });

  test('dependency-not-ready: neither attempted nor in progress', async () => {
    const { scene } = stage();
    await deploy('dependent', app(), { dependsOn: [{ name: 'never-there' }] });
    const { object } = await scene.waitFor('Kustomization', 'dependent', hasFailed('DependencyNotReady'));
    expect(object.status?.lastAttemptedRevision).toBeUndefined();
    expect(brief(object, 'Reconciling')).toBe('Reconciling -');
  });

  test('stuck-deployment: waits for the whole time-out, names the object, and is retried as unknown', async () => {
    const { scene } = stage();
    const digest = await deploy('stuck', sampleApp({ namespace: 'stuck', fate: 'stuck' }), { retryInterval: '2s' });
    const { object, seen } = await scene.waitFor('Kustomization', 'stuck', hasFailed('HealthCheckFailed'));
    expect(condition(object, 'Healthy')?.status).toBe('False');
    expect(object.status?.lastAttemptedRevision).toBe(`main@${digest}`);
    expect(
      seen.some((sight) => sight.conditions.some(({ type, status }) => type === 'Healthy' && status === 'Unknown')),
    ).toBe(true);
    const retried = await scene.waitFor(
      'Kustomization',
      'stuck',
      (each) => condition(each, 'Ready')?.status === 'Unknown',
    );
    expect(brief(retried.object, 'Healthy')).toBe('Healthy=False HealthCheckFailed');
  });

  test('without wait there is no word on health', async () => {
    const { scene } = stage();
    await deploy('no-wait', app(), { wait: false });
    const { object } = await scene.waitFor('Kustomization', 'no-wait', isReady);
    expect(condition(object, 'Healthy')).toBeUndefined();
  });

  test('a variable without postBuild is applied as it stands', async () => {
    const { scene, stack } = stage();
    const digest = await deploy('literal', app({ color: '${COLOR}' }));
    const { object } = await scene.waitFor('Kustomization', 'literal', hasApplied(digest));
    const id = object.status?.inventory?.entries?.find((entry) => entry.id.endsWith('__ConfigMap'))?.id ?? '';
    const map = await stack.kube.get<{ data: Record<string, string> }>(
      `/api/v1/namespaces/demo/configmaps/${id.split('_')[1]}`,
    );
    expect(map.data).toEqual({ color: '${COLOR}' });
  });

  test('suspended: all conditions look green while the new version is not there', async () => {
    const { scene } = stage();
    const old = await deploy('suspended', sampleApp({ namespace: 'suspended' }));
    await scene.waitFor('Kustomization', 'suspended', hasApplied(old));
    await scene.patch('Kustomization', 'suspended', { spec: { suspend: true } });
    const { digest } = await scene.push('team/suspended', sampleApp({ namespace: 'suspended', color: 'red' }));
    await scene.poke('OCIRepository', 'suspended');
    await scene.waitFor(
      'OCIRepository',
      'suspended',
      (object) => object.status?.artifact?.revision === `main@${digest}`,
    );
    const token = await scene.poke('Kustomization', 'suspended');
    const { object } = await scene.waitFor(
      'Kustomization',
      'suspended',
      (seen) => seen.status?.lastHandledReconcileAt === token,
    );
    expect(brief(object, 'Ready')).toBe('Ready=True ReconciliationSucceeded');
    expect(object.status?.observedGeneration).toBe(object.metadata.generation);
    expect(object.status?.lastAppliedRevision).toBe(`main@${old}`);
  });
});
