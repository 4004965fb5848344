import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { checkout } from './ci-checkout.ts';
import { fileAt } from './repositories.ts';
import type { JobSpec, Project, State } from './state.ts';
import type { Values } from './ci-variables.ts';

/** What `.gitlab-ci.yml` says for one pipeline, as gitlab-ci-local (an independent implementation) reads it. */
export type Evaluation =
  | { readonly outcome: 'jobs'; readonly stages: readonly string[]; readonly jobs: readonly JobSpec[] }
  /** No file, or rules that let nothing through: no pipeline. */
  | { readonly outcome: 'nothing'; readonly reason: string }
  | { readonly outcome: 'error'; readonly message: string };

const program = fileURLToPath(import.meta.resolve('gitlab-ci-local'));
const reserved = new Set([
  'include',
  'stages',
  'variables',
  'default',
  'workflow',
  'image',
  'services',
  'cache',
  'before_script',
  'after_script',
  'spec',
]);
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
  /** Another text than the file at the commit (CI lint). */
  readonly content?: string;
}

const validated = new Set<string>();

/** Evaluates the file of a commit. */
export async function evaluate(state: State, question: Question): Promise<Evaluation> {
  const { project, sha, content } = question;
  const text = content ?? (await fileAt(state, project, sha, '.gitlab-ci.yml'))?.toString('utf8');
  if (text === undefined) return { outcome: 'nothing', reason: 'Missing CI config file' };
  const folder = join(state.folder, 'evaluations', String(state.next('evaluation')));
  try {
    await checkout(state, folder, question);
    if (content !== undefined) await writeFile(join(folder, 'project', '.gitlab-ci.yml'), content);
    await writeVariables(join(folder, 'variables.json'), question.values);
    const withProbe = /^workflow\s*:/m.test(text) && /^\s+rules\s*:/m.test(text);
    const first = await list(state, folder, question, { probe: withProbe, validate: !validated.has(text) });
    if ('error' in first) return { outcome: 'error', message: first.error };
    validated.add(text);
    return await choose(state, folder, question, first, withProbe);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Listed {
  readonly name: string;
  readonly stage: string;
  readonly when: string;
  readonly allow_failure: JobSpec['allowFailure'];
  readonly needs?: readonly { readonly job: string; readonly artifacts?: boolean; readonly optional?: boolean }[];
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
    // Without workflow rules, jobs without rules belong to branches and tags alone.
    .filter((spec) => !question.mergeRequest || Array.isArray(workflow) || Array.isArray(spec.data['rules']));
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
  return { outcome: 'jobs', stages: Array.isArray(stages) ? stages.map(String) : [], jobs };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function specOf(job: Listed, expanded: Readonly<Record<string, unknown>>): JobSpec {
  const names = Object.keys(expanded).filter((name) => !reserved.has(name) && !name.startsWith('.'));
  const baseName = names.includes(job.name)
    ? job.name
    : (names.find((name) => job.name.startsWith(`${name}: [`)) ?? job.name);
  const data = expanded[baseName] as Record<string, unknown>;
  const matrix = combinations(field(data['parallel'], 'matrix')).find(
    (values) => job.name === `${baseName}: [${Object.values(values).join(',')}]`,
  );
  return {
    name: matrix ? `${baseName}: [${Object.values(matrix).join(', ')}]` : job.name,
    baseName,
    stage: job.stage,
    when: job.when,
    // A manual job without rules is optional unless it says otherwise.
    allowFailure:
      job.when === 'manual' && !data['rules'] ? ((data['allow_failure'] ?? true) as boolean) : job.allow_failure,
    needs:
      job.needs?.map((need) => ({
        job: need.job,
        artifacts: need.artifacts ?? true,
        optional: need.optional ?? false,
      })) ?? null,
    matrix: matrix ?? {},
    globals: (expanded['variables'] ?? {}) as Record<string, unknown>,
    data,
  };
}

/** All combinations of a `parallel:matrix`. */
function combinations(matrix: unknown): readonly Readonly<Record<string, string>>[] {
  if (!Array.isArray(matrix)) return [];
  return matrix.flatMap((entry: Record<string, unknown>) =>
    Object.entries(entry).reduce<Record<string, string>[]>(
      (sets, [key, value]) =>
        sets.flatMap((set) =>
          (Array.isArray(value) ? value : [value]).map((item) => ({ ...set, [key]: String(item) })),
        ),
      [{}],
    ),
  );
}

interface ListOptions {
  readonly probe: boolean;
  readonly validate: boolean;
}

/** gitlab-ci-local copies one component for two includes at the same time and then stumbles over the first copy. */
async function list(
  state: State,
  folder: string,
  question: Question,
  options: ListOptions,
  tries = 5,
): Promise<Listing | { readonly error: string }> {
  const found = await listOnce(state, folder, question, options);
  if (!('error' in found) || tries === 0 || !/cp: cannot create .*: File exists/.test(found.error)) return found;
  await rm(join(folder, 'state'), { recursive: true, force: true });
  return list(state, folder, question, options, tries - 1);
}

async function listOnce(
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
        !/^(parsing and downloads|json schema validated|downloaded |Using fallback|Unable to retrieve)/.test(line),
    );
  const text = lines.join(' ');
  return (
    (text.length > 2000 ? `${text.slice(0, 500)} … ${text.slice(-1500)}` : text) || 'the configuration is not valid'
  );
}
