import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { results } from '../../runner/output/results.ts';
import { startCluster } from '../../sandbox/cluster/cluster.ts';
import type { SimulatedCluster } from '../../sandbox/cluster/handle.ts';
import { binaryPath } from '../../scripts/binaries.mjs';
import { allPairs } from '../../src/config/pair.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { layouts } from './init-layouts.ts';
import { type Filed, filesOf, git, initRepository, toolPath } from './init-repository.ts';

let folder = '';
let cluster: SimulatedCluster;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-init-'));
  cluster = await startCluster({
    kustomize: binaryPath('kustomize'),
    env: { PATH: toolPath },
    folder,
    timeScale: 0.05,
  });
  cluster.apply('apiVersion: v1\nkind: Namespace\nmetadata: { name: flux-system }\n');
});
afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

const repository = (files: Readonly<Record<string, string>>) => initRepository(folder, files);

/** Applies what init wrote for clusters to a cluster, after the objects that stood. */
function apply(files: readonly Filed[]): void {
  for (const { path: file, text } of files) if (text !== undefined && file.startsWith('clusters/')) cluster.apply(text);
}

describe('layouts', () => {
  test.each(layouts)('$name', async ({ files, roots }) => {
    const here = await repository(files);
    const ran = await here.init();
    const text = await here.read('sluice.yaml');
    const config = parseConfig(text, 'sluice.yaml');
    expect(ran.record.outcome).toBe('written');
    const found = allPairs(config, 'registry.example.com/shop/delivery').flatMap((pair) =>
      pair.artifacts.flatMap((artifact) =>
        artifact.roots.map((root) => [`${pair.environment.name}/${artifact.name}`, root] as const),
      ),
    );
    expect(Object.fromEntries(found)).toMatchObject(roots);
    const outcomes = await here.publish();
    for (const name of Object.keys(roots)) expect([name, outcomes[name]]).toEqual([name, 'pushed']);
    apply(filesOf(ran));
    results['init']!.parse({ command: 'init', durations: {}, ...ran.record });
    // Nothing is proposed anew where everything stands, and what stood is as it was.
    expect((await here.init()).record.outcome).toBe('unchanged');
    for (const [file, before] of Object.entries(files)) expect(await here.read(file)).toBe(before);
  });
});

