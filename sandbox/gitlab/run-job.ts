import { spawn } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keepArtifacts, placeArtifacts } from './artifacts.ts';
import { localRunner, unsetFlags, writeVariables } from './ci-config.ts';
import { expand, jobVariables } from './ci-variables.ts';
import type { Values } from './ci-variables.ts';
import { writeKubeconfig } from './agents.ts';
import { canceledLine, logReader, signalScript } from './job-process.ts';
import { git } from './repositories.ts';
import type { VariableFields } from './handle.ts';
import type { JobPart } from './ci-jobs.ts';
import type { Row, State } from './state.ts';

/** How a job ended. */
export interface JobEnd {
  readonly status: 'success' | 'failed' | 'canceled';
  readonly exitCode: number | null;
  readonly failureReason: string | null;
}

/** What the pipeline knows and the job gets. */
export interface JobInput {
  /** Predefined variables of the pipeline. */
  readonly predefined: Values;
  /** From dotenv reports of earlier jobs. */
  readonly dotenv: Values;
  /** From groups, project and the pipeline itself, the strongest last. */
  readonly settings: readonly VariableFields[];
  /** Jobs whose artifacts are unpacked first. */
  readonly producers: readonly Row[];
}

const ansi = new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]*m`, 'g');
const graceMs = 10_000;

/** Seconds of `1h 30m` and the like; GitLab's default is an hour. */
export function timeoutSeconds(text: unknown): number {
  if (typeof text === 'number') return text;
  if (typeof text !== 'string') return 3600;
  const units: Record<string, number> = { d: 86_400, h: 3600, m: 60, s: 1 };
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)\s*([dhms])/g)) sum += Number(count) * (units[unit ?? 's'] ?? 1);
  return sum > 0 ? sum : 3600;
}

/**
 * Runs one job with gitlab-ci-local's shell executor in a fresh checkout, as GitLab Runner does: shallow clone,
 * artifacts of earlier jobs, variables (files in a folder of their own), script, after_script, artifacts.
 */
export async function runJob(state: State, row: Row, part: JobPart, input: JobInput): Promise<JobEnd> {
  const folder = join(state.folder, 'jobs', String(row.id));
  const work = join(folder, 'builds', row.pipeline.project.path);
  const files = join(folder, 'builds', `${row.pipeline.project.path}.tmp`);
  for (const each of [work, files, join(folder, 'home')]) await mkdir(each, { recursive: true, mode: 0o700 });
  try {
    const seconds = timeoutSeconds(part.spec.data['timeout']);
    const { values, masked } = await collect(state, row, part, input, {
      work,
      files,
      builds: join(folder, 'builds'),
      seconds,
    });
    await checkout(state, row, part, work, values['GIT_DEPTH']);
    await placeArtifacts(state, work, input.producers);
    await writeVariables(join(folder, 'variables.json'), values);
    await writeFile(join(folder, 'job.json'), JSON.stringify(jobFile(part, folder)));
    await writeFile(join(folder, 'ignore'), '*\n');
    const reader = logReader(folder, masked, row);
    part.raw = reader.raw;
    part.log = reader.shown;
    // Canceled while it was prepared: there is no script yet that could be told.
    const end: JobEnd =
      row.status === 'canceling'
        ? { status: 'canceled', exitCode: null, failureReason: null }
        : await execute(state, row, part, { folder, work, seconds, values });
    const finished = reader.close(end);
    part.raw = () => finished.raw;
    part.log = () => finished.shown;
    await keepArtifacts(state, row, part, work, end.status);
    return end;
  } finally {
    part.cancel = null;
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function collect(
  state: State,
  row: Row,
  part: JobPart,
  input: JobInput,
  places: { readonly work: string; readonly files: string; readonly builds: string; readonly seconds: number },
): Promise<{ readonly values: Values; readonly masked: readonly string[] }> {
  const own = jobVariables(state, row, { project: places.work, builds: places.builds, timeoutSeconds: places.seconds });
  const values: Values = { ...input.predefined, ...own };
  const kubeconfig = await writeKubeconfig(state, row, join(places.files, 'KUBECONFIG'));
  if (kubeconfig) values['KUBECONFIG'] = kubeconfig;
  for (const [name, settings] of Object.entries(
    (part.spec.data['id_tokens'] ?? {}) as Record<string, { aud: unknown }>,
  )) {
    values[name] = idToken(state, row, settings.aud, input.predefined);
  }
  // The file's own variables stand above the predefined ones, and below all that follows.
  const yaml = {
    ...part.spec.globals,
    ...(part.spec.data['variables'] as Record<string, unknown> | undefined),
    ...part.spec.matrix,
  };
  for (const name of Object.keys(yaml)) delete values[name];
  Object.assign(values, input.dotenv);
  const masked = [part.token];
  for (const variable of [...input.settings, ...part.variables]) {
    if (variable.masked) masked.push(variable.value);
    if (variable.file) {
      const file = join(places.files, variable.key);
      await writeFile(file, variable.value, { mode: 0o600 });
      values[variable.key] = file;
    } else values[variable.key] = variable.value;
  }
  for (const { key, value, file, raw } of [...input.settings, ...part.variables])
    if (raw === false && !file && values[key] === value) values[key] = expand(value, values);
  return { values, masked };
}

/** An OpenID Connect token of the job (docs.gitlab.com/ci/secrets/id_token_authentication). */
function idToken(state: State, row: Row, audience: unknown, predefined: Values): string {
  const now = Math.floor(state.clock.now() / 1000);
  const { pipeline } = row;
  const kind = pipeline.tag ? 'tag' : 'branch';
  return state.signer.sign({
    iss: state.url,
    aud: audience,
    iat: now,
    nbf: now - 5,
    exp: now + 3600,
    jti: `${row.id}-${now}`,
    sub: `project_path:${pipeline.project.path}:ref_type:${kind}:ref:${predefined['CI_COMMIT_REF_NAME'] ?? pipeline.ref}`,
    project_id: String(pipeline.project.id),
    project_path: pipeline.project.path,
    namespace_path: predefined['CI_PROJECT_NAMESPACE'],
    user_id: String(row.user.id),
    user_login: row.user.username,
    pipeline_id: String(pipeline.id),
    pipeline_source: pipeline.source,
    job_id: String(row.id),
    ref: predefined['CI_COMMIT_REF_NAME'],
    ref_type: kind,
    ref_protected: String(pipeline.protectedRef),
    sha: pipeline.sha,
    ...(row.job?.environment ? { environment: row.job.environment, environment_protected: 'false' } : {}),
    ci_config_ref_uri: `${state.host}/${pipeline.project.path}//.gitlab-ci.yml@refs/${kind === 'tag' ? 'tags' : 'heads'}/${pipeline.ref}`,
  });
}

