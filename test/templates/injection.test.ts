import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { variableOf } from '../../runner/settings/flags.ts';
import { localProject, type LocalProject } from './local.ts';
import { readTemplates } from './template.ts';

const templates = (await readTemplates()).filter(({ name }) => name !== 'deliver');
let project: LocalProject;
beforeAll(async () => {
  project = await localProject();
});
afterAll(() => project[Symbol.asyncDispose]());

/** What a shell would run, split, expand or stumble over. */
const nasty = [
  `it's "quoted" and 'quoted'`,
  '$(touch pwned-1) `touch pwned-2` ; touch pwned-3 & touch pwned-4 | touch pwned-5 > pwned-6',
  '',
  '  two\tspaces  * ? [a-z] ~ {a,b} !! \\ \\n # no comment',
  '-- --dry-run --help',
].join('\n');

test.each(templates.map(({ name, inputs }) => [name, inputs] as const))(
  '%s: nasty texts reach the CLI byte by byte through variables, and no shell reads them',
  async (name, inputs) => {
    const free = Object.entries(inputs).filter(
      ([input, { type, options, regex }]) =>
        type === 'string' &&
        !options &&
        !regex &&
        !/^(stage|job_|runner_image|environment_name|resource_group|id_token)/.test(input),
    );
    expect(free.length).toBeGreaterThan(2);
    const given = Object.fromEntries(free.map(([input]) => [input, `${input}: ${nasty}`]));
    const required = Object.entries(inputs).filter(([, input]) => input.default === undefined && input.regex);
    const names = Object.fromEntries(required.map(([input]) => [input, 'web']));
    const prefix = inputs['job_name'] ? { job_name: 'the job' } : { job_prefix: 'the' };
    const configuration = stringify({
      include: [{ local: `/templates/${name}.yml`, inputs: { ...names, ...given, ...prefix } }],
    });
    const job = inputs['job_name'] ? 'the job' : `the ${name} web`;
    const { calls, env, left } = await project.run(configuration, job);
    expect(calls[0]).toEqual([name]);
    for (const call of calls.slice(1))
      expect(call).toEqual([name, '--repair', '--report-dir', '.sluice/sync-web/repair']);
    for (const [input] of free) expect(env[variableOf(input.replaceAll('_', '-'))], input).toBe(given[input]);
    expect(left).toEqual([]);
  },
);
