import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { paths } from '../../sandbox/seed.ts';
import { openExamples, type ExamplesWorld } from './parts.ts';

/** The delivery project's pipeline from the form "Run pipeline" (here its API) and with a trigger token. */

let world: ExamplesWorld;

beforeAll(async () => {
  world = await openExamples();
  world.gitlab.createProject('shop/greeter');
  world.gitlab.configureProject('shop/greeter', { jobTokenAllowlist: [paths.delivery] });
  await pushImage('shop/greeter', '1.1.0');
  await pushImage(paths.checkout, '1.4.3');
  await pushImage(paths.app, '6.5.1');
});
afterAll(() => world[Symbol.asyncDispose]());

/** An application's pipeline that only builds its image. */
async function pushImage(project: string, version: string): Promise<void> {
  const script = await readFile(join(world.root, 'examples', 'app', 'build-image.sh'), 'utf8');
  const job = 'build: { script: [\'sh build-image.sh "$CI_REGISTRY_IMAGE:$(cat VERSION)"\'] }\n';
  const files = { VERSION: `${version}\n`, 'build-image.sh': script, 'public/index.html': 'x', '.gitlab-ci.yml': job };
  await world.gitlab.seed(project, new Map(Object.entries(files)), `Build ${version}`);
  await world.gitlab.waitForPipelines();
}

type Inputs = Readonly<Record<string, string>>;

