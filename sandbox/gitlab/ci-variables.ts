import { ancestors } from './lookup.ts';
import type { Pipeline, Project, Row, State } from './state.ts';
import { resolveCommit, commitOf, zeros } from './repositories.ts';
import { protection } from './access.ts';
import type { VariableFields } from './handle.ts';

/** GitLab's predefined variables (docs.gitlab.com/ci/variables/predefined_variables) and the settings' own. */

export type Values = Record<string, string>;

/** Lower case, everything else than letters and digits `-`, at most 63 bytes: `CI_COMMIT_REF_SLUG` and the like. */
function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '');
}

/** Does a scope such as `review/*` cover an environment? `*` covers jobs without environment too. */
export function inScope(scope: string | undefined, environment: string | null): boolean {
  if (scope === undefined || scope === '*') return true;
  if (environment === null) return false;
  const pattern = scope
    .split('*')
    .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${pattern}$`).test(environment);
}

/** Variables of project and groups for a job: the nearest wins, then the closest scope. */
export function settingsVariables(
  state: State,
  project: Project,
  options: { readonly protectedRef: boolean; readonly environment: string | null },
): readonly VariableFields[] {
  const owners = [
    ...ancestors(state, project.path)
      .map((group) => group.variables)
      .toReversed(),
    project.variables,
  ];
  const chosen = new Map<string, VariableFields>();
  for (const variables of owners) {
    const fitting = variables
      .filter(
        (each) => inScope(each.environmentScope, options.environment) && (options.protectedRef || !each.protected),
      )
      .toSorted((a, b) => (a.environmentScope ?? '*').length - (b.environmentScope ?? '*').length);
    for (const variable of fitting) chosen.set(variable.key, variable);
  }
  return [...chosen.values()];
}

/** Variables that a pipeline's rules and includes may use. */
export async function pipelineVariables(state: State, pipeline: Pipeline): Promise<Values> {
  const { project } = pipeline;
  const commit = await commitOf(state, project, pipeline.sha);
  const [scheme = 'http'] = state.url.split(':');
  const [hostname = '', port = ''] = state.host.split(':');
  const namespace = project.path.split('/').slice(0, -1).join('/');
  const request = pipeline.mergeRequest;
  const refName = request ? request.sourceBranch : pipeline.ref;
  const titleEnd = commit.message.indexOf('\n');
  const values: Values = {
    CI: 'true',
    GITLAB_CI: 'true',
    CI_SERVER: 'yes',
    CI_SERVER_NAME: 'GitLab',
    CI_SERVER_URL: state.url,
    CI_SERVER_HOST: hostname,
    CI_SERVER_FQDN: state.host,
    CI_SERVER_PORT: port,
    CI_SERVER_PROTOCOL: scheme,
    CI_SERVER_VERSION: serverVersion(state),
    CI_SERVER_VERSION_MAJOR: state.profile.split('.')[0] ?? '',
    CI_SERVER_VERSION_MINOR: state.profile.split('.')[1] ?? '',
    CI_API_V4_URL: `${state.url}/api/v4`,
    CI_API_GRAPHQL_URL: `${state.url}/api/graphql`,
    CI_PROJECT_ID: String(project.id),
    CI_PROJECT_NAME: project.path.split('/').at(-1) ?? '',
    CI_PROJECT_TITLE: project.name,
    CI_PROJECT_DESCRIPTION: project.description,
    CI_PROJECT_PATH: project.path,
    CI_PROJECT_PATH_SLUG: slug(project.path),
    CI_PROJECT_NAMESPACE: namespace,
    CI_PROJECT_ROOT_NAMESPACE: namespace.split('/')[0] ?? '',
    CI_PROJECT_URL: `${state.url}/${project.path}`,
    CI_PROJECT_VISIBILITY: project.visibility,
    CI_DEFAULT_BRANCH: project.defaultBranch,
    CI_CONFIG_PATH: '.gitlab-ci.yml',
    CI_COMMIT_SHA: pipeline.sha,
    CI_COMMIT_SHORT_SHA: pipeline.sha.slice(0, 8),
    CI_COMMIT_BEFORE_SHA: pipeline.beforeSha,
    CI_COMMIT_REF_NAME: refName,
    CI_COMMIT_REF_SLUG: slug(refName),
    CI_COMMIT_REF_PROTECTED: String(pipeline.protectedRef),
    CI_COMMIT_MESSAGE: commit.message.trimEnd(),
    CI_COMMIT_TITLE: commit.title,
    CI_COMMIT_DESCRIPTION: titleEnd < 0 ? '' : commit.message.slice(titleEnd).trim(),
    CI_COMMIT_AUTHOR: `${commit.authorName} <${commit.authorEmail}>`,
    CI_COMMIT_TIMESTAMP: commit.committedDate,
    CI_PIPELINE_ID: String(pipeline.id),
    CI_PIPELINE_IID: String(pipeline.iid),
    CI_PIPELINE_SOURCE: pipeline.source,
    CI_PIPELINE_URL: `${state.url}/${project.path}/-/pipelines/${pipeline.id}`,
    CI_PIPELINE_CREATED_AT: pipeline.createdAt.replace(/\.\d+Z$/, 'Z'),
    GITLAB_USER_ID: String(pipeline.user.id),
    GITLAB_USER_LOGIN: pipeline.user.username,
    GITLAB_USER_NAME: pipeline.user.name,
    GITLAB_USER_EMAIL: pipeline.user.email,
  };
  if (state.registry) {
    values['CI_REGISTRY'] = state.registry.host;
    values['CI_REGISTRY_IMAGE'] = `${state.registry.host}/${project.path.toLowerCase()}`;
  }
  if (pipeline.tag) values['CI_COMMIT_TAG'] = pipeline.ref;
  else if (!request) values['CI_COMMIT_BRANCH'] = pipeline.ref;
  if (pipeline.upstream && state.profile === '19.4') {
    // Since 18.9.
    values['CI_UPSTREAM_PIPELINE_ID'] = String(pipeline.upstream.pipeline.id);
    values['CI_UPSTREAM_PROJECT_ID'] = String(pipeline.upstream.pipeline.project.id);
    values['CI_UPSTREAM_JOB_ID'] = String(pipeline.upstream.id);
  }
  if (pipeline.source === 'trigger') values['CI_PIPELINE_TRIGGERED'] = 'true';
  if (request) Object.assign(values, await mergeRequestVariables(state, pipeline, request));
  return values;
}

/** Semantic version of the profile. */
export function serverVersion(state: State): string {
  return `${state.profile}.1`;
}

async function mergeRequestVariables(
  state: State,
  pipeline: Pipeline,
  request: NonNullable<Pipeline['mergeRequest']>,
): Promise<Values> {
  const { project, sourceProject } = request;
  const target = (await resolveCommit(state, project, request.targetBranch)) ?? zeros;
  return {
    ...(pipeline.targetSha && pipeline.sourceSha
      ? {
          CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: pipeline.sourceSha,
          CI_MERGE_REQUEST_TARGET_BRANCH_SHA: pipeline.targetSha,
        }
      : {}),
    CI_MERGE_REQUEST_ID: String(request.id),
    CI_MERGE_REQUEST_IID: String(request.iid),
    CI_MERGE_REQUEST_REF_PATH: `refs/merge-requests/${request.iid}/head`,
    CI_MERGE_REQUEST_PROJECT_ID: String(project.id),
    CI_MERGE_REQUEST_PROJECT_PATH: project.path,
    CI_MERGE_REQUEST_PROJECT_URL: `${state.url}/${project.path}`,
    CI_MERGE_REQUEST_TARGET_BRANCH_NAME: request.targetBranch,
    CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED: String(protection(project, request.targetBranch) !== undefined),
    CI_MERGE_REQUEST_SOURCE_PROJECT_ID: String(sourceProject.id),
    CI_MERGE_REQUEST_SOURCE_PROJECT_PATH: sourceProject.path,
    CI_MERGE_REQUEST_SOURCE_PROJECT_URL: `${state.url}/${sourceProject.path}`,
    CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: request.sourceBranch,
    CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED: String(protection(sourceProject, request.sourceBranch) !== undefined),
    CI_MERGE_REQUEST_TITLE: request.title,
    CI_MERGE_REQUEST_DESCRIPTION: request.description.slice(0, 2700),
    CI_MERGE_REQUEST_LABELS: request.labels.join(','),
    CI_MERGE_REQUEST_EVENT_TYPE: pipeline.targetSha ? 'merged_result' : 'detached',
    CI_MERGE_REQUEST_DIFF_BASE_SHA: target,
    CI_OPEN_MERGE_REQUESTS: `${project.path}!${request.iid}`,
  };
}

/** Variables that only the job itself gets; no credentials of other systems. */
export function jobVariables(
  state: State,
  row: Row,
  places: { readonly project: string; readonly builds: string; readonly timeoutSeconds: number },
): Values {
  const part = row.job;
  if (!part) return {};
  const { project } = row.pipeline;
  const values: Values = {
    CI_JOB_ID: String(row.id),
    CI_JOB_NAME: row.name,
    CI_JOB_NAME_SLUG: slug(row.name),
    CI_JOB_STAGE: row.stage,
    CI_JOB_TOKEN: part.token,
    CI_JOB_URL: `${state.url}/${project.path}/-/jobs/${row.id}`,
    CI_JOB_STARTED_AT: (row.startedAt ?? state.time()).replace(/\.\d+Z$/, 'Z'),
    CI_JOB_TIMEOUT: String(places.timeoutSeconds),
    CI_JOB_MANUAL: part.spec.when === 'manual' ? 'true' : '',
    CI_PROJECT_DIR: places.project,
    CI_BUILDS_DIR: places.builds,
    CI_RUNNER_ID: '1',
    CI_RUNNER_DESCRIPTION: 'shell',
    CI_RUNNER_EXECUTABLE_ARCH: 'linux/amd64',
    CI_RUNNER_TAGS: '[]',
    CI_NODE_TOTAL: '1',
    CI_CONCURRENT_ID: '0',
    CI_CONCURRENT_PROJECT_ID: '0',
    CI_REPOSITORY_URL: `${state.url.replace('://', `://gitlab-ci-token:${part.token}@`)}/${project.path}.git`,
    CI_DEPENDENCY_PROXY_USER: 'gitlab-ci-token',
  };
  if (!values['CI_JOB_MANUAL']) delete values['CI_JOB_MANUAL'];
  if (state.registry) {
    values['CI_REGISTRY_USER'] = 'gitlab-ci-token';
    values['CI_REGISTRY_PASSWORD'] = part.token;
  }
  const environment = project.environments.find((each) => each.name === part.environment);
  if (environment) {
    values['CI_ENVIRONMENT_NAME'] = environment.name;
    values['CI_ENVIRONMENT_SLUG'] = environment.slug;
    values['CI_ENVIRONMENT_TIER'] = environment.tier;
    values['CI_ENVIRONMENT_ID'] = String(environment.id);
    const settings = part.spec.data['environment'];
    const action =
      typeof settings === 'object' && settings !== null && 'action' in settings ? settings.action : 'start';
    values['CI_ENVIRONMENT_ACTION'] = String(action);
    if (environment.externalUrl) values['CI_ENVIRONMENT_URL'] = environment.externalUrl;
  }
  return values;
}

/** `$NAME` and `${NAME}` in a text, as GitLab expands environment names and resource groups. */
export function expand(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(
    /\$\{(\w+)\}|\$(\w+)/g,
    (_, braced?: string, plain?: string) => values[braced ?? plain ?? ''] ?? '',
  );
}
