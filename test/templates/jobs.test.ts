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

function all(inputs: Readonly<Record<string, Input>>): Given {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { type, options }]) => {
      if (options) return [name, options.at(-1)];
      if (type === 'boolean') return [name, true];
      if (type === 'array') return [name, [{ if: '$CI_PROJECT_PATH', when: 'always' }]];
      if (name === 'stage') return [name, 'test'];
      if (['environment', 'job_name', 'job_prefix', 'runner_image'].includes(name)) return [name, `${name}-b`];
      return [name, name === 'script_timeout' ? '20m' : `${name} ${hostile}`];
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
    const given = all(inputs);
    const expanded = await project.preview(including([name, given]));
    const jobs = Object.values(expanded).filter((job) => Array.isArray(job['script']));
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
      expect(job['stage']).toBe('test');
      expect(job['rules']).toEqual([{ if: '$CI_PROJECT_PATH', when: 'always' }]);
      expect(JSON.stringify([job.script, job['after_script']])).not.toContain('rm -rf');
    }
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

test('`when: manual`: publishing waits for a person, and sync for publishing', async () => {
  const jobs = await project.list(including(['deliver', { environment: 'staging', when: 'manual' }]));
  expect(jobs.map(({ name, when }) => [name, when])).toEqual([
    ['sluice publish staging', 'manual'],
    ['sluice sync staging', 'on_success'],
  ]);
  expect(jobs[0]?.allow_failure).not.toBe(true);
});

test('a project adds to the job by its name: a scan before the tag moves, runner tags, the cluster dashboard', async () => {
  const configuration = `${including(['deliver', { environment: 'staging' }])}
scan:
  script: ['true']
sluice publish staging:
  needs: [scan]
  tags: [private]
  environment:
    kubernetes: { agent: 'shop/agents:staging-eu' }
`;
  const expanded = await project.preview(configuration);
  expect(expanded['sluice publish staging']).toMatchObject({
    needs: [{ job: 'scan' }],
    tags: ['private'],
    environment: { name: 'staging', action: 'start', kubernetes: { agent: 'shop/agents:staging-eu' } },
    script: ['sluice publish'],
  });
});