async function checkout(
  state: State,
  row: Row,
  part: JobPart,
  work: string,
  depthText: string | undefined,
): Promise<void> {
  const { pipeline } = row;
  const yamlDepth =
    (part.spec.data['variables'] as Record<string, unknown> | undefined)?.['GIT_DEPTH'] ??
    part.spec.globals['GIT_DEPTH'];
  const depth = Number(depthText ?? yamlDepth ?? 20);
  const own = `refs/pipelines/${pipeline.id}`;
  const refs = [`+${own}:${own}`];
  if (pipeline.tag) refs.push(`+refs/tags/${pipeline.ref}:refs/tags/${pipeline.ref}`);
  else if (!pipeline.mergeRequest) refs.push(`+${own}:refs/remotes/origin/${pipeline.ref}`);
  await git(state, work, ['init', '-q', '.']);
  await git(state, work, [
    'fetch',
    '-q',
    '--no-tags',
    ...(depth > 0 ? ['--depth', String(depth)] : []),
    `file://${pipeline.project.repository}`,
    ...refs,
  ]);
  const origin = `${state.url.replace('://', `://gitlab-ci-token:${part.token}@`)}/${pipeline.project.path}.git`;
  await writeFile(
    join(work, '.git', 'config'),
    `[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n[remote "origin"]\n\turl = ${origin}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n`,
  );
  await git(state, work, ['checkout', '-q', '-f', '--detach', pipeline.sha]);
}

