import { afterAll, expect, test } from 'vitest';
import type { Profile } from '../../sandbox/gitlab/handle.ts';
import { paths } from '../../sandbox/seed.ts';
import { openExamples, type ExamplesWorld } from './parts.ts';

/** The loop from pipelines of other kinds: children, merge requests with and without merged results, forks. */

let world: ExamplesWorld;

async function open(profile: Profile) {
  await world?.[Symbol.asyncDispose]();
  world = await openExamples({
    clusters: ['staging-eu'],
    profile,
  });
}
afterAll(() => world[Symbol.asyncDispose]());

const component = (name: string, inputs: string) =>
  `  - component: $CI_SERVER_FQDN/sluice/sluice/${name}@~latest\n    inputs: ${inputs}\n`;
const build = (rule: string) => `build image:
  stage: build
  rules: [{ if: '${rule}' }]
  script:
    - sh build-image.sh "$CI_REGISTRY_IMAGE:$(cat VERSION)"
    - echo "SLUICE_IMAGE=$CI_REGISTRY_IMAGE:$(cat VERSION)" > image.env
  artifacts: { reports: { dotenv: image.env } }
`;
const update = (rule: string) =>
  component('update', `{ app: podinfo, delivery: ${paths.delivery}, rules: [{ if: '${rule}' }] }`);