async function post(path: string, body: Readonly<Record<string, unknown>>, token?: string) {
  const answer = await fetch(`${world.gitlab.url}/api/v4/projects/${encodeURIComponent(paths.delivery)}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { 'private-token': token }) },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Readonly<Record<string, unknown>> };
}
const form = (inputs: Inputs) => post('/pipeline', { ref: 'main', inputs }, world.person.token);

/** Names of the jobs of a pipeline with their states, and the logs of those that failed. */
async function jobsOf(pipeline: unknown): Promise<readonly string[]> {
  await world.gitlab.waitForPipelines();
  const jobs = await world.visitor.jobs(paths.delivery, Number(pipeline));
  return jobs.map(({ id, name, status }) =>
    [`${name}: ${status}`, ...(status === 'success' ? [] : [world.gitlab.jobLog(paths.delivery, id)])].join('\n'),
  );
}

/** Delivery commits on main since an event. */
const pushed = (from: number) =>
  world.events
    .slice(from)
    .flatMap((event) =>
      event.type === 'push' && event.project === paths.delivery && event.ref.endsWith('main') ? [event] : [],
    );

const states = (sha: string, name: string) =>
  world.events.flatMap((event) =>
    event.type === 'status' && event.project === paths.delivery && event.sha === sha && event.name === name
      ? [event.state]
      : [],
  );

test('all three apps of the example stand in both environments: overlay, setter marker, HelmRelease', async () => {
  const [first] = pushed(0);
  for (const environment of ['staging', 'production'])
    for (const app of ['podinfo', 'checkout', 'greeter'])
      expect(states(first!.after, `sync: ${environment}/${app}`).at(-1), `${environment}/${app}`).toBe('success');
  const released = await world.clusters['prod-eu']!.objects('Deployment', 'greeter');
  expect(JSON.stringify(released)).toContain('/shop/greeter:1.0.0');
});

test('`deploy`: the version is written, and the commit’s own pipeline delivers it; `sync` follows again', async () => {
  const from = world.events.length;
  const asked = await form({ task: 'deploy', app: 'greeter', version: '1.1.0', environment: 'staging' });
  expect(asked.status).toBe(201);
  expect(await jobsOf(asked.body['id'])).toEqual(['deploy: success']);
  const [commit, ...more] = pushed(from);
  expect(more).toEqual([]);
  expect(commit!.subject).toBe('deploy(staging): greeter 1.1.0');
  expect(states(commit!.after, 'sync: staging/greeter')).toEqual(['pending', 'running', 'success']);
  const released = await world.clusters['staging-eu']!.objects('Deployment', 'greeter');
  expect(JSON.stringify(released)).toContain('/shop/greeter:1.1.0');

  const again = await form({ task: 'sync', app: 'greeter', environment: 'staging' });
  expect(await jobsOf(again.body['id'])).toEqual(['again sync staging: success']);
});

test('`deploy` to production opens a merge request, as `changes:` says', async () => {
  const asked = await form({ task: 'deploy', app: 'checkout', version: '1.4.3', environment: 'production' });
  expect(await jobsOf(asked.body['id'])).toEqual(['deploy: success']);
  const requests = await world.visitor.mergeRequests(paths.delivery);
  expect(requests.map((request) => request.title)).toEqual(['Deploy checkout 1.4.3 to production']);
});

test('a trigger token starts the same tasks, and can do nothing else', async () => {
  const token = world.gitlab.createTriggerToken(paths.delivery, 'chat bot');
  const from = world.events.length;
  const inputs = { task: 'deploy', app: 'podinfo', version: '6.5.1', environment: 'staging' };
  const asked = await post('/trigger/pipeline', { token, ref: 'main', inputs });
  expect([asked.status, await jobsOf(asked.body['id'])]).toEqual([201, ['deploy: success']]);
  expect(pushed(from).map(({ subject }) => subject)).toEqual(['deploy(staging): podinfo 6.5.1']);
  const synced = await post('/trigger/pipeline', { token, ref: 'main', inputs: { task: 'sync', app: 'podinfo' } });
  expect(await jobsOf(synced.body['id'])).toEqual(['again sync staging: success']);
});

test('a version whose image is missing is refused, and says what to do', async () => {
  const from = world.events.length;
  const asked = await form({ task: 'deploy', app: 'podinfo', version: '9.9.9', environment: 'staging' });
  const [log] = await jobsOf(asked.body['id']);
  expect(log).toContain('shop/podinfo has no tag 9.9.9');
  expect(log).toContain('Push the image first');
  expect(pushed(from)).toEqual([]);
});

test('with `mode: trigger` an application project holds a trigger token and nothing else', async () => {
  const { gitlab } = world;
  const from = world.events.length;
  const token = gitlab.createTriggerToken(paths.delivery, 'checkout');
  gitlab.setVariable(paths.checkout, { key: 'SLUICE_GITLAB_TOKEN', value: '' });
  gitlab.setVariable(paths.checkout, { key: 'SLUICE_TRIGGER_TOKEN', value: token, masked: true });
  const version = (JSON.parse(await readFile(join(world.root, 'package.json'), 'utf8')) as { version: string }).version;
  const pipeline = `include:
  - component: $CI_SERVER_FQDN/sluice/sluice/update@${version}
    inputs: { app: checkout, delivery: ${paths.delivery}, mode: trigger, image: '$CI_REGISTRY_IMAGE:1.4.3' }
`;
  const commit = await gitlab.seed(paths.checkout, new Map([['.gitlab-ci.yml', pipeline]]), 'Deliver 1.4.3');
  await gitlab.waitForPipelines();
  const jobs = world.events
    .slice(from)
    .flatMap((event) => (event.type === 'job' && event.exitCode !== null ? [`${event.name}: ${event.exitCode}`] : []));
  expect(jobs).toEqual(expect.arrayContaining(['sluice update: 0', 'triggered update: 0', 'sluice sync staging: 0']));
  const [delivered] = pushed(from);
  expect(delivered!.subject).toBe('deploy(staging): checkout 1.4.3');
  expect(states(delivered!.after, 'sync: staging/checkout')).toEqual(['pending', 'running', 'success']);
  const answered = world.events.flatMap((event) =>
    event.type === 'status' && event.project === paths.checkout && event.sha === commit ? [event.state] : [],
  );
  expect(answered).toEqual(['pending', 'running', 'success']);
});

test.each<[string, Inputs, string]>([
  ['an app that is not there', { task: 'deploy', app: 'other' }, 'app'],
  ['a version with a command in it', { task: 'deploy', app: 'podinfo', version: '1$(id)' }, 'version'],
  ['an unknown input', { tasks: 'deploy' }, 'unknown input arguments: tasks'],
])('%s is refused by GitLab before anything runs', async (_, inputs, words) => {
  const { status, body } = await form(inputs);
  expect(status).toBe(400);
  expect(JSON.stringify(body)).toContain(words);
});
