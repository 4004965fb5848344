import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startCi, type CiWorld } from './gitlab-project.ts';

/** Trigger jobs: children and pipelines of other projects. Retries that jobs ask for. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let world: CiWorld['world'];
let call: CiWorld['call'];
let all: CiWorld['all'];

beforeAll(async () => {
  ({ world, call, all } = await startCi({ profile: '19.4' }));
});
afterAll(async () => world.close());

const pipelinesOf = async (url: string, query = '') => (await call('GET', `${url}/pipelines${query}`)).body;

test('a child pipeline: listed apart, its end is the trigger job’s, its variables name the parent', async () => {
  const { path, url, sha } = await all.create(
    'stages: [run, after]\nchild: { stage: run, trigger: { include: child.yml, strategy: depend }, variables: { GIVEN: $CI_PROJECT_NAME-x } }\nlater: { stage: after, script: "true" }\n',
    undefined,
    {
      'child.yml':
        'inside: { script: ["echo $CI_PIPELINE_SOURCE of $CI_UPSTREAM_PIPELINE_ID in $CI_UPSTREAM_PROJECT_ID given $GIVEN", "exit $CODE"], variables: { CODE: 1 } }\n',
    },
  );
  const { pipeline, states } = await all.outcome(url);
  expect([pipeline.status, states]).toEqual(['failed', { later: 'skipped' }]);
  expect(await pipelinesOf(url)).toHaveLength(1);
  const [child] = await pipelinesOf(url, '?source=parent_pipeline');
  expect(child).toMatchObject({ source: 'parent_pipeline', sha, ref: 'main', status: 'failed' });
  const [bridge] = (await call('GET', `${url}/pipelines/${pipeline.id}/bridges`)).body;
  expect(bridge).toMatchObject({ name: 'child', status: 'failed', downstream_pipeline: { id: child.id } });
  const [job] = (await call('GET', `${url}/pipelines/${child.id}/jobs`)).body;
  const project = (await call('GET', url)).body;
  expect(world.gitlab.jobLog(path, job.id)).toContain(
    `parent_pipeline of ${pipeline.id} in ${project.id} given ${path.split('/')[1]}-x`,
  );
});

test('a status cannot be posted to a child pipeline; without an id it goes to the parent', async () => {
  const { url, sha } = await all.create(
    'child: { trigger: { include: [{ local: child.yml, inputs: { who: me } }], strategy: depend } }\n',
    undefined,
    { 'child.yml': 'spec: { inputs: { who: {} } }\n---\nhello $[[ inputs.who ]]: { script: "true" }\n' },
  );
  const { pipeline } = await all.outcome(url);
  expect(pipeline.status).toBe('success');
  const [child] = await pipelinesOf(url, '?source=parent_pipeline');
  const refused = await call('POST', `${url}/statuses/${sha}`, { state: 'success', name: 'x', pipeline_id: child.id });
  expect([refused.status, refused.body.message]).toEqual([404, '404 Pipeline for pipeline_id, sha and ref Not Found']);
  const posted = await call('POST', `${url}/statuses/${sha}`, { state: 'success', name: 'x' });
  expect([posted.status, posted.body.pipeline_id]).toEqual([201, pipeline.id]);
  const listed = (await call('GET', `${url}/repository/commits/${sha}/statuses`)).body as { readonly name: string }[];
  expect(listed.map((each) => each.name).toSorted()).toEqual(['child', 'x']);
});

test('a generated file, the parent’s artifacts, a grandchild, and no deeper', async () => {
  const { path, url } = await all.create(
    `stages: [make, run]
make: { stage: make, script: ["cp deep.yml made.yml", "echo from the parent > fact"], artifacts: { paths: [made.yml, fact] } }
child: { stage: run, trigger: { include: [{ artifact: made.yml, job: make }], strategy: depend }, variables: { PARENT: $CI_PIPELINE_ID } }
`,
    undefined,
    {
      'deep.yml':
        'again: { trigger: { include: deep.yml, strategy: depend } }\nreads: { script: "cat fact", needs: [{ pipeline: $PARENT, job: make }] }\n',
    },
  );
  const { pipeline } = await all.outcome(url);
  expect(pipeline.status).toBe('failed');
  const children = (await pipelinesOf(url, '?source=parent_pipeline')) as { readonly id: number }[];
  expect(children).toHaveLength(2);
  const [reads] = (await call('GET', `${url}/pipelines/${children[1]?.id}/jobs`)).body;
  expect([reads.status, world.gitlab.jobLog(path, reads.id).includes('from the parent')]).toEqual(['success', true]);
  const [last] = (await call('GET', `${url}/pipelines/${children[0]?.id}/bridges`)).body;
  expect(last).toMatchObject({ status: 'failed', failure_reason: 'reached_max_descendant_pipelines_depth' });
});

test('another project’s pipeline, with inputs and rights; what is wrong there fails the trigger job', async () => {
  const other = await all.create(
    'spec: { inputs: { app: { default: "" } } }\n---\nrun: { script: "echo app $[[ inputs.app ]] from $FROM by $CI_PIPELINE_SOURCE", rules: [{ if: $CI_PIPELINE_SOURCE == "pipeline" }] }\n',
  );
  const triggering = (inputs: string, project: string = other.path) =>
    all.create(
      `go: { trigger: { project: ${project}, branch: main, inputs: ${inputs}, strategy: depend }, variables: { FROM: $CI_PROJECT_PATH } }\n`,
    );
  const good = await triggering('{ app: podinfo }');
  expect((await all.outcome(good.url)).pipeline.status).toBe('success');
  const { jobs, pipeline } = await all.outcome(other.url);
  expect(pipeline.source).toBe('pipeline');
  expect(world.gitlab.jobLog(other.path, jobs['run']?.id ?? 0)).toContain(`app podinfo from ${good.path} by pipeline`);
  const reason = async (url: string) => {
    const made = (await all.outcome(url)).pipeline;
    const [bridge] = (await call('GET', `${url}/pipelines/${made.id}/bridges`)).body;
    return [made.status, bridge.failure_reason];
  };
  expect(await reason((await triggering('{ nope: 1 }')).url)).toEqual([
    'failed',
    'downstream_pipeline_creation_failed',
  ]);
  expect(await reason((await triggering('{}', 'ci/nowhere')).url)).toEqual([
    'failed',
    'downstream_bridge_project_not_found',
  ]);
});

test('canceling the parent cancels the child; without strategy the trigger job does not wait', async () => {
  const { path, url } = await all.create(
    'wait: { trigger: { include: child.yml, strategy: depend } }\ngo: { trigger: { include: quick.yml } }\n',
    undefined,
    { 'child.yml': 'sleeps: { script: ["echo asleep", "sleep 60"] }\n', 'quick.yml': 'quick: { script: "exit 1" }\n' },
  );
  const job = await all.runningJob(path, 'sleeps');
  await all.untilLogged(path, job, 'asleep');
  await vi.waitUntil(
    () => world.events.some((event) => event.type === 'job' && event.name === 'quick' && event.status === 'failed'),
    60_000,
  );
  const [pipeline] = await pipelinesOf(url);
  expect((await call('POST', `${url}/pipelines/${pipeline.id}/cancel`)).status).toBe(200);
  await world.gitlab.waitForPipelines();
  const bridges = (await call('GET', `${url}/pipelines/${pipeline.id}/bridges`)).body as {
    readonly name: string;
    readonly status: string;
    readonly downstream_pipeline: { readonly status: string };
  }[];
  expect(bridges.map((each) => [each.name, each.status, each.downstream_pipeline.status])).toEqual([
    ['go', 'success', 'failed'],
    ['wait', 'canceled', 'canceled'],
  ]);
});

test('retry: by exit code, and up to its maximum', async () => {
  const { url } = await all.create(
    `by code: { script: ["exit 6"], retry: { max: 2, exit_codes: [6] } }
other code: { script: ["exit 4"], retry: { max: 2, exit_codes: 6 } }
by reason: { script: ["exit 1"], retry: { max: 1, when: script_failure } }
number: { script: ["exit 1"], retry: 1 }
`,
  );
  const { pipeline } = await all.outcome(url);
  const rows = (await call('GET', `${url}/pipelines/${pipeline.id}/jobs?include_retried=true&per_page=100`)).body as {
    readonly name: string;
    readonly status: string;
  }[];
  const counts = Object.groupBy(rows, (row) => row.name);
  expect(Object.fromEntries(Object.entries(counts).map(([name, each]) => [name, each?.length]))).toEqual({
    'by code': 3,
    'other code': 1,
    'by reason': 2,
    number: 2,
  });
  expect(pipeline.status).toBe('failed');
});
