import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { beforeAll, describe, expect, test } from 'vitest';
import { doctorCommand } from '../../../runner/commands/doctor.ts';
import type { Finding } from '../../../src/operations/doctor/finding.ts';
import { systemClock } from '../../../src/systems/clock-system.ts';
import { runCommand } from '../../doubles/run-command.ts';
import { layouts } from '../../operations/init-layouts.ts';
import { filesOf, initRepository, toolPath, type InitRepository } from '../../operations/init-repository.ts';
import { isReady } from '../flux-object.ts';
import { setStage } from '../stage.ts';

const wide = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'too-wide' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'gitlab:project_env:42:staging' }],
};

describe('what init proposes, on the real API server, as doctor sees it', () => {
  const stage = setStage({ tier: 'notification' });
  let here: InitRepository;
  let kubeconfig = '';
  const token = randomBytes(24).toString('hex');

  beforeAll(async () => {
    const { stack, scene } = stage();
    here = await initRepository(stack.folder, layouts[0]!.files);
    const ran = await here.init('--access', 'ci-job', '--project-id', '42');
    for (const { path, text } of filesOf(ran))
      if (text !== undefined && path.startsWith('clusters/staging/')) await stack.kube.apply(text);
    await scene.secret('sluice-receiver', { token: 'receiver-token' });
    await scene.waitFor('Receiver', 'sluice', isReady);
    stack.addToken(token, { user: 'gitlab:ci_job:7', groups: ['gitlab:ci_job', 'gitlab:project_env:42:staging'] });
    kubeconfig = join(stack.folder, 'job-kubeconfig');
    const name = 'shop/delivery:staging';
    const ca = Buffer.from(stack.ca).toString('base64');
    const cluster = { server: stack.url, ...(stack.ca === '' ? {} : { 'certificate-authority-data': ca }) };
    await writeFile(
      kubeconfig,
      stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name, cluster }],
        users: [{ name, user: { token } }],
        contexts: [{ name, context: { cluster: name, user: name } }],
      }),
    );
  });

  async function doctor(...checks: readonly string[]): Promise<readonly Finding[]> {
    const args = ['--environment', 'staging', ...checks.flatMap((check) => ['--check', check])];
    const env = {
      PATH: toolPath,
      KUBECONFIG: kubeconfig,
      CI_JOB_ID: '7',
      SLUICE_RECEIVER_STAGING: 'receiver-token',
      CI_REGISTRY_IMAGE: 'registry.example.com/shop/delivery',
    };
    const ran = await runCommand(doctorCommand, args, { env, folder: here.at, clock: systemClock() });
    return ran.record['findings'] as readonly Finding[];
  }
  const brief = (findings: readonly Finding[]) => findings.map(({ state, id }) => `${state} ${id}`);

  test('the rights are enough, and not too wide', async () => {
    const findings = await doctor('rights');
    expect(brief(findings)).toEqual(['ok rights']);
    expect(findings[0]?.message).toContain('gitlab:ci_job:7');
  });

  test('Flux’s parts answer; the sources wait for the first publish or cannot reach the registry', async () => {
    const parts = (await doctor('agent', 'flux')).filter(({ message }) => !message.includes('helm-controller'));
    expect(new Set(brief(parts))).toEqual(new Set(['ok agent', 'ok flux']));
    const sources = await doctor('sources');
    expect(sources.filter(({ id }) => !['source-failing', 'source-unpublished', 'source'].includes(id))).toEqual([]);
  });

  test('an administrator of the cluster sees the Receiver, whose webhook path is ours', async () => {
    const { stack } = stage();
    await stack.kube.apply(wide);
    try {
      expect(brief(await doctor('rights'))).toEqual(['ok rights', 'fault rights-excess']);
      const receivers = await doctor('receivers');
      expect(brief(receivers)).toEqual(['ok receiver']);
      expect(receivers[0]?.message).toMatch(/webhook path is the one that sync calls/);
    } finally {
      await stack.kube.remove('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/too-wide');
    }
  });

  test.each(layouts)('every object is accepted: $name', async ({ files }) => {
    const { stack } = stage();
    const other = await initRepository(stack.folder, files);
    const ran = await other.init();
    const added = filesOf(ran).filter(({ path, text }) => text !== undefined && path.startsWith('clusters/'));
    expect(added.length).toBeGreaterThan(1);
    for (const { text } of added) await expect(stack.kube.apply(text!)).resolves.toBeUndefined();
  });
});
