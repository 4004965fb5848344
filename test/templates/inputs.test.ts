import { describe, expect, test } from 'vitest';
import { commands } from '../../runner/cli.ts';
import type { Flag } from '../../runner/command.ts';
import { globalFlags, variableOf } from '../../runner/settings/flags.ts';
import { resolveValues } from '../../runner/settings/values.ts';
import { inputsIn, jobsOf, partsOf, readTemplates, type Job } from './template.ts';

const templates = await readTemplates();
const parts = await readTemplates('parts');
const single = templates.filter((template) => template.name !== 'deliver');

/** Keywords of a job that may hold an input (docs.gitlab.com/ci/yaml): none of them is shell text. */
const keywords = new Set([
  'extends',
  'stage',
  'image',
  'rules',
  'when',
  'needs',
  'resource_group',
  'environment',
  'id_tokens',
  'variables',
  'artifacts',
]);
/** Inputs that carry no flag: they settle a keyword of the job, or the runner. */
const forKeywords = new Set([
  'stage',
  'rules',
  'when',
  'needs',
  'tags',
  'publish',
  'environment_name',
  'resource_group',
  'dashboard_agent',
  'dashboard_namespace',
  'flux_resource_path',
  'runner_image',
  'job_name',
  'job_prefix',
  'id_token_audience',
  'script_timeout',
]);
/** Variables that the runner reads (docs.gitlab.com/ci/runners/configure_runners). */
const forRunner = new Set(['GIT_STRATEGY', 'RUNNER_SCRIPT_TIMEOUT']);

function flagsOf(job: Job): readonly Flag[] {
  const [, name] = /^sluice ([a-z]+)$/.exec(job.script.join('\n')) ?? [];
  const command = commands.find((each) => each.name === name);
  if (!command) throw new Error(`the script is no plain command of sluice: ${job.script.join('\n')}`);
  return [...command.flags, ...globalFlags];
}

test('there is one template for each way in', () => {
  expect(templates.map(({ name }) => name)).toEqual(expect.arrayContaining(['deliver', 'publish', 'sync', 'update']));
});