async function ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(`${world.gitlab.url}/api/v4${path}`, {
    method,
    headers: { 'private-token': world.person.token, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.ok, `${method} ${path}`).toBe(true);
  return (await answer.json()) as Record<string, unknown>;
}
const project = (path: string) => `/projects/${encodeURIComponent(path)}`;

/** States of podinfo's status on a commit, in the order posted, each with its pipeline. */
const told = (path: string, sha: string) =>
  world.events.flatMap((event) =>
    event.type === 'status' && event.project === path && event.sha === sha && event.name === 'sync: staging/podinfo'
      ? [[event.state, event.pipeline]]
      : [],
  );
const loop = (pipeline: number) => ['pending', 'running', 'success'].map((state) => [state, pipeline]);

/** The newest delivery commit, with its message. */
async function delivered(): Promise<{ readonly sha: string; readonly message: string }> {
  const commit = await ask('GET', `${project(paths.delivery)}/repository/commits/main`);
  return { sha: String(commit['id']), message: String(commit['message']) };
}

test.each([
  { profile: '18.6', how: 'what it is not told it finds: posts to a child are refused' },
  { profile: '19.4', how: 'the origin names the parent' },
] as const)(
  'both sides in child pipelines of GitLab $profile: the statuses stand in the parents ($how)',
  async ({ profile }) => {
    await open(profile);
    const everywhere = '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH';
    await world.gitlab.seed(
      paths.delivery,
      new Map([
        ['.gitlab-ci.yml', 'deliver: { trigger: { include: ci/deliver.yml, strategy: depend } }\n'],
        ['ci/deliver.yml', `include:\n${component('deliver', '{ environment: staging }')}`],
      ]),
      'Deliver in a child pipeline',
      { pipeline: false },
    );
    const sha = await world.gitlab.seed(
      paths.app,
      new Map([
        ['.gitlab-ci.yml', 'ship: { trigger: { include: ci/ship.yml, strategy: depend } }\n'],
        ['ci/ship.yml', `stages: [build, deploy]\n${build(everywhere)}include:\n${update(everywhere)}`],
        ['VERSION', '7.0.0\n'],
      ]),
      'Ship in a child pipeline',
    );
    await world.gitlab.waitForPipelines();

    const [parent] = await world.visitor.pipelines(paths.app, sha);
    expect(parent).toMatchObject({ source: 'push', status: 'success' });
    const commit = await delivered();
    if (profile === '19.4') expect(commit.message).toContain(`Sluice-Source-Pipeline: ${parent?.id}`);
    expect(told(paths.app, sha)).toEqual(loop(parent!.id));
    const [own] = await world.visitor.pipelines(paths.delivery, commit.sha);
    expect(own).toMatchObject({ source: 'push', status: 'success' });
    expect(told(paths.delivery, commit.sha)).toEqual(loop(own!.id));
  },
);

test('a merge request’s pipeline of the merged result: the status stands in it, where the merge request shows it', async () => {
  const asked = '$CI_PIPELINE_SOURCE == "merge_request_event"';
  world.gitlab.configureProject(paths.app, { mergedResults: true });
  const yaml = `stages: [build, deploy]\n${build(asked)}include:\n${update(asked)}`;
  await world.gitlab.seed(paths.app, new Map([['.gitlab-ci.yml', yaml]]), 'Preview merge requests', {
    pipeline: false,
  });
  await world.gitlab.seed(paths.app, new Map([['VERSION', '7.1.0\n']]), 'Next', { branch: 'next', pipeline: false });
  const fields = { source_branch: 'next', target_branch: 'main', title: 'Next version' };
  const request = await ask('POST', `${project(paths.app)}/merge_requests`, fields);
  await world.gitlab.waitForPipelines();

  // Protected variables do not reach merge requests: the message says so.
  const refused = world.events.findLast(
    (event) => event.type === 'job' && event.name === 'sluice update' && event.exitCode !== null,
  );
  if (refused?.type !== 'job') throw new Error('no update ran');
  expect(refused.exitCode).toBe(7);
  expect(world.gitlab.jobLog(paths.app, refused.id)).toMatch(
    /no token to push[\s\S]*SLUICE_GITLAB_TOKEN[\s\S]*protected variables do not reach it/,
  );

  const bot = world.gitlab.createToken(paths.delivery, {
    name: 'previews',
    scopes: ['api', 'write_repository'],
    accessLevel: 40,
  });
  world.gitlab.setVariable(paths.app, { key: 'SLUICE_GITLAB_TOKEN', value: bot.token, masked: true });
  await ask('POST', `${project(paths.app)}/merge_requests/${String(request['iid'])}/pipelines`);
  await world.gitlab.waitForPipelines();

  const shown = await ask('GET', `${project(paths.app)}/merge_requests/${String(request['iid'])}`);
  const head = shown['head_pipeline'] as {
    readonly id: number;
    readonly sha: string;
    readonly ref: string;
    readonly status: string;
  };
  expect(head).toMatchObject({ ref: `refs/merge-requests/${String(request['iid'])}/merge`, status: 'success' });
  expect(head.sha).not.toBe(shown['sha']);
  expect(told(paths.app, head.sha)).toEqual(loop(head.id));
  expect(told(paths.app, String(shown['sha']))).toEqual([]);
});

test('a fork’s merge request: its update has no token, ends with 7, and says why', async () => {
  const stranger = world.gitlab.createUser('stranger', { memberships: { [paths.app]: 20 } });
  const fork = await world.gitlab.forkProject(paths.app, 'stranger/podinfo', 'stranger');
  await world.gitlab.seed('stranger/podinfo', new Map([['VERSION', '9.9.9\n']]), 'Mine', {
    branch: 'mine',
    pipeline: false,
  });
  const before = await delivered();
  const target = await ask('GET', project(paths.app));
  const answer = await fetch(`${world.gitlab.url}/api/v4/projects/${fork.id}/merge_requests`, {
    method: 'POST',
    headers: { 'private-token': stranger.token, 'content-type': 'application/json' },
    body: JSON.stringify({
      source_branch: 'mine',
      target_branch: 'main',
      title: 'Mine',
      target_project_id: target['id'],
    }),
  });
  expect(answer.status).toBe(201);
  await world.gitlab.waitForPipelines();

  const job = world.events.findLast(
    (event) =>
      event.type === 'job' &&
      event.project === 'stranger/podinfo' &&
      event.name === 'sluice update' &&
      event.exitCode !== null,
  );
  if (job?.type !== 'job') throw new Error('no update ran');
  expect(job.exitCode).toBe(7);
  expect(world.gitlab.jobLog('stranger/podinfo', job.id)).toMatch(
    /no token to push[\s\S]*one of a fork gets no variables/,
  );
  expect(await delivered()).toEqual(before);
});