/** The job alone, as a file for gitlab-ci-local: its conditions have been decided before. */
function jobFile(part: JobPart, folder: string): Readonly<Record<string, unknown>> {
  const { spec } = part;
  const dropped = new Set([
    'needs',
    'dependencies',
    'artifacts',
    'parallel',
    'image',
    'services',
    'cache',
    'tags',
    'when',
    'environment',
    'resource_group',
    'retry',
    'timeout',
    'allow_failure',
    'interruptible',
    'id_tokens',
    'release',
    'inherit',
    'extends',
  ]);
  const data = Object.fromEntries(Object.entries(spec.data).filter(([key]) => !dropped.has(key)));
  const rules: unknown = data['rules'];
  if (Array.isArray(rules) && rules.length > 0) {
    // Kept for their variables; what they decide is decided.
    const kept = rules.map((rule: Record<string, unknown>) => {
      const { when, allow_failure: _a, needs: _n, ...rest } = rule;
      return when === 'never' ? { ...rest, when } : rest;
    });
    data['rules'] = [...kept, { when: 'on_success' }];
  }
  data['variables'] = { ...(data['variables'] as Record<string, unknown> | undefined), ...spec.matrix };
  const after = data['after_script'];
  if (Array.isArray(after) && after.length > 0) data['after_script'] = [canceledLine(folder), ...after];
  return { stages: [spec.stage], variables: spec.globals, [spec.name]: data };
}

async function execute(
  state: State,
  row: Row,
  part: JobPart,
  run: { readonly folder: string; readonly work: string; readonly seconds: number; readonly values: Values },
): Promise<JobEnd> {
  const runner = localRunner(state);
  const up = run.work
    .slice(run.folder.length + 1)
    .split('/')
    .map(() => '..')
    .join('/');
  const args = [
    ...runner.args,
    part.spec.name,
    '--file',
    `${up}/job.json`,
    '--state-dir',
    `${up}/state`,
    '--home',
    join(run.folder, 'home'),
    '--variables-file',
    join(run.folder, 'variables.json'),
    '--ignores-file',
    join(run.folder, 'ignore'),
    '--force-shell-executor',
    '--no-json-schema-validation',
    '--ignore-predefined-vars',
    Object.keys(run.values).join(','),
    ...unsetFlags(run.values),
  ];
  const child = spawn(runner.command, args, {
    cwd: run.work,
    env: { ...runner.env, HOME: join(run.folder, 'home') },
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
  let ended: 'canceled' | 'timeout' | null = null;
  const timers: NodeJS.Timeout[] = [];
  const stop = (why: 'canceled' | 'timeout') => {
    if (ended) return;
    ended = why;
    void (async () => {
      if (why === 'canceled') await writeFile(join(run.folder, 'canceled'), '');
      await signalScript(child.pid, 'SIGTERM');
      timers.push(setTimeout(() => void signalScript(child.pid, 'SIGKILL'), graceMs));
    })();
  };
  part.cancel = () => stop('canceled');
  timers.push(setTimeout(() => stop('timeout'), run.seconds * 1000));
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', (exit) => resolve(exit));
  });
  for (const timer of timers) clearTimeout(timer);
  const told = /\b(?:FAIL|WARN) (\d+)\s*$/m.exec(errors.replaceAll(ansi, ''))?.[1];
  const exitCode = told === undefined ? code : Number(told);
  if (ended === 'canceled') return { status: 'canceled', exitCode, failureReason: null };
  if (ended === 'timeout') return { status: 'failed', exitCode, failureReason: 'job_execution_timeout' };
  if (exitCode === 0) return { status: 'success', exitCode, failureReason: null };
  if (told === undefined) state.log(`job ${row.id} could not be run: ${errors.slice(-2000)}`);
  return { status: 'failed', exitCode, failureReason: told === undefined ? 'runner_system_failure' : 'script_failure' };
}
