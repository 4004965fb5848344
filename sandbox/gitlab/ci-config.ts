import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { checkout } from './ci-checkout.ts';
import { compile } from './ci-includes.ts';
import { isIn } from './ci-only.ts';
import { unknownKeys } from './ci-release-keys.ts';
import { pipelineInputs } from './ci-inputs.ts';
import type { Inputs } from './ci-inputs.ts';
import { ConfigError, writeConfig } from './ci-yaml.ts';
import type { Config } from './ci-yaml.ts';
import { field, specOf } from './ci-jobs.ts';
import type { Listed } from './ci-jobs.ts';
import { fileAt } from './repositories.ts';
import type { JobSpec } from './ci-jobs.ts';
import type { Project, State, User } from './state.ts';
import type { Values } from './ci-variables.ts';

/**
 * What `.gitlab-ci.yml` says for one pipeline: includes and inputs are put in here, the rest is as gitlab-ci-local (an
 * independent implementation) reads it.
 */
export type Evaluation =
  | {
      readonly outcome: 'jobs';
      readonly stages: readonly string[];
      readonly jobs: readonly JobSpec[];
      /** The file with all includes, as YAML. */
      readonly merged: string;
    }
  /** No file, or rules that let nothing through: no pipeline. */
  | { readonly outcome: 'nothing'; readonly reason: string }
  | { readonly outcome: 'error'; readonly message: string };