describe('what is proposed', () => {
  const [simple] = layouts;
  test('sources with an interval, Kustomizations that wait, a Receiver for all of them, the least rights', async () => {
    const here = await repository(simple!.files);
    const ran = await here.init();
    expect(filesOf(ran).map((file) => file.path)).toEqual([
      'sluice.yaml',
      'clusters/staging/api.yaml',
      'clusters/staging/web.yaml',
      'clusters/staging/sluice-receiver.yaml',
      'clusters/staging/sluice-rbac.yaml',
      '.gitlab/agents/staging/config.yaml',
      'clusters/production/web.yaml',
      'clusters/production/sluice-receiver.yaml',
      'clusters/production/sluice-rbac.yaml',
      '.gitlab/agents/production/config.yaml',
      '.gitlab-ci.yml',
    ]);
    const web = await here.read('clusters/staging/web.yaml');
    expect(web).toMatch(/url: oci:\/\/registry\.example\.com\/shop\/delivery\/web/);
    expect(web).toMatch(/interval: 10m/);
    expect(web).toMatch(/wait: true/);
    const receiver = parse(await here.read('clusters/staging/sluice-receiver.yaml')) as {
      spec: { resources: { name: string }[] };
    };
    expect(receiver.spec.resources.map(({ name }) => name)).toEqual(['api', 'web']);
    expect(ran.text).toMatch(/--set rbac\.create=false/);
  });
  test('the rights are those of the examples', async () => {
    const here = await repository(simple!.files);
    await here.init();
    const documents = (text: string) =>
      text
        .split(/^---\n/m)
        .map((one) => parse(one) as { kind: string; metadata: { name: string }; rules?: unknown } | null)
        .filter((one) => one !== null);
    const ours = documents(await here.read('clusters/staging/sluice-rbac.yaml'));
    const theirs = documents(
      await readFile(join(import.meta.dirname, '../../examples/agent-config/rbac/sluice.yaml'), 'utf8'),
    );
    for (const name of ['sluice-watch', 'sluice-notify', 'sluice-receiver']) {
      const rulesIn = (all: typeof ours) =>
        all.find((one) => one.metadata.name === name && one.rules !== undefined)?.rules;
      expect(rulesIn(ours)).toEqual(rulesIn(theirs));
    }
  });
  test('--access ci-job binds the environment’s jobs, --agents another project, --no-receiver none', async () => {
    const here = await repository(simple!.files);
    const ran = await here.init(
      '--access',
      'ci-job',
      '--project-id',
      '42',
      '--agents',
      'platform/agents',
      '--no-receiver',
      '--application',
      'web=shop/web',
    );
    expect(await here.read('clusters/staging/sluice-rbac.yaml')).toMatch(
      /kind: Group\n\s+name: gitlab:project_env:42:staging/,
    );
    expect(filesOf(ran).map((file) => file.path)).not.toContain('clusters/staging/sluice-receiver.yaml');
    const elsewhere = ran.record['elsewhere'] as { project: string; path: string; text: string }[];
    expect(elsewhere.map((file) => `${file.project} ${file.path}`)).toEqual([
      'platform/agents .gitlab/agents/staging/config.yaml',
      'platform/agents .gitlab/agents/production/config.yaml',
      'the application project of api .gitlab-ci.yml',
      'shop/web .gitlab-ci.yml',
    ]);
    expect(elsewhere[0]?.text).toMatch(/access_as:\n\s+ci_job: {}/);
    expect(parseConfig(await here.read('sluice.yaml'), 'sluice.yaml').environments[0]?.clusters[0]?.context).toBe(
      'platform/agents:staging',
    );
  });
  test('--dry-run writes nothing and prints a diff that git can apply', async () => {
    const here = await repository(simple!.files);
    const ran = await here.init('--dry-run');
    expect(ran.record.outcome).toBe('planned');
    await expect(here.read('sluice.yaml')).rejects.toThrow(/ENOENT/);
    const diff = ran.text.slice(0, ran.text.indexOf('Would be written:'));
    await writeFile(join(here.at, '..', 'plan.diff'), diff);
    await git('git', ['apply', join(here.at, '..', 'plan.diff')], { cwd: here.at });
    expect((await here.init()).record.outcome).toBe('unchanged');
  });
  test('source: git: one GitRepository for all', async () => {
    const here = await repository(simple!.files);
    const ran = await here.init('--source', 'git');
    expect(filesOf(ran).map((file) => file.path)).toContain('clusters/staging/delivery.yaml');
    expect(await here.read('clusters/staging/delivery.yaml')).toMatch(
      /url: https:\/\/gitlab\.example\.com\/shop\/delivery\.git/,
    );
    expect(ran.text).toMatch(/scope read_repository alone/);
    apply(filesOf(ran));
    await here.publish();
  });
});

