import { parseDuration } from '../../src/config/duration.ts';
import type { JobInfo } from '../context.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What GitLab's predefined variables say about the job; empty values count as absent. `gitlab` (a URL) goes before.
 * GitLab names the parent of a child pipeline since 18.9 (`CI_UPSTREAM_PIPELINE_ID`,
 * https://docs.gitlab.com/ci/variables/predefined_variables/); before, the trigger job has to hand its `CI_PIPELINE_ID`
 * on as `SLUICE_PARENT_PIPELINE_ID`.
 */
export function readJob(env: Environment, gitlab?: string): JobInfo {
  const text = (name: string) => env[name] || undefined;
  const number = (name: string) => (/^\d+$/.test(env[name] ?? '') ? Number(env[name]) : undefined);
  const time = (name: string) => {
    const at = Date.parse(env[name] ?? '');
    return Number.isNaN(at) ? undefined : at;
  };
  const serverUrl = (gitlab ?? text('CI_SERVER_URL'))?.replace(/\/+$/, '');
  return {
    serverUrl,
    apiUrl:
      (gitlab === undefined ? text('CI_API_V4_URL') : undefined) ??
      (serverUrl === undefined ? undefined : `${serverUrl}/api/v4`),
    project: text('CI_PROJECT_PATH'),
    projectId: number('CI_PROJECT_ID'),
    commit: text('CI_COMMIT_SHA'),
    ref: text('CI_COMMIT_BRANCH') ?? text('CI_COMMIT_REF_NAME'),
    defaultBranch: text('CI_DEFAULT_BRANCH'),
    pipelineId: number('CI_PIPELINE_ID'),
    parentPipelineId:
      text('CI_PIPELINE_SOURCE') === 'parent_pipeline'
        ? (number('SLUICE_PARENT_PIPELINE_ID') ?? number('CI_UPSTREAM_PIPELINE_ID'))
        : undefined,
    pipelineSource: text('CI_PIPELINE_SOURCE'),
    pipelineCreatedAt: time('CI_PIPELINE_CREATED_AT'),
    jobId: number('CI_JOB_ID'),
    jobUrl: text('CI_JOB_URL'),
    environment: text('CI_ENVIRONMENT_NAME'),
    registryImage: text('CI_REGISTRY_IMAGE'),
    registry: text('CI_REGISTRY'),
    protectedRef: text('CI_COMMIT_REF_PROTECTED') === undefined ? undefined : env['CI_COMMIT_REF_PROTECTED'] === 'true',
    mergeRequestIid: number('CI_MERGE_REQUEST_IID'),
    deployFreeze: text('CI_DEPLOY_FREEZE') !== undefined,
    deadline: deadlineOf(time('CI_JOB_STARTED_AT'), text('RUNNER_SCRIPT_TIMEOUT'), number('CI_JOB_TIMEOUT')),
  };
}

/** The script must end at this moment: the job's start plus the runner's script limit, else the job's. */
function deadlineOf(
  startedAt: number | undefined,
  scriptTimeout: string | undefined,
  jobTimeout: number | undefined,
): number | undefined {
  if (startedAt === undefined) return undefined;
  const limit =
    (scriptTimeout === undefined ? undefined : parseDuration(scriptTimeout)) ??
    (jobTimeout === undefined ? undefined : jobTimeout * 1000);
  return limit === undefined ? undefined : startedAt + limit;
}
