import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { localProject, type LocalProject } from './local.ts';
import { readTemplates, type Input } from './template.ts';

const templates = await readTemplates();
let project: LocalProject;
beforeAll(async () => {
  project = await localProject();
});
afterAll(() => project[Symbol.asyncDispose]());

type Given = Readonly<Record<string, unknown>>;

/** A configuration that includes components. */
function including(...includes: readonly (readonly [name: string, inputs: Given])[]): string {
  return stringify({ include: includes.map(([name, inputs]) => ({ local: `/templates/${name}.yml`, inputs })) });
}

/** What shells, YAML and GitLab's own syntax would stumble over. */
const hostile = 'it\'s "x" $(id) `id` ; rm -rf / # y: z\n- second: {line}';

function minimal(inputs: Readonly<Record<string, Input>>): Given {
  const required = Object.entries(inputs).filter(([, input]) => input.default === undefined);
  return Object.fromEntries(required.map(([name]) => [name, `${name}-a`]));
}

/** A value for an input that takes only some texts. */
const fitting: Readonly<Record<string, string>> = {
  app: 'web\nshop',
  environment: 'environment-b',
  timeout: '1h30m',
  script_timeout: '20m',
  dashboard_agent: 'shop/agents:eu',
  dashboard_namespace: 'web',
  flux_resource_path: 'kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/web',
};

function all(name: string, inputs: Readonly<Record<string, Input>>): Given {
  return Object.fromEntries(
    Object.entries(inputs).map(([input, { type, options, regex }]) => {
      if (input === 'publish') return [input, 'manual'];
      if (options) return [input, options.at(-1)];
      if (type === 'boolean') return [input, true];
      if (input === 'rules') return [input, [{ if: '$CI_PROJECT_PATH', when: 'always' }]];
      if (input === 'needs') return [input, [{ job: 'scan "image"', optional: true }]];
      if (input === 'tags') return [input, ['private', '$(id) `id`']];
      if (input === 'stage') return [input, 'test'];
      if (regex) return [input, name === 'update' && input === 'app' ? 'web' : fitting[input]];
      if (['job_name', 'job_prefix', 'runner_image', 'environment_name', 'resource_group'].includes(input))
        return [input, `${input}-b`];
      return [input, `${input} ${hostile}`];
    }),
  );
}

describe.each(templates)('$name', ({ name, inputs }) => {
  test('with the least inputs: valid, and jobs in the stage deploy', async () => {
    const jobs = await project.list(including([name, minimal(inputs)]));
    expect(jobs.length).toBe(name === 'deliver' ? 2 : 1);
    for (const job of jobs) expect(job).toMatchObject({ stage: 'deploy', when: 'on_success' });
  });

  test('with all inputs: valid, and every text arrives in its variable as it was given', async () => {
    const given = all(name, inputs);
    const expanded = await project.preview(
      `${including([name, given])}scan "image": { script: ['true'], stage: test }\n`,
    );
    const jobs = Object.entries(expanded).flatMap(([job, value]) =>
      Array.isArray(value['script']) && !job.startsWith('scan') ? [value] : [],
    );
    expect(jobs.length).toBe(name === 'deliver' ? 2 : 1);
    const texts = jobs.flatMap((job) => Object.values(job.variables));
    for (const [input, value] of Object.entries(given))
      if (String(value).includes(hostile)) {
        const keyword = input === 'id_token_audience' ? [JSON.stringify(jobs.map((job) => job['id_tokens']))] : texts;
        const wanted = input === 'id_token_audience' ? JSON.stringify(value) : value;
        expect(
          keyword.some((text) => text.includes(String(wanted))),
          input,
        ).toBe(true);
      }
    for (const job of jobs) {
      expect(job).toMatchObject({ stage: 'test', tags: ['private', '$(id) `id`'], image: { name: 'runner_image-b' } });
      expect(job['rules']).toEqual([{ if: '$CI_PROJECT_PATH', when: 'always' }]);
      expect(JSON.stringify([job.script, job['after_script']])).not.toMatch(/rm -rf|id/);
    }
    const first = jobs.find((job) => JSON.stringify(job['needs'] ?? '').includes('scan'));
    if (inputs['needs']) expect(first).toMatchObject({ needs: [{ job: 'scan "image"', optional: true }] });
    if (inputs['resource_group'])
      expect(first).toMatchObject({
        resource_group: 'resource_group-b',
        environment: {
          name: 'environment_name-b',
          kubernetes: {
            agent: fitting['dashboard_agent'],
            dashboard: {
              namespace: fitting['dashboard_namespace'],
              flux_resource_path: fitting['flux_resource_path'],
            },
          },
        },
      });
  });

  test.each(Object.entries(inputs).filter(([, input]) => input.default === undefined))(
    'says that %s is missing',
    async (input) => {
      const { [input]: _left, ...rest } = minimal(inputs);
      expect(await project.refusal(including([name, rest]))).toContain(
        `\`${input}\` input: required value has not been provided`,
      );
    },
  );

  test.each(
    Object.entries(inputs)
      .filter(([, { type, options }]) => options || type !== 'string')
      .map(([input, { type, options }]) => [input, options ? 'list of allowed options' : `not a ${type}`] as const),
  )('says that %s has a value that it cannot have', async (input, message) => {
    const refusal = await project.refusal(including([name, { ...minimal(inputs), [input]: 'perhaps' }]));
    expect(refusal).toContain(`\`${input}\` input`);
    expect(refusal).toContain(message);
  });
});

