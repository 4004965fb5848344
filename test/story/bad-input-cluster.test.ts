import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { claim, manifests, settings } from './job-files.ts';
import type { Ran } from './job-runs.ts';
import { jobWorld, type JobWorld } from './job.ts';
import { expectReports } from './refused.ts';

let world: JobWorld;
let version = 0;
const name = 'sync: staging/podinfo';

beforeAll(async () => {
  world = await jobWorld();
});
afterEach(() => {
  world.cluster.scripts.offline(false);
  world.gitlab.setFaults({});
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** Commits a version, publishes it, and follows it. */
async function deliver(
  options: { readonly tag?: string; readonly timeout?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly ran: Ran; readonly sha: string }> {
  version += 1;
  const sha = await world.version(`1.${version}.0${options.tag ?? ''}`);
  const publishing = world.start(['publish', '--environment', 'staging']);
  expect((await publishing.ended).code).toBe(0);
  const ran = await world.run(
    ['sync', '--environment', 'staging', '--published', publishing.result, '--timeout', options.timeout ?? '300s'],
    { env: options.env ?? {} },
  );
  return { ran, sha };
}

/** The exit code, the verdict with its words, and one final status on both commits. */
function expectEnd(
  { ran, sha }: { readonly ran: Ran; readonly sha: string },
  exit: number,
  verdict: string,
  said: RegExp,
): void {
  expect([ran.code, ran.stderr]).toEqual([exit, expect.any(String)]);
  const [pair] = ran.document['pairs'] as readonly Readonly<Record<string, unknown>>[];
  expect(pair).toMatchObject({ verdict });
  const fault = pair!['fault'] as { readonly message: string; readonly hint: string } | undefined;
  expect(`${String(pair!['message'])} ${fault?.message ?? ''} ${fault?.hint ?? ''}`).toMatch(said);
  const final = exit === 0 ? 'success' : 'failed';
  for (const commit of [sha, world.origin]) expect(world.states(commit).at(-1)).toBe(`${name} ${final}`);
  expectReports(ran, exit);
}

test('healthy: the way that all others leave', async () => {
  expectEnd(await deliver(), 0, 'synced', /./);
});

test('the cluster says no: exit 4, and the first cause is named', async () => {
  expectEnd(await deliver({ tag: '-broken' }), 4, 'failed', /podinfo-staging.*ImagePullBackOff/s);
});

test('no verdict in time: exit 5, and what was waited for is named', async () => {
  world.cluster.scripts.pause('source-controller');
  expectEnd(await deliver({ timeout: '15s' }), 5, 'timed-out', /podinfo-staging/);
  world.cluster.scripts.resume('source-controller');
});

test('a suspended source: exit 4', async () => {
  world.cluster.patch('OCIRepository', 'flux-system', 'podinfo-staging', { spec: { suspend: true } });
  expectEnd(await deliver(), 4, 'suspended', /suspend/);
  world.cluster.patch('OCIRepository', 'flux-system', 'podinfo-staging', { spec: { suspend: null } });
});

test('nothing consumes the artifact: exit 4', async () => {
  const spec = { sourceRef: { kind: 'OCIRepository', name: 'podinfo-production' } };
  world.cluster.patch('Kustomization', 'flux-system', 'podinfo-staging', { spec });
  expectEnd(await deliver(), 4, 'unconsumed', /podinfo-staging|no consumer|nothing/i);
  const back = { sourceRef: { kind: 'OCIRepository', name: 'podinfo-staging' } };
  world.cluster.patch('Kustomization', 'flux-system', 'podinfo-staging', { spec: back });
});

test.each([
  ['no kubeconfig', { KUBECONFIG: '' }, /KUBECONFIG is not set.*ci_access/s],
  ['a kubeconfig that does not exist', { KUBECONFIG: '/nowhere/kubeconfig' }, /KUBECONFIG names no file/],
])('%s: exit 7, and what is missing', async (_, env, said) => {
  expectEnd(await deliver({ env }), 7, 'unknown', said);
});

test('a kubeconfig without the context: exit 7, with the contexts that there are', async () => {
  const file = join(world.folder, 'other-kubeconfig');
  await writeFile(file, world.cluster.kubeconfig('shop/agents:elsewhere', 'no-such-token'));
  expectEnd(
    await deliver({ env: { KUBECONFIG: file } }),
    7,
    'unknown',
    /shop\/agents:staging-eu.*shop\/agents:elsewhere/s,
  );
});

test('a cluster credential that is refused: exit 7', async () => {
  const file = join(world.folder, 'wrong-kubeconfig');
  await writeFile(file, world.cluster.kubeconfig('shop/agents:staging-eu', 'no-such-token'));
  expectEnd(await deliver({ env: { KUBECONFIG: file } }), 7, 'unknown', /401|nauthorized/);
});

test('a kubeconfig that is none: a clear error', async () => {
  const file = join(world.folder, 'no-kubeconfig');
  await writeFile(file, 'clusters: [\n');
  expectEnd(await deliver({ env: { KUBECONFIG: file } }), 7, 'unknown', /kubeconfig/i);
});

test('a cluster that does not answer: exit 6', async () => {
  world.cluster.scripts.offline(true);
  expectEnd(await deliver({ timeout: '5s' }), 6, 'unknown', /./);
});

test('an agent that is not connected: exit 6', async () => {
  const rule = world.cluster.scripts.fail({ when: () => true, answer: 502 });
  expectEnd(await deliver({ timeout: '5s' }), 6, 'unknown', /502|agent/);
  rule.remove();
});

test('a job without any right: exit 5, and the right is named', async () => {
  world.cluster.addToken('token-without-rights', 'gitlab:ci_job:1');
  const file = join(world.folder, 'poor-kubeconfig');
  await writeFile(file, world.cluster.kubeconfig('shop/agents:staging-eu', 'token-without-rights'));
  const env = { KUBECONFIG: file };
  expectEnd(await deliver({ env }), 5, 'unknown', /ocirepositories/);
});

test('two runs follow the same commit: both end, and nothing is left open', async () => {
  version += 1;
  const sha = await world.version(`1.${version}.0`);
  const publishing = world.start(['publish', '--environment', 'staging']);
  expect((await publishing.ended).code).toBe(0);
  const args = ['sync', '--environment', 'staging', '--published', publishing.result, '--timeout', '300s'];
  const runs = await Promise.all([world.run(args), world.run(args)]);
  expect(runs.map(({ code }) => code)).toEqual([0, 0]);
  for (const commit of [sha, world.origin]) expect(world.states(commit).at(-1)).toBe(`${name} success`);
});

test('an environment without clusters is no success', async () => {
  const without = settings.replace('clusters: [{ name: eu, context: "shop/agents:staging-eu" }]', 'clusters: []');
  const files = { 'sluice.yaml': without, ...manifests(world.host, '2.0.0') };
  const sha = await world.commit(files, claim(world.origin, '2.0.0'));
  const publishing = world.start(['publish', '--environment', 'staging']);
  expect((await publishing.ended).code).toBe(0);
  const ran = await world.run(['sync', '--environment', 'staging', '--published', publishing.result]);
  expect([ran.code, ran.stdout + ran.stderr]).toEqual([2, expect.stringMatching(/cluster/)]);
  expect(world.states(sha)).not.toContain(`${name} success`);
});

test('no credential is told, nothing is left', async () => {
  expect(await world.leaks()).toEqual([]);
});
