import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { GitLabServer } from '../sandbox/gitlab/handle.ts';
import { startGitLab } from '../sandbox/gitlab/server.ts';
import { checkComponents, componentsOf, type Place } from '../scripts/components.ts';

/** The component project's own pipeline and its check of the components, by the simulated GitLab. */

interface Job {
  readonly stage?: string;
  readonly script?: readonly string[];
  readonly before_script?: readonly string[];
  readonly needs?: readonly (string | { readonly job: string })[];
  readonly image?: string;
  readonly rules?: readonly { readonly if?: string }[];
}

const root = join(import.meta.dirname, '..');
const path = 'sluice/sluice';
const own = await readFile(join(root, '.gitlab-ci.yml'), 'utf8');
const manifest = await readFile(join(root, 'package.json'), 'utf8');
let folder: string;
let gitlab: GitLabServer;
let token: string;
let project: number;
let sha: string;

async function ask(route: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(`${gitlab.url}/api/v4/projects/${project}${route}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'private-token': token, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.ok, route).toBe(true);
  return (await answer.json()) as Record<string, unknown>;
}

const place = (fields: Partial<Place> = {}): Place => ({
  api: `${gitlab.url}/api/v4`,
  project: `${gitlab.host}/${path}`,
  id: String(project),
  sha,
  ref: 'main',
  pipeline: null,
  token,
  ...fields,
});

/** The files of a commit of the component project. */
async function checkout(pipeline: string): Promise<ReadonlyMap<string, string>> {
  const templates = [...(await componentsOf(root))].map(([name, text]) => [`templates/${name}.yml`, text] as const);
  const parts = ['agent', 'dashboard', 'dashboard-before-18.4', 'needs', 'tags'].map(
    (name) => `templates/parts/${name}.yml`,
  );
  const texts = await Promise.all(
    [...parts, 'CHANGELOG.md'].map(async (file) => [file, await readFile(join(root, file), 'utf8')] as const),
  );
  return new Map([...templates, ...texts, ['.gitlab-ci.yml', pipeline]]);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const PATH = [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter);
  gitlab = await startGitLab({ folder: join(folder, 'gitlab'), env: { PATH } });
  project = gitlab.createProject(path, { visibility: 'public' }).id;
  ({ token } = gitlab.createToken(path, { name: 'lint', scopes: ['api'], accessLevel: 30 }));
  sha = await gitlab.seed(path, await checkout(own), 'Start', { pipeline: false });
});
afterAll(async () => {
  await gitlab.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

test('the pipeline is valid, with its components included at the commit', async () => {
  const lint = await ask('/ci/lint');
  expect(lint).toMatchObject({ valid: true, errors: [] });
  const merged = parse(String(lint['merged_yaml']), { merge: true }) as Readonly<Record<string, Job>>;
  expect(Object.keys(merged)).toEqual(
    expect.arrayContaining(['sluice update', 'sluice publish staging', 'sluice sync staging', 'test', 'release']),
  );
});

test('every job’s commands exist, in its image or in the repository', () => {
  const jobs = Object.entries(parse(own, { merge: true }) as Readonly<Record<string, Job>>).filter(
    ([, job]) => job.script,
  );
  expect(jobs.length).toBeGreaterThan(6);
  /** What images bring along, and what a `before_script` installs. */
  const programs: Readonly<Record<string, readonly string[]>> = {
    golang: ['apt-get', 'npm'],
    node: ['npm', 'node'],
    buildah: ['buildah', 'printf', 'test'],
    alpine: ['apk', 'printf', 'cosign'],
    cli: ['printf'],
    $CI_REGISTRY_IMAGE: ['sluice', 'git', 'oras', 'kustomize', 'cp', 'test', 'printf'],
  };
  const { scripts } = JSON.parse(manifest) as { scripts: Readonly<Record<string, string>> };
  const all = parse(own, { merge: true }) as Readonly<
    Record<string, Job & { readonly extends?: string | readonly string[] }>
  >;
  for (const [name, job] of jobs) {
    const bases = [(job as { extends?: string | readonly string[] }).extends ?? []].flat().map((base) => all[base]!);
    const image = job.image ?? bases.find((base) => base.image)?.image ?? '';
    const key = Object.keys(programs).find(
      (each) => image.startsWith(each) || image.includes(`/${each}:`) || image.includes(`/${each}/`),
    );
    expect(key, `${name}: ${image}`).toBeDefined();
    for (const line of [...(job.before_script ?? []), ...(job.script ?? [])]) {
      for (const part of line.split(/ \|\|? /))
        expect(programs[key!], `${name}: ${line}`).toContain(part.trim().split(' ')[0]);
      const [, task] = /^npm (?:run )?([a-z:]+)/.exec(line) ?? [];
      if (task !== undefined && task !== 'ci') expect(scripts, line).toHaveProperty([task]);
      const [, file] = /^node (\S+)/.exec(line) ?? [];
      if (file !== undefined) expect(existsSync(join(root, file)), line).toBe(true);
      for (const [example] of line.matchAll(/examples\/\S+/g)) expect(existsSync(join(root, example)), line).toBe(true);
    }
    for (const need of job.needs ?? []) expect(Object.keys(all)).toContain(typeof need === 'string' ? need : need.job);
  }
});

test('what is released: only a version’s tag, what was tested and signed, with the keyword that publishes components', () => {
  const all = parse(own, { merge: true }) as Readonly<Record<string, Job & { readonly release?: unknown }>>;
  const [rule] = all['release']!.rules!;
  const [, pattern] = /^\$CI_COMMIT_TAG =~ \/(.*)\/$/.exec(rule!.if!)!;
  for (const tag of ['1.2.3', '0.1.0', '2.0.0-rc.1']) expect(tag).toMatch(new RegExp(pattern!));
  for (const tag of ['v1.2.3', '1.2', 'latest', '1.2.3 x']) expect(tag).not.toMatch(new RegExp(pattern!));
  expect(all['release']!.release).toEqual({
    tag_name: '$CI_COMMIT_TAG',
    name: '$CI_COMMIT_TAG',
    description: 'CHANGELOG.md',
  });
  expect(all['release']!.needs).toEqual(['test', 'publish image']);
  expect(all['publish image']!.needs).toContain('sign image');
  expect(all['sign image']!.needs).toContain('run image');
  expect(all['image amd64']!.script!.join('\n')).toContain(':$CI_COMMIT_SHA-amd64');
  expect(all['image index']!.script!.join('\n')).toContain('"docker://$CI_REGISTRY_IMAGE:$CI_COMMIT_SHA"');
});

test('the components are valid by GitLab’s lint, and the pipeline has their jobs', async () => {
  const { include } = parse(own) as { include: unknown };
  await gitlab.seed(path, await checkout(stringify({ stages: ['verify'], include })), 'Only the components');
  const pipelines = (await ask('/pipelines')) as unknown as readonly { readonly id: number; readonly sha: string }[];
  const at = pipelines[0]!;
  const templates = await componentsOf(root);
  expect(await checkComponents(templates, place({ sha: at.sha, pipeline: String(at.id) }))).toEqual([]);
});

test('a component that is not valid, and a job that is not there, are told', async () => {
  const broken = new Map(await checkout('other: { script: ["true"] }\n'));
  broken.set('templates/update.yml', broken.get('templates/update.yml')!.replace('  stage: ', '  stagee: '));
  const at = await gitlab.seed(path, broken, 'Broken');
  await gitlab.waitForPipelines();
  const pipelines = (await ask('/pipelines')) as unknown as readonly { readonly id: number }[];
  const faults = await checkComponents(
    await componentsOf(root),
    place({ sha: at, pipeline: String(pipelines[0]!.id) }),
  );
  expect(faults.filter((fault) => fault.startsWith('update: '))).toHaveLength(1);
  expect(faults.slice(1)).toEqual(
    ['sluice update', 'sluice publish staging', 'sluice sync staging'].map((job) => `the pipeline has no job "${job}"`),
  );
});

test.each([
  ['17.11', { namespace: 'web', flux_resource_path: 'a/b' }],
  ['18.6', { dashboard: { namespace: 'web', flux_resource_path: 'a/b' } }],
  ['19.4', { dashboard: { namespace: 'web', flux_resource_path: 'a/b' } }],
] as const)(
  'GitLab %s: all components are valid, and the dashboard has the keys that it knows',
  async (profile, keys) => {
    const serverFolder = await mkdtemp(join(folder, 'profile-'));
    const PATH = [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter);
    const server = await startGitLab({ folder: serverFolder, env: { PATH }, profile });
    try {
      const { id } = server.createProject(path, { visibility: 'public' });
      const bot = server.createToken(path, { name: 'lint', scopes: ['api'], accessLevel: 30 });
      const at = await server.seed(path, await checkout('other: { script: ["true"] }\n'), 'Start', { pipeline: false });
      const there = {
        api: `${server.url}/api/v4`,
        project: `${server.host}/${path}`,
        id: String(id),
        sha: at,
        token: bot.token,
      };
      expect(await checkComponents(await componentsOf(root), place(there))).toEqual([]);
      const inputs = {
        environment: 'staging',
        dashboard_agent: 'shop/agents:eu',
        dashboard_namespace: 'web',
        flux_resource_path: 'a/b',
      };
      const content = stringify({ include: [{ component: `${server.host}/${path}/publish@${at}`, inputs }] });
      const answer = await fetch(`${there.api}/projects/${id}/ci/lint`, {
        method: 'POST',
        headers: { 'private-token': bot.token, 'content-type': 'application/json' },
        body: JSON.stringify({ content }),
      });
      const lint = (await answer.json()) as { readonly errors: readonly string[]; readonly merged_yaml: string };
      expect(lint.errors).toEqual([]);
      const jobs = parse(lint.merged_yaml, { merge: true }) as Readonly<Record<string, unknown>>;
      expect(jobs['sluice publish staging']).toMatchObject({
        environment: { name: '$SLUICE_ENVIRONMENT', kubernetes: { agent: 'shop/agents:eu', ...keys } },
      });
    } finally {
      await server.stop();
    }
  },
);