test('no rule at all is refused with the keyword’s name', async () => {
  const refusal = await project.refusal(including(['update', { app: 'web', delivery: 'shop/delivery', rules: [] }]));
  expect(refusal).toMatch(/rules.*(blank|fewer)/);
});

test('one include per environment: each has its own jobs, and sync waits for the publish of its own', async () => {
  const jobs = await project.list(
    including(['deliver', { environment: 'staging' }], ['deliver', { environment: 'production' }]),
  );
  expect(jobs.map(({ name, needs }) => [name, needs?.map((need) => need.job) ?? null])).toEqual([
    ['sluice publish staging', null],
    ['sluice sync staging', ['sluice publish staging']],
    ['sluice publish production', null],
    ['sluice sync production', ['sluice publish production']],
  ]);
});

test('the same component twice: another job name keeps both, the same name leaves the last', async () => {
  const update = (fields: Given) => ['update', { app: 'web', delivery: 'shop/delivery', ...fields }] as const;
  const both = await project.preview(
    including(update({}), update({ environment: 'production', job_name: 'to production' })),
  );
  expect(both['sluice update']?.variables['SLUICE_ENVIRONMENT']).toBe('staging');
  expect(both['to production']?.variables['SLUICE_ENVIRONMENT']).toBe('production');
  const clash = await project.preview(including(update({}), update({ environment: 'production' })));
  expect(clash['sluice update']?.variables['SLUICE_ENVIRONMENT']).toBe('production');
});

test('`publish: manual`: publishing waits for a person, and sync for publishing', async () => {
  const jobs = await project.list(including(['deliver', { environment: 'staging', publish: 'manual' }]));
  expect(jobs.map(({ name, when }) => [name, when])).toEqual([
    ['sluice publish staging', 'manual'],
    ['sluice sync staging', 'on_success'],
  ]);
  expect(jobs[0]?.allow_failure).not.toBe(true);
});

test('`publish: on-tag`: nothing on the branch, both jobs for a Git tag', async () => {
  const configuration = including(['deliver', { environment: 'staging', publish: 'on-tag' }]);
  const when = async (...args: string[]) => (await project.list(configuration, args)).map((job) => job.when);
  expect(await when()).toEqual(['never', 'never']);
  expect(await when('--variable', 'CI_COMMIT_TAG=1.0.0')).toEqual(['on_success', 'on_success']);
});

test.each([
  ['17.11.4', { agent: 'shop/agents:eu', namespace: 'web', flux_resource_path: 'a/b' }],
  ['18.3.0', { agent: 'shop/agents:eu', namespace: 'web', flux_resource_path: 'a/b' }],
  ['18.4.0', { agent: 'shop/agents:eu', dashboard: { namespace: 'web', flux_resource_path: 'a/b' } }],
  ['19.4.1', { agent: 'shop/agents:eu', dashboard: { namespace: 'web', flux_resource_path: 'a/b' } }],
])('the cluster dashboard, with the keys that GitLab %s knows', async (version, kubernetes) => {
  const expanded = await project.preview(
    including([
      'publish',
      {
        environment: 'staging',
        dashboard_agent: 'shop/agents:eu',
        dashboard_namespace: 'web',
        flux_resource_path: 'a/b',
      },
    ]),
    ['--variable', `CI_SERVER_VERSION=${version}`],
  );
  expect(expanded['sluice publish staging']).toMatchObject({ environment: { kubernetes } });
});

test('an empty list is none: neither `tags` nor `needs` is set, so that defaults and stages hold', async () => {
  const expanded = await project.preview(including(['deliver', { environment: 'staging', tags: [], needs: [] }]));
  expect(expanded['sluice publish staging']).not.toHaveProperty('tags');
  expect(expanded['sluice publish staging']).not.toHaveProperty('needs');
  expect(expanded['sluice sync staging']).not.toHaveProperty('tags');
  expect(expanded['sluice sync staging']!['needs']).toEqual([
    { job: 'sluice publish staging', artifacts: true, optional: true },
  ]);
});

test('`needs`: jobs of others come before the tag moves, and sync still follows publish', async () => {
  const configuration = `${including(['deliver', { environment: 'staging', needs: ['scan image', 'scan manifests'] }])}
scan image: { script: ['true'], stage: test }
scan manifests: { script: ['true'], stage: test }
`;
  const jobs = await project.list(configuration);
  expect(jobs.flatMap(({ name, needs }) => (needs ? [[name, needs.map((need) => need.job)]] : []))).toEqual([
    ['sluice publish staging', ['scan image', 'scan manifests']],
    ['sluice sync staging', ['sluice publish staging']],
  ]);
});

test('a project adds what has no input to the job by its name', async () => {
  const configuration = `${including(['deliver', { environment: 'staging' }])}
sluice publish staging:
  variables: { GIT_DEPTH: '50' }
`;
  const expanded = await project.preview(configuration);
  expect(expanded['sluice publish staging']).toMatchObject({
    variables: { GIT_DEPTH: '50', SLUICE_ENVIRONMENT: 'staging' },
    script: ['sluice publish'],
  });
});
