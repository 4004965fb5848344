import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorld } from '../sandbox/gitlab-fixture.ts';
import type { World } from '../sandbox/gitlab-fixture.ts';
import { openBrowser, type Seen } from './browser.ts';

/** The simulated GitLab's pages, as a real browser shows them; pictures go to the folder SLUICE_PICTURES, if set. */

const digest = `sha256:${'ab'.repeat(32)}`;
let world: World;
let open: (url: string, name: string) => Promise<Seen>;
let pipeline: number;
let job: number;

const yaml = `
stages: [build, deliver, verify]
build: { stage: build, script: ['echo "built <b>1.2.3</b> with $SECRET"'] }
update: { stage: deliver, script: "true", environment: { name: staging } }
scan: { stage: deliver, script: "exit 1", allow_failure: true }
approve: { stage: verify, script: "true", when: manual }
`;

beforeAll(async () => {
  world = await startWorld({ registry: { host: 'registry.example', tags: async () => [{ name: 'staging', digest }] } });
  const { gitlab } = world;
  open = await openBrowser(world.folder);
  gitlab.createProject('shop/podinfo', { description: '<script>document.title = "broken"</script>' });
  gitlab.setVariable('shop/podinfo', { key: 'SECRET', value: 'a-masked-value', masked: true });
  const bot = gitlab.createToken('shop/podinfo', { name: 'sluice', scopes: ['api', 'write_registry'] });
  const call = world.as(bot.token);
  const project = '/projects/shop%2Fpodinfo';
  const sha = await gitlab.seed('shop/podinfo', new Map([['.gitlab-ci.yml', yaml]]), 'feat: <i>first</i> version');
  await gitlab.waitForPipelines();
  pipeline = (await call('GET', `${project}/pipelines`)).body[0].id;
  job = (await call('GET', `${project}/pipelines/${pipeline}/jobs`)).body.at(-1).id;
  const fields = { name: 'sync: staging/podinfo', pipeline_id: pipeline };
  await call('POST', `${project}/statuses/${sha}`, { ...fields, state: 'running' });
  await call('POST', `${project}/statuses/${sha}`, {
    ...fields,
    state: 'failed',
    description: 'Deployment shop/podinfo: ImagePullBackOff',
  });
  await gitlab.seed('shop/podinfo', new Map([['a', 'a']]), 'deploy(production): podinfo 1.2.3 [skip ci]', {
    branch: 'sluice/production',
  });
  await call('POST', `${project}/merge_requests`, {
    source_branch: 'sluice/production',
    target_branch: 'main',
    title: 'deploy(production): podinfo 1.2.3',
    description: '1.2.2 → 1.2.3',
  });
  await call('POST', `${project}/merge_requests/1/notes`, { body: 'Rendered difference' });
  await gitlab.waitForPipelines();
  const basic = Buffer.from(`${bot.username}:${bot.token}`).toString('base64');
  const scope = `${gitlab.registryAuth.realm}?service=${gitlab.registryAuth.service}&scope=repository:shop/podinfo/web:pull,push`;
  await fetch(scope, { headers: { authorization: `Basic ${basic}` } });
});
afterAll(async () => world.close());

const look = (path: string, name: string) => open(world.gitlab.url + path, name);

/** Texts of the elements that carry an attribute. */
function texts(dom: string, attribute: string): readonly string[] {
  const parts = dom.split(new RegExp(`<[^>]* ${attribute}="`)).slice(1);
  return parts.map((part) => part.slice(0, part.indexOf('"')));
}

test('projects', async () => {
  const { dom, picture } = await look('/', 'projects');
  expect(dom).toContain('shop/podinfo');
  expect(dom).toContain('<title>Projects · GitLab (simulated)</title>');
  expect(dom).toContain('&lt;script&gt;');
  expect(picture).toBeGreaterThan(8000);
});

test('commits with their pipeline and external status', async () => {
  const { dom, picture } = await look('/shop/podinfo', 'commits');
  expect(dom).toContain('feat: &lt;i&gt;first&lt;/i&gt; version');
  expect(dom).toContain('sync: staging/podinfo');
  expect(dom).toContain('Deployment shop/podinfo: ImagePullBackOff');
  expect(texts(dom, 'data-status')).toEqual(expect.arrayContaining(['failed']));
  expect(picture).toBeGreaterThan(8000);
});

test('a pipeline: jobs and external jobs by stage', async () => {
  const { dom } = await look(`/shop/podinfo/-/pipelines/${pipeline}`, 'pipeline');
  expect(texts(dom, 'data-stage')).toEqual(['build', 'deliver', 'verify', 'external']);
  expect(texts(dom, 'data-job')).toEqual(['build', 'update', 'scan', 'approve', 'sync: staging/podinfo']);
});

test('a job’s log is text, and masked', async () => {
  const { dom } = await look(`/shop/podinfo/-/jobs/${job}`, 'job');
  expect(dom).toContain('built &lt;b&gt;1.2.3&lt;/b&gt; with [MASKED]');
  expect(dom).not.toContain('a-masked-value');
});

test('a merge request with its widget and note', async () => {
  const { dom } = await look('/shop/podinfo/-/merge_requests/1', 'merge-request');
  expect(dom).toContain('1.2.2 → 1.2.3');
  expect(dom).toContain('Rendered difference');
  expect(texts(dom, 'data-widget')).toEqual(['pipeline']);
});

test('registry tags and environments', async () => {
  const registry = await look('/shop/podinfo/-/container_registry', 'registry');
  expect(registry.dom).toContain('registry.example/shop/podinfo/web');
  expect(registry.dom).toContain(digest);
  const environments = await look('/shop/podinfo/-/environments', 'environments');
  expect(environments.dom).toContain('<b>staging</b>');
  expect(texts(environments.dom, 'data-status')).toEqual(['success']);
});
