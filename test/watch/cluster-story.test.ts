import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { fastClock } from '../doubles/fast-clock.ts';
import { fluxObjects, one, sampleApp, startWorld } from '../sandbox/cluster-world.ts';
import { annotated, commits, follow, followedIn, namespaceDemo } from './cluster-world.ts';

async function deployed(options: Parameters<typeof startWorld>[0] = {}, spec: object = {}) {
  const world = await startWorld(options);
  const first = await world.push('team/app', 'main', sampleApp(), annotated(commits[0]));
  world.cluster.apply([namespaceDemo, ...fluxObjects(world.registry.host, 'team/app', 'app', spec as never)]);
  await world.cluster.until(
    'Kustomization',
    one('app', (object) => object.status?.['lastAppliedRevision'] === `main@${first}`),
  );
  return { world, first };
}

test('a new version comes to health, asked for by annotation', async () => {
  const { world } = await deployed();
  const wanted = await world.push('team/app', 'main', sampleApp('1.0.1'), annotated(commits[1]));
  const { verdict, phases } = await follow(world, followedIn(world, wanted, commits[1]));
  expect(verdict).toMatchObject({
    verdict: 'synced',
    message: `${wanted.slice(0, 19)} is applied and healthy: Kustomization flux-system/app`,
  });
  expect(phases[0]).toBe('waiting');
  expect(phases.at(-1)).toBe('healthy');
});

test('without wait the rollout itself is awaited', async () => {
  const { world } = await deployed({}, { wait: false });
  const wanted = await world.push('team/app', 'main', sampleApp('1.0.1'), annotated(commits[1]));
  const { verdict } = await follow(world, followedIn(world, wanted, commits[1]));
  expect(verdict.verdict).toBe('synced');
  const deployment = world.cluster.get('Deployment', 'demo', 'podinfo');
  expect(JSON.stringify(deployment)).toContain('podinfo:1.0.1');
  expect(verdict.objects.map((object) => object.kind)).toEqual(['OCIRepository', 'Kustomization', 'Deployment']);
});

test('a version that never becomes healthy is red, with the pod’s own reason', async () => {
  const { world } = await deployed();
  const wanted = await world.push('team/app', 'main', sampleApp('9-broken'), annotated(commits[1]));
  const { verdict } = await follow(world, followedIn(world, wanted, commits[1]));
  expect(verdict).toMatchObject({ verdict: 'failed', reason: 'HealthCheckFailed' });
  expect(verdict.message).toMatch(/pod podinfo-\S+: (ErrImagePull|ImagePullBackOff)/);
});

test('broken YAML is red at once', async () => {
  const { world } = await deployed();
  const wanted = await world.push(
    'team/app',
    'main',
    { ...sampleApp(), 'service.yaml': 'kind: [' },
    annotated(commits[1]),
  );
  expect((await follow(world, followedIn(world, wanted, commits[1]))).verdict).toMatchObject({
    verdict: 'failed',
    reason: 'BuildFailed',
  });
});

test('a suspended Kustomization and an artifact that nobody uses are told', async () => {
  const { world } = await deployed();
  const wanted = await world.push('team/app', 'main', sampleApp('1.0.1'), annotated(commits[1]));
  world.cluster.patch('Kustomization', 'flux-system', 'app', { spec: { suspend: true } });
  expect((await follow(world, followedIn(world, wanted, commits[1]))).verdict.verdict).toBe('suspended');
  const other = followedIn(world, wanted, commits[1], { reference: 'production' });
  const { verdict } = await follow(world, other);
  expect(verdict).toMatchObject({
    verdict: 'unconsumed',
    message: expect.stringContaining('OCIRepository flux-system/app follows tag main'),
  });
});

test('a newer revision that holds our values is followed; one without them supersedes', async () => {
  const { world } = await deployed();
  const ours = await world.push('team/app', 'main', sampleApp('1.0.1'), annotated(commits[1]));
  await world.push('team/app', 'main', sampleApp('1.0.1', 'green'), annotated(commits[2]));
  expect((await follow(world, followedIn(world, ours, commits[1]))).verdict.verdict).toBe('synced');
  const gone = await follow(world, followedIn(world, ours, commits[1]), { stillHolds: async () => false });
  expect(gone.verdict.verdict).toBe('superseded');
});

test('cut watches, forgotten versions, refused requests and a restarted controller do not matter', async () => {
  const { world } = await deployed();
  const wanted = await world.push('team/app', 'main', sampleApp('1.0.1'), annotated(commits[1]));
  const { scripts } = world.cluster;
  scripts.cutWatches(true);
  scripts.compact();
  scripts.fail({ when: ({ verb }) => verb === 'list', answer: 429, times: 3 });
  scripts.fail({ when: ({ verb }) => verb === 'list', answer: 'reset', times: 2 });
  const following = follow(world, followedIn(world, wanted, commits[1]), { pace: { poll: 100 } });
  await scripts.restart('source-controller');
  expect((await following).verdict.verdict).toBe('synced');
});

