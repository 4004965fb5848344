import { expect, test } from 'vitest';
import { parseClaim } from '../../src/delivery/message.ts';
import { lineageIn } from '../../src/sync/lineage.ts';
import { openRepository } from '../../src/systems/git-local.ts';
import { gitFolder } from '../doubles/git-folder.ts';

const claim = (app: string, environment: string) =>
  `deploy(${environment}): ${app} 1\n\nSluice-App: ${app}\nSluice-Environment: ${environment}\n`;

test('a newer revision is ours until a later commit takes our values away', async () => {
  await using folder = await gitFolder();
  await folder.bare('delivery.git');
  const older = await folder.commit('delivery.git', { 'a.yaml': '1' });
  const ours = await folder.commit('delivery.git', { 'a.yaml': '2' }, { message: claim('podinfo', 'staging') });
  const other = await folder.commit('delivery.git', { 'b.yaml': '2' }, { message: claim('cart', 'staging') });
  await folder.git('.', ['clone', '--quiet', `file://${folder.path}/delivery.git`, 'full']);
  await folder.git('.', ['clone', '--quiet', '--depth', '1', `file://${folder.path}/delivery.git`, 'shallow']);
  // Pushed after the job's checkout.
  const next = await folder.commit('delivery.git', { 'a.yaml': '3' }, { message: claim('podinfo', 'staging') });
  for (const name of ['full', 'shallow']) {
    const repository = await openRepository({ folder: `${folder.path}/${name}`, processes: folder.processes });
    const lineage = lineageIn(repository, ours, (commit) => parseClaim(commit));
    expect(await lineage(ours, 'podinfo', 'staging')).toBe('same');
    expect(await lineage(other, 'podinfo', 'staging')).toBe('ours');
    expect(await lineage(next, 'podinfo', 'staging')).toBe('replaced');
    expect(await lineage(next, 'podinfo', 'production')).toBe('ours');
    expect(await lineage(older, 'podinfo', 'staging')).toBe('unrelated');
    expect(await lineage('0'.repeat(40), 'podinfo', 'staging')).toBe('unknown');
  }
});

test('a hand-made revert of our commit takes our values away', async () => {
  await using folder = await gitFolder();
  await folder.bare('delivery.git');
  const ours = await folder.commit('delivery.git', { 'a.yaml': '2' }, { message: claim('podinfo', 'staging') });
  const message = `Revert "deploy(staging): podinfo 1"\n\nThis reverts commit ${ours}.\n`;
  const revert = await folder.commit('delivery.git', { 'a.yaml': '1' }, { message });
  const repository = await openRepository({ folder: `${folder.path}/delivery.git`, processes: folder.processes });
  const lineage = lineageIn(repository, ours, (commit) => parseClaim(commit));
  expect(await lineage(revert, 'podinfo', 'staging')).toBe('replaced');
});

test('a person’s commit without trailers: our values are gone, or they still hold', async () => {
  await using folder = await gitFolder();
  await folder.bare('delivery.git');
  const file = 'apps/podinfo/staging/kustomization.yaml';
  const manifest = (tag: string, more = '') => ({
    [file]: `images:\n  - name: podinfo\n    newTag: "${tag}"\n${more}`,
  });
  await folder.commit('delivery.git', { ...manifest('1'), 'apps/podinfo/production/a.yaml': 'newTag: "1"\n' });
  const ours = await folder.commit('delivery.git', manifest('2'), { message: claim('podinfo', 'staging') });
  const beside = await folder.commit('delivery.git', {
    ...manifest('2', 'namespace: demo\n'),
    'apps/b/a.yaml': 'b: 1\n',
  });
  const over = await folder.commit('delivery.git', manifest('3', 'namespace: demo\n'));
  const back = await folder.commit('delivery.git', manifest('2', 'namespace: other\n'));
  const repository = await openRepository({ folder: `${folder.path}/delivery.git`, processes: folder.processes });
  const lineage = lineageIn(
    repository,
    ours,
    (commit) => parseClaim(commit),
    (app) => [`apps/${app}`],
  );
  expect(await lineage(beside, 'podinfo', 'staging')).toBe('ours');
  expect(await lineage(over, 'podinfo', 'staging')).toBe('replaced');
  expect(await lineage(back, 'podinfo', 'staging')).toBe('ours');
});