describe('what stands', () => {
  test('Flux’s example keeps its Kustomizations: the diff points them to the artifacts', async () => {
    const here = await repository(layouts.at(-1)!.files);
    const ran = await here.init();
    const differs = filesOf(ran).filter(({ state }) => state === 'differs');
    expect(differs.map((file) => file.path)).toEqual([
      'clusters/staging/apps.yaml',
      'clusters/staging/infrastructure.yaml',
      'clusters/production/apps.yaml',
      'clusters/production/infrastructure.yaml',
    ]);
    expect(differs[0]?.diff).toMatch(
      /-    kind: GitRepository\n-    name: flux-system\n\+    kind: OCIRepository\n\+    name: apps/,
    );
    expect(differs[0]?.diff).toMatch(/\+  wait: true/);
    await writeFile(join(here.at, '..', 'adopt.diff'), differs.map(({ diff }) => diff).join(''));
    await git('git', ['apply', join(here.at, '..', 'adopt.diff')], { cwd: here.at });
    expect(filesOf(await here.init()).every(({ state }) => state === 'same')).toBe(true);
  });
  test('an own pipeline: the includes are shown, with its stage, and the file is left', async () => {
    const own = 'stages: [lint, ship] # ours\n\nlint:\n  stage: lint\n  script: [make lint]\n';
    const here = await repository({ ...layouts[0]!.files, '.gitlab-ci.yml': own });
    const ran = await here.init();
    expect(await here.read('.gitlab-ci.yml')).toBe(own);
    const pipeline = filesOf(ran).find((file) => file.path === '.gitlab-ci.yml');
    expect(pipeline?.state).toBe('differs');
    expect(pipeline?.diff).toMatch(/\+ +stage: ship/);
    expect(pipeline?.diff).not.toMatch(/^-[^-]/m);
  });
  test.each([
    ['a list', 'include:\n  - local: a.yml # first\n  - local: b.yml\n\njob: { script: [make] } # last\n', 2],
    ['a flow list', 'include: [{ local: a.yml }]\njob: { script: [make] }\n', 1],
    ['one file', 'include: a.yml\n', 1],
    ['one entry', 'include:\n  local: a.yml\njob:\n  script: make\n', 1],
    ['a list at the end, without a line end', 'include:\n- local: a.yml', 1],
  ])('an own include, %s', async (_, own, entries) => {
    const here = await repository({ ...layouts[0]!.files, '.gitlab-ci.yml': own });
    const { diff = '' } = filesOf(await here.init()).find((file) => file.path === '.gitlab-ci.yml')!;
    await writeFile(join(here.at, '..', 'pipeline.diff'), diff);
    await git('git', ['apply', join(here.at, '..', 'pipeline.diff')], { cwd: here.at });
    const completed = parse(await here.read('.gitlab-ci.yml')) as { include: unknown[]; job?: unknown };
    expect(completed.include).toHaveLength(entries + 2);
    expect(completed.job).toEqual((parse(own) as { job?: unknown }).job);
    expect(filesOf(await here.init()).find((file) => file.path === '.gitlab-ci.yml')?.state).toBe('same');
  });
  test('a sluice.yaml is read, not replaced, and named where it is not valid', async () => {
    const own =
      'version: 1\nenvironments: { blue: { clusters: [{ name: blue, context: blue }] } }\napps: { web: { path: apps/web, roots: [apps/web/staging] } }\n';
    const here = await repository({ ...layouts[0]!.files, 'sluice.yaml': own });
    const ran = await here.init('--agents', 'platform/agents');
    expect(ran.text).toMatch(/--agents was not read: sluice\.yaml stands/);
    expect(await here.read('sluice.yaml')).toBe(own);
    expect(await here.read('clusters/blue/web.yaml')).toMatch(/path: \.\/apps\/web\/staging/);
    expect(ran.text).toMatch(/kubectl --context blue apply -f clusters\/blue/);
    const broken = await repository({ 'sluice.yaml': 'version: 2\n' });
    await expect(broken.init()).rejects.toMatchObject({ code: 'config_invalid' });
  });
  test('a kustomization of the cluster’s folder must list the new files', async () => {
    const here = await repository({
      ...layouts[0]!.files,
      'clusters/staging/kustomization.yaml': 'resources:\n  - other.yaml # first\n',
    });
    const ran = await here.init();
    const listing = filesOf(ran).find((file) => file.path === 'clusters/staging/kustomization.yaml');
    expect(listing?.state).toBe('differs');
    expect(listing?.diff).toMatch(/\+ {2}- web\.yaml/);
  });
});

describe('bad input', () => {
  test('nothing to tell apps from', async () => {
    const here = await repository({ 'README.yaml': 'a: 1\n' });
    await expect(here.init()).rejects.toMatchObject({ code: 'target_missing' });
  });
  test.each([
    ['an application of no app', ['--application', 'nope=shop/x'], 'unknown_app'],
    ['an application without a project', ['--application', 'web'], 'usage'],
    ['ci-job without an id', ['--access', 'ci-job'], 'usage'],
  ])('%s', async (_, args, code) => {
    const here = await repository(layouts[0]!.files);
    await expect(here.init(...args)).rejects.toMatchObject({ code });
  });
  test('files that cannot be parsed, and folders that are no names, are passed over', async () => {
    const here = await repository({
      ...layouts[0]!.files,
      'apps/web/staging/broken.yaml': 'a: [\n',
      'apps/Web_App/staging/kustomization.yaml': 'resources: []\n',
      'apps/ledger/staging/kustomization.yaml': 'resources: []\n',
    });
    await here.init();
    expect(parseConfig(await here.read('sluice.yaml'), 'sluice.yaml').apps.map(({ name }) => name)).toEqual([
      'api',
      'web',
    ]);
  });
});