describe.each(templates)('$name: header', ({ spec, inputs, text }) => {
  test('holds inputs alone: older servers refuse other keys', () => {
    expect(Object.keys(spec)).toEqual(['inputs']);
  });

  test.each(Object.entries(inputs))(
    '%s has a type, a description, and options or a pattern that fit',
    (_name, input) => {
      expect(['string', 'number', 'boolean', 'array']).toContain(input.type);
      expect(input.description).toMatch(/^[A-Z`].{8,}\.$/s);
      const { default: fallback, options, regex } = input;
      if (fallback !== undefined) expect(Array.isArray(fallback) ? 'array' : typeof fallback).toBe(input.type);
      if (regex !== undefined) {
        expect([input.type, options]).toEqual(['string', undefined]);
        expect(regex).toMatch(/^\^.*\$$/);
        if (fallback !== undefined) expect(fallback).toMatch(new RegExp(regex));
        for (const bad of ['$(id)', '`id`', "it's", '"', 'a b;']) expect(bad).not.toMatch(new RegExp(regex));
      }
      if (options === undefined) return;
      expect(input.type).toMatch(/string|number/);
      expect(options.length).toBeLessThanOrEqual(50);
      if (fallback !== undefined) expect(options).toContain(fallback);
    },
  );

  test('every input is used, every used one is declared, and no interpolation function is called', () => {
    expect(new Set(inputsIn(text))).toEqual(new Set(Object.keys(inputs)));
    expect(text.match(/\$\[\[[^\]]*\]\]/g)?.filter((use) => !/^\$\[\[ inputs\.[a-z_]+ \]\]$/.test(use))).toEqual([]);
    expect(text).not.toContain('component.');
  });
});

describe.each(single.flatMap((template) => jobsOf(template).map(([name, job]) => ({ template, name, job }))))(
  '$template.name: the job',
  ({ template, name, job }) => {
    const flags = flagsOf(job);

    test('is the only thing: no global keyword, and all names come from inputs', () => {
      const hidden = Object.keys(template.body).filter((key) => key.startsWith('.'));
      const modes = template.inputs['publish'] ? ['auto', 'manual', 'on-tag'] : [];
      expect(hidden).toEqual(modes.map((mode) => `.${name} ${mode}`));
      expect(Object.keys(template.body)).toEqual(['include', ...hidden, name]);
      expect(inputsIn(name).length).toBeGreaterThan(0);
    });

    test('parts are added to this job, each under a condition on the input that it needs', () => {
      const included = template.body['include'] as readonly unknown[];
      expect(partsOf(template)).toEqual(included);
      for (const { local, rules, inputs: handed } of partsOf(template)) {
        const part = parts.find((each) => local === `/templates/parts/${each.name}.yml`);
        expect(Object.keys(handed).toSorted(), local).toEqual(Object.keys(part?.inputs ?? {}).toSorted());
        expect(handed['job']).toBe(name);
        expect(rules).toHaveLength(1);
        expect(rules[0]!.if).toMatch(
          /^(["'])\$\[\[ inputs\.[a-z_]+ \]\]\1 [!=]= (''|""|'\[\]')( && \$CI_SERVER_VERSION [!=]~ .*)?$/,
        );
        // Text in a condition must not end its quotes.
        const [, quote, input] = /^(["'])\$\[\[ inputs\.([a-z_]+)/.exec(rules[0]!.if)!;
        if (quote === '"') expect('a"b').not.toMatch(new RegExp(template.inputs[input!]!.regex!));
      }
    });

    test('no input reaches shell text', () => {
      for (const [key, value] of Object.entries(job)) {
        const used = inputsIn(JSON.stringify(value));
        if (!keywords.has(key)) expect(used, key).toEqual([]);
      }
      expect(Object.keys(job)).not.toContain('before_script');
      const shell = [...job.script, ...((job['after_script'] as string[] | undefined) ?? [])];
      for (const line of shell) expect(line).toMatch(/^sluice [a-z]+( --[a-z-]+( "\$SLUICE_[A-Z_]+[a-z/]*")?)*$/);
    });

    test('every variable is a flag of the command or the runner’s', () => {
      const known = new Set([...flags.map((flag) => variableOf(flag.name)), ...forRunner]);
      expect(Object.keys(job.variables).filter((variable) => !known.has(variable))).toEqual([]);
    });

    test('every input reaches the flag of its name, or a keyword', () => {
      for (const input of Object.keys(template.inputs)) {
        const holders = Object.entries(job.variables).filter(([, text]) => inputsIn(text).includes(input));
        if (forKeywords.has(input)) {
          const { [name]: _job, ...others } = template.body;
          const { variables: _variables, ...rest } = job;
          const text = JSON.stringify([name, rest, others]);
          expect(inputsIn(text).includes(input) || holders.some(([key]) => forRunner.has(key)), input).toBe(true);
          continue;
        }
        const flag = flags.find((each) => each.name === input.replaceAll('_', '-'));
        expect(flag, input).toBeDefined();
        expect(job.variables[variableOf(flag!.name)]).toBe(`$[[ inputs.${input} ]]`);
      }
    });

    test('defaults agree with the flags', () => {
      for (const [input, { type, default: fallback, options }] of Object.entries(template.inputs)) {
        const flag = flags.find((each) => each.name === input.replaceAll('_', '-'));
        if (!flag || forKeywords.has(input)) continue;
        expect(type === 'boolean', `${input}: boolean`).toBe(flag.type === 'boolean');
        if (flag.choices) expect(options?.filter((option) => option !== '')).toEqual([...flag.choices]);
        if (fallback === undefined) continue;
        const text = typeof fallback === 'string' ? fallback : JSON.stringify(fallback);
        const values = resolveValues(flags, {}, [], { [variableOf(flag.name)]: text });
        if (fallback === '') expect(values.given(flag.name), input).toBe(false);
        else if (type === 'boolean') expect(values.boolean(flag.name)).toBe(false);
        else if (flag.gitlab) expect(fallback).toBe(`$${flag.gitlab}`);
      }
    });

    test('a held or guarded run is an allowed failure, and only a remote failure is tried again', () => {
      expect(job['allow_failure']).toEqual({ exit_codes: [3] });
      expect(job['retry']).toEqual({ max: 2, exit_codes: [6] });
    });

    test('reports are kept, also of a failed run, from the folder that the command writes', () => {
      const artifacts = job['artifacts'] as { when: string; paths: string[]; reports: Record<string, string> };
      const folder = job.variables['SLUICE_REPORT_DIR']!;
      expect(artifacts.when).toBe('always');
      expect(artifacts.paths).toEqual([folder]);
      expect(artifacts.reports).toEqual({
        dotenv: `${folder}/sluice.env`,
        junit: `${folder}/junit.xml`,
        metrics: `${folder}/metrics.txt`,
      });
    });

    test('artifacts are shown in the merge request under a name that GitLab takes', () => {
      const artifacts = job['artifacts'] as { expose_as: string; paths: string[] };
      expect(artifacts.expose_as.replaceAll(/\$\[\[ inputs\.environment \]\]/g, 'staging')).toMatch(
        /^[A-Za-z0-9 _-]+$/,
      );
      for (const path of artifacts.paths) expect(path).not.toMatch(/\*|\$[^[]/);
    });
  },
);

describe('jobs of an environment', () => {
  const jobOf = (name: string) => jobsOf(templates.find((template) => template.name === name)!)[0]![1];

  test('publish is the one that starts it, in its resource group, and is not interrupted', () => {
    expect(jobOf('publish')).toMatchObject({
      environment: { action: 'start' },
      resource_group: '$[[ inputs.resource_group ]]',
      interruptible: false,
    });
    const starting = single.flatMap((template) =>
      jobsOf(template).filter(([, job]) => (job['environment'] as { action?: string } | undefined)?.action === 'start'),
    );
    expect(starting).toHaveLength(1);
  });

  test('sync verifies without a group, can be interrupted, and leaves no status open', () => {
    const job = jobOf('sync');
    expect(job).toMatchObject({ environment: { action: 'verify' }, interruptible: true });
    expect(job).not.toHaveProperty('resource_group');
    expect(job['after_script']).toEqual([expect.stringMatching(/^sluice sync --repair /)]);
    expect(job.variables).toHaveProperty('RUNNER_SCRIPT_TIMEOUT');
    const sync = templates.find((template) => template.name === 'sync')!;
    const own = partsOf(sync).filter(({ local }) => local.endsWith('/needs.yml'));
    expect(own.map(({ rules, inputs }) => [rules[0]!.if, inputs['needs']])).toEqual([
      ["'$[[ inputs.needs ]]' != '[]'", '$[[ inputs.needs ]]'],
      [
        "'$[[ inputs.needs ]]' == '[]'",
        [{ job: '$[[ inputs.job_prefix ]] publish $[[ inputs.environment ]]', artifacts: true, optional: true }],
      ],
    ]);
  });

  test('deliver hands every input on, with the same type and default', () => {
    const deliver = templates.find((template) => template.name === 'deliver')!;
    const includes = deliver.body['include'] as { local: string; inputs: Record<string, unknown> }[];
    expect(includes.map(({ local }) => local)).toEqual(['/templates/publish.yml', '/templates/sync.yml']);
    for (const { local, inputs: handed } of includes) {
      const target = templates.find((template) => local.endsWith(`/${template.name}.yml`))!;
      const handedOn = Object.keys(target.inputs).filter((input) => target.name !== 'sync' || input !== 'needs');
      expect(Object.keys(handed).toSorted()).toEqual(handedOn.toSorted());
      for (const [input, value] of Object.entries(handed)) {
        if (input === 'published') continue;
        expect(value).toBe(`$[[ inputs.${input} ]]`);
        const { type, default: fallback, options, regex } = target.inputs[input]!;
        const own = deliver.inputs[input]!;
        expect({ type: own.type, options: own.options, regex: own.regex }, input).toEqual({ type, options, regex });
        if (input !== 'environment') expect(own.default, input).toEqual(fallback);
      }
    }
  });

  test('sync reads what publish writes', () => {
    const deliver = templates.find((template) => template.name === 'deliver')!;
    const [, sync] = deliver.body['include'] as { inputs: Record<string, string> }[];
    expect(sync!.inputs['published']).toBe(`${jobOf('publish').variables['SLUICE_REPORT_DIR']}/result.json`);
  });
});

describe.each(parts)('part $name', ({ spec, inputs, text, body }) => {
  test('sets one keyword of the job that it is told', () => {
    expect(Object.keys(spec)).toEqual(['inputs']);
    expect(Object.keys(body)).toEqual(['$[[ inputs.job ]]']);
    const job = body['$[[ inputs.job ]]'] as Readonly<Record<string, unknown>>;
    expect(Object.keys(job)).toHaveLength(1);
    expect(['needs', 'tags', 'environment']).toContain(Object.keys(job)[0]);
    expect(new Set(inputsIn(text))).toEqual(new Set(Object.keys(inputs)));
  });
});