const program = fileURLToPath(import.meta.resolve('gitlab-ci-local'));
const ansi = new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]*m`, 'g');
const probe = 'sandbox-workflow-probe';

/** Command line that starts gitlab-ci-local, and its environment (which jobs inherit). */
export function localRunner(state: State): {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
} {
  return {
    command: process.execPath,
    args: [program, '--no-color'],
    env: {
      PATH: '/usr/bin:/bin',
      ...state.env,
      HOME: state.folder,
      GIT_TERMINAL_PROMPT: '0',
      NODE_COMPILE_CACHE: join(state.folder, 'compile-cache'),
    },
  };
}

/** Predefined variables of gitlab-ci-local that this pipeline does not have. */
export function unsetFlags(values: Values): readonly string[] {
  const invented = [
    'CI_COMMIT_BRANCH',
    'CI_ENVIRONMENT_NAME',
    'CI_ENVIRONMENT_SLUG',
    'CI_ENVIRONMENT_URL',
    'CI_ENVIRONMENT_TIER',
    'CI_ENVIRONMENT_ACTION',
    'CI_REGISTRY',
    'CI_REGISTRY_IMAGE',
    'CI_NODE_TOTAL',
    'CI_DEPENDENCY_PROXY_SERVER',
    'CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX',
    'CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX',
    'FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR',
  ];
  return invented.filter((name) => values[name] === undefined).flatMap((name) => ['--unset-variable', name]);
}

/** Writes gitlab-ci-local's file of variables, readable by its owner alone. Values are taken literally. */
export async function writeVariables(file: string, values: Values): Promise<void> {
  const entries = Object.entries(values).map(([key, value]) => [
    key,
    { type: 'variable', values: { '*': value.replaceAll('$', '$$$$') } },
  ]);
  await writeFile(file, JSON.stringify(Object.fromEntries(entries)), { mode: 0o600 });
}

/** What is evaluated. */
export interface Question {
  readonly project: Project;
  readonly sha: string;
  /** `rules:changes` compares with it; null: everything has changed. */
  readonly changesBase: string | null;
  readonly mergeRequest: boolean;
  readonly values: Values;
  /** For whom includes are read. */
  readonly user: User;
  /** Started with a job token: no other project can be read. */
  readonly aloneWithToken?: boolean;
  /** Names of masked variables. */
  readonly masked?: ReadonlySet<string>;
  /** Of the pipeline. */
  readonly inputs?: Inputs;
  /** Another text than the file at the commit (CI lint). */
  readonly content?: string;
  /** What has been put together already (child pipelines). */
  readonly config?: Config;
}

const validated = new Set<string>();

/** Evaluates the file of a commit. */
export async function evaluate(state: State, question: Question): Promise<Evaluation> {
  let text: string;
  try {
    const config = question.config ?? (await configOf(state, question));
    if (config === null) return { outcome: 'nothing', reason: 'Missing CI config file' };
    const [unknown] = unknownKeys(config, state.profile);
    if (unknown !== undefined) return { outcome: 'error', message: unknown };
    text = writeConfig(config);
  } catch (error) {
    if (error instanceof ConfigError) return { outcome: 'error', message: error.message };
    throw error;
  }
  const folder = join(state.folder, 'evaluations', String(state.next('evaluation')));
  try {
    await checkout(state, folder, question);
    await writeFile(join(folder, 'project', '.gitlab-ci.yml'), text);
    await writeVariables(join(folder, 'variables.json'), question.values);
    const withProbe = /^ "workflow":/m.test(text) && /^ {2}"rules":/m.test(text);
    const first = await list(state, folder, question, { probe: withProbe, validate: !validated.has(text) });
    if ('error' in first) return { outcome: 'error', message: first.error };
    validated.add(text);
    return await choose(state, folder, question, first, withProbe, text);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The file of the commit with all that it includes; null where there is none. */
async function configOf(state: State, question: Question): Promise<Config | null> {
  const { project, sha, user, values, masked = new Set(), inputs = {}, aloneWithToken = false } = question;
  const location = '.gitlab-ci.yml';
  const text = question.content ?? (await fileAt(state, project, sha, location))?.toString('utf8');
  if (text === undefined) return null;
  const given = pipelineInputs(inputs, state.profile);
  return compile(state, { project, sha, user, values, masked, aloneWithToken }, { location, text, inputs: given });
}

interface Listing {
  readonly jobs: readonly Listed[];
  readonly expanded: Readonly<Record<string, unknown>>;
}

async function choose(
  state: State,
  folder: string,
  question: Question,
  listing: Listing,
  probed: boolean,
  merged: string,
): Promise<Evaluation> {
  const { expanded } = listing;
  const workflow = field(expanded['workflow'], 'rules');
  let probeJob = listing.jobs.find((job) => job.name === probe);
  if (Array.isArray(workflow) && !probed) {
    const second = await list(state, folder, question, { probe: true, validate: false });
    if ('error' in second) return { outcome: 'error', message: second.error };
    probeJob = second.jobs.find((job) => job.name === probe);
  }
  if (probeJob?.when === 'never') return { outcome: 'nothing', reason: 'Pipeline filtered out by workflow rules.' };
  const jobs = listing.jobs
    .filter((job) => job.name !== probe && job.when !== 'never')
    .map((job) => specOf(job, expanded))
    .filter((spec) => (spec.data['only'] ?? spec.data['except']) === undefined || isIn(spec.data, question.values))
    // Without workflow rules, jobs without rules belong to branches and tags alone.
    .filter(
      ({ data }) =>
        !question.mergeRequest || Array.isArray(workflow) || Array.isArray(data['rules']) || data['only'] !== undefined,
    );
  if (jobs.length === 0) {
    return {
      outcome: 'nothing',
      reason:
        'Pipeline will not run for the selected trigger. The rules configuration prevented any jobs from being added to the pipeline.',
    };
  }
  const missing = jobs.flatMap((job) =>
    (job.needs ?? [])
      .filter((need) => !need.optional && !jobs.some((other) => other.name === need.job || other.baseName === need.job))
      .map((need) => `'${job.name}' job needs '${need.job}' job, but '${need.job}' does not exist in the pipeline`),
  );
  if (missing[0]) return { outcome: 'error', message: missing[0] };
  const stages = expanded['stages'];
  return { outcome: 'jobs', stages: Array.isArray(stages) ? stages.map(String) : [], jobs, merged };
}

interface ListOptions {
  readonly probe: boolean;
  readonly validate: boolean;
}

async function list(
  state: State,
  folder: string,
  question: Question,
  options: ListOptions,
): Promise<Listing | { readonly error: string }> {
  const work = join(folder, 'project');
  const extra = options.probe
    ? `${probe}: {stage: .pre, script: "true", rules: !reference [workflow, rules]}\n`
    : '{}\n';
  await writeFile(join(work, '.gitlab-ci-local.yml'), extra);
  const runner = localRunner(state);
  const args = [
    ...runner.args,
    '--list-json',
    '--state-dir',
    '../state',
    '--variables-file',
    join(folder, 'variables.json'),
    '--home',
    folder,
    ...(options.validate ? [] : ['--no-json-schema-validation']),
    ...unsetFlags(question.values),
    '--ignore-predefined-vars',
    Object.keys(question.values).join(','),
  ];
  const { code, stdout, stderr } = await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(runner.command, args, { cwd: work, env: runner.env, maxBuffer: 1 << 26 }, (error, out, err) =>
      resolve({ code: error ? 1 : 0, stdout: out, stderr: err }),
    );
  });
  const start = stdout.indexOf('[\n');
  if (code !== 0 || (start < 0 && stdout.trim() !== '[]')) return { error: reason(`${stderr}\n${stdout}`) };
  const expanded = parse(await readFile(join(folder, 'state', 'expanded-gitlab-ci.yml'), 'utf8'), {
    merge: true,
  }) as Record<string, unknown>;
  return { jobs: start < 0 ? [] : (JSON.parse(stdout.slice(start)) as Listed[]), expanded };
}

/** The error in gitlab-ci-local's output: what follows its notices. */
function reason(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.replaceAll(ansi, '').trim())
    .filter(
      (line) =>
        line !== '' &&
        !/^(parsing and downloads|json schema validated|downloaded |Using fallback|Unable to retrieve|Command failed with exit code 1: git config user)/.test(
          line,
        ),
    );
  const text = lines.join(' ').replace(/^(.+) rules: (config .*)$/, 'jobs:$1:rules $2');
  return (
    (text.length > 2000 ? `${text.slice(0, 500)} … ${text.slice(-1500)}` : text) || 'the configuration is not valid'
  );
}
