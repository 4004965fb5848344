import type { Deployment, Environment, Project, Row, State, User } from './state.ts';

/** `CI_ENVIRONMENT_SLUG`: lower case, letters, digits and `-`, at most 24 characters. */
function environmentSlug(name: string): string {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const started = /^[a-z]/.test(plain) ? plain : `env-${plain}`;
  if (started === name && started.length <= 24) return started.replace(/-$/, '');
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return `${started.slice(0, 17).replace(/-$/, '')}-${hash.toString(36).padStart(6, '0').slice(-6)}`;
}

/** Tier that GitLab guesses from a name. */
function tierOf(name: string): string {
  if (/(^|[^a-z])(dev|review|trunk)/i.test(name)) return 'development';
  if (/(test|tst|int|ac(ce|)pt|qa|qc|control|quality)/i.test(name)) return 'testing';
  if (/(st(a|)g|mod(e|)l|pre|demo|non)/i.test(name)) return 'staging';
  if (/(pr(o|)d|live)/i.test(name)) return 'production';
  return 'other';
}

/** The environment of that name, made when it is new, and open again when it was stopped. */
export function ensureEnvironment(
  state: State,
  project: Project,
  name: string,
  fields: { readonly tier?: string | undefined; readonly externalUrl?: string | undefined } = {},
): Environment {
  const found = project.environments.find((each) => each.name === name);
  if (found) {
    if (fields.externalUrl) found.externalUrl = fields.externalUrl;
    if (fields.tier) found.tier = fields.tier;
    return found;
  }
  const environment: Environment = {
    id: state.next('environment'),
    name,
    slug: environmentSlug(name),
    externalUrl: fields.externalUrl ?? null,
    description: null,
    tier: fields.tier ?? tierOf(name),
    state: 'available',
    clusterAgentId: null,
    kubernetesNamespace: null,
    fluxResourcePath: null,
    autoStopSetting: 'always',
    createdAt: state.time(),
    updatedAt: state.time(),
  };
  project.environments.push(environment);
  return environment;
}

/** Adds a deployment record. */
export function addDeployment(
  state: State,
  project: Project,
  fields: {
    readonly environment: Environment;
    readonly sha: string;
    readonly ref: string;
    readonly tag: boolean;
    readonly user: User;
    readonly status: string;
    readonly job: Row | null;
  },
): Deployment {
  const deployment: Deployment = {
    id: state.next('deployment'),
    iid: state.next(`deployment:${project.id}`),
    createdAt: state.time(),
    updatedAt: state.time(),
    ...fields,
  };
  project.deployments.push(deployment);
  return deployment;
}

/** The deployment of a job with `environment:` (action start), before it runs. */
export function openDeployment(state: State, row: Row, environment: Environment): Deployment {
  const { pipeline } = row;
  return addDeployment(state, pipeline.project, {
    environment,
    sha: pipeline.sha,
    ref: pipeline.ref,
    tag: pipeline.tag,
    user: row.user,
    status: 'created',
    job: row,
  });
}

/** Moves a job's deployment on. */
export function moveDeployment(state: State, row: Row, status: string): void {
  const deployment = row.pipeline.project.deployments.find((each) => each.job === row);
  if (!deployment || deployment.status === status) return;
  setDeploymentStatus(state, row.pipeline.project, deployment, status);
}

/** Sets a deployment's status and tells so. */
export function setDeploymentStatus(state: State, project: Project, deployment: Deployment, status: string): void {
  deployment.status = status;
  deployment.updatedAt = state.time();
  if (status === 'running' || status === 'success') deployment.environment.state = 'available';
  state.emit({
    type: 'deployment',
    project: project.path,
    id: deployment.id,
    environment: deployment.environment.name,
    sha: deployment.sha,
    status,
  });
}

/** Has a younger deployment of this environment succeeded? ("Prevent outdated deployment jobs") */
export function isOutdated(row: Row): boolean {
  const { project } = row.pipeline;
  const own = project.deployments.find((each) => each.job === row);
  if (!own) return false;
  return project.deployments.some(
    (each) => each.environment === own.environment && each.status === 'success' && each.id > own.id,
  );
}