test('exactly the rights of the published Role are enough; less is named', async () => {
  const { world } = await deployed({}, { wait: false });
  world.cluster.apply(await readFile('examples/agent-config/rbac/sluice.yaml', 'utf8'));
  world.cluster.apply(await readFile('examples/agent-config/rbac/bindings-ci-job.yaml', 'utf8'));
  world.cluster.addToken('job', 'gitlab:ci_job:7', ['gitlab:ci_job', 'gitlab:project_env:42:staging']);
  const wanted = await world.push('team/app', 'main', sampleApp('1.0.1'), annotated(commits[1]));
  expect((await follow(world, followedIn(world, wanted, commits[1]), { token: 'job' })).verdict.verdict).toBe('synced');

  const { rules } = world.cluster.get('ClusterRole', null, 'sluice-watch') as unknown as {
    rules: { apiGroups: string[] }[];
  };
  world.cluster.patch('ClusterRole', null, 'sluice-watch', {
    rules: rules.filter(({ apiGroups }) => apiGroups[0] !== 'apps'),
  });
  const { verdict } = await follow(world, followedIn(world, wanted, commits[1]), { token: 'job' });
  expect(verdict).toMatchObject({
    verdict: 'unknown',
    message: expect.stringContaining('no right to list deployments (apps) in namespace demo'),
  });
});

test('a cluster that is away until the deadline is a fault, a refused token too', async () => {
  const { world, first } = await deployed();
  world.cluster.scripts.offline(true);
  const clock = fastClock(1);
  const followed = followedIn(world, first, commits[0]);
  await expect(follow(world, followed, { clock, deadline: clock.now() + 2_000 })).rejects.toMatchObject({
    code: 'cluster_unavailable',
  });
  world.cluster.scripts.offline(false);
  await expect(follow(world, followed, { token: 'unknown' })).rejects.toMatchObject({ code: 'token_refused' });
});

test('a slow cluster is no failure, a token that dies in the middle is a fault', async () => {
  const { world } = await deployed();
  world.cluster.scripts.latency(200);
  const wanted = await world.push('team/app', 'main', sampleApp('1.0.1'), annotated(commits[1]));
  expect((await follow(world, followedIn(world, wanted, commits[1]))).verdict.verdict).toBe('synced');
  world.cluster.scripts.latency(0);
  world.cluster.scripts.pause('source-controller');
  world.cluster.addToken('short', 'admin', ['system:masters']);
  const next = await world.push('team/app', 'main', sampleApp('1.0.2'), annotated(commits[2]));
  const asked = () =>
    world.cluster.get('OCIRepository', 'flux-system', 'app')?.metadata.annotations?.['reconcile.fluxcd.io/requestedAt'];
  const before = asked();
  const following = follow(world, followedIn(world, next, commits[2]), { token: 'short', pace: { resync: 500 } }).then(
    () => undefined,
    (error: unknown) => error,
  );
  await world.cluster.until('OCIRepository', () => asked() !== before);
  world.cluster.removeToken('short');
  world.cluster.scripts.cutWatches();
  expect(await following).toMatchObject({ code: 'token_refused' });
});

test('descendants count: a Kustomization below that does not come up is red, with its own cause', async () => {
  const world = await startWorld();
  const [, child] = fluxObjects(world.registry.host, 'team/app', 'child', {
    path: './child',
    sourceRef: { kind: 'OCIRepository', name: 'app' },
  });
  const files = (tag: string) => ({
    'top/child.yaml': JSON.stringify(child),
    ...Object.fromEntries(Object.entries(sampleApp(tag)).map(([name, text]) => [`child/${name}`, text])),
  });
  await world.push('team/app', 'main', files('1.0.0'), annotated(commits[0]));
  world.cluster.apply([
    namespaceDemo,
    ...fluxObjects(world.registry.host, 'team/app', 'app', { path: './top', wait: false }),
  ]);
  await world.cluster.until(
    'Deployment',
    one('podinfo', () => true),
  );
  const good = await world.push('team/app', 'main', files('1.0.1'), annotated(commits[1]));
  const { verdict } = await follow(world, followedIn(world, good, commits[1]));
  expect(verdict.verdict).toBe('synced');
  expect(verdict.objects.map((object) => object.name)).toEqual(['app', 'app', 'child']);
  const bad = await world.push('team/app', 'main', files('2-broken'), annotated(commits[2]));
  expect((await follow(world, followedIn(world, bad, commits[2]))).verdict).toMatchObject({
    verdict: 'failed',
    message: expect.stringMatching(/Kustomization flux-system\/child: HealthCheckFailed: .*podinfo-/),
  });
});

test('a controller that does nothing ends with the time, and says what was waited for', async () => {
  const { world } = await deployed();
  world.cluster.scripts.pause('kustomize-controller');
  const wanted = await world.push('team/app', 'main', sampleApp('1.0.1'), annotated(commits[1]));
  const clock = fastClock(1);
  const { verdict, phases } = await follow(world, followedIn(world, wanted, commits[1]), {
    clock,
    deadline: clock.now() + 2_000,
  });
  expect(verdict).toMatchObject({
    verdict: 'timed-out',
    message: expect.stringContaining('Kustomization flux-system/app'),
  });
  expect(phases).toContain('fetched');
});
