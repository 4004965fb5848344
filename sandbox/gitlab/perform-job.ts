import { rubyText } from './ci-inputs.ts';
import { expand, pipelineVariables, settingsVariables } from './ci-variables.ts';
import type { Values } from './ci-variables.ts';
import { isMap } from './ci-yaml.ts';
import { producersOf } from './job-order.ts';
import { environmentSettings } from './pipelines.ts';
import { releaseOfJob } from './releases.ts';
import { runJob } from './run-job.ts';
import type { JobEnd } from './run-job.ts';
import type { JobPart } from './ci-jobs.ts';
import type { Row, State } from './state.ts';

/** Runs a job with what its pipeline and the jobs before give it, and takes over what its end says about it. */
export async function performJob(state: State, row: Row, part: JobPart): Promise<JobEnd> {
  const ran = await attempt(state, row, part);
  const refused = ran.status === 'success' ? await releaseOfJob(state, row, await known(state, row)) : null;
  if (refused !== null) state.log(`release of job ${row.id}: ${refused}`);
  const end: JobEnd = refused === null ? ran : { status: 'failed', exitCode: 1, failureReason: 'script_failure' };
  part.alive = false;
  part.exitCode = end.exitCode;
  const allowed = part.spec.allowFailure;
  if (typeof allowed === 'object' && end.exitCode !== null) {
    row.allowFailure = [allowed.exit_codes].flat().includes(end.exitCode);
  }
  const settings = environmentSettings(part.spec);
  if (settings?.action === 'stop' && end.status === 'success') {
    const environment = row.pipeline.project.environments.find((each) => each.name === part.environment);
    if (environment) environment.state = 'stopped';
  }
  return end;
}

/** Variables that `release:` may use. */
async function known(state: State, row: Row): Promise<Values> {
  return { ...(await pipelineVariables(state, row.pipeline)), ...row.job?.dotenv };
}

async function attempt(state: State, row: Row, part: JobPart): Promise<JobEnd> {
  const { pipeline } = row;
  const { protectedRef, project } = pipeline;
  try {
    const settings = [
      ...settingsVariables(state, project, { protectedRef, environment: part.environment }),
      ...pipeline.variables,
    ];
    const predefined = await pipelineVariables(state, pipeline);
    const own = Object.fromEntries(settings.map(({ key, value }) => [key, value]));
    const producers = [...producersOf(row), ...relatives(state, row, { ...predefined, ...own })];
    return await runJob(state, row, part, {
      predefined,
      dotenv: Object.assign({}, ...producers.map((producer) => producer.job?.dotenv ?? {})) as Values,
      settings,
      producers,
    });
  } catch (error) {
    state.log(`job ${row.id}: ${error instanceof Error ? error.stack : String(error)}`);
    return { status: 'failed', exitCode: null, failureReason: 'runner_system_failure' };
  }
}

/** Jobs of the parent, or of another child, whose artifacts `needs: pipeline` asks for. */
function relatives(state: State, row: Row, values: Values): readonly Row[] {
  const needs: unknown = row.job?.spec.data['needs'];
  if (!Array.isArray(needs)) return [];
  return needs.flatMap((need: unknown) => {
    if (!isMap(need) || need['pipeline'] === undefined) return [];
    const pipeline = state.pipelines.get(Number(expand(rubyText(need['pipeline']), values)));
    if (pipeline?.project !== row.pipeline.project) return [];
    return pipeline.rows.filter((each) => each.kind === 'job' && !each.retried && each.name === need['job']);
  });
}
