import type { App, Pair } from '../../config/config.ts';
import type { Secret } from '../../secret.ts';
import type { Clock } from '../../systems/clock.ts';
import type { Http } from '../../systems/http.ts';
import type { GitLabInspection, InspectedProject } from '../../systems/inspection.ts';
import { answerOr, attempt } from './attempt.ts';
import { judgeBranch } from './branch.ts';
import { judge, type Check, type Finding } from './finding.ts';
import { judgeProject, type ProjectFacts } from './membership.ts';
import { judgePipeline } from './pipeline.ts';
import { judgeReach } from './reach.ts';
import { judgeToken } from './token.ts';
import { judgeVariables } from './variables.ts';

/** Looks whether GitLab answers, without any token. `version` is by a token, where there is one. */
export async function examineReach(
  http: Http,
  url: string | null,
  version: string | null,
): Promise<readonly Finding[]> {
  if (url === null) return judgeReach({ url, status: null, failure: null, version: null });
  try {
    const { status } = await http.request(`${url}/api/v4/version`, { timeoutMs: 15_000 });
    return judgeReach({ url, status, failure: null, version });
  } catch (error) {
    return judgeReach({ url, status: null, failure: networkWords(error), version: null });
  }
}

function networkWords(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  return [code, cause.message].filter((word) => word !== '').join(': ');
}

/** A token and the GitLab that is asked with it. */
export interface TokenInHand {
  readonly variable: string;
  readonly secret: Secret;
  readonly gitlab: GitLabInspection;
}

/** Looks at one token: kind, scopes, expiry. */
export async function examineToken(
  { variable, secret, gitlab }: TokenInHand,
  options: {
    readonly clock: Clock;
    readonly inJob: boolean;
    readonly use: 'statuses' | 'push';
    readonly check?: Check;
  },
): Promise<readonly Finding[]> {
  const { clock, inJob, use } = options;
  const value = secret.reveal();
  const prefix = /^[a-z]+-/.exec(value)?.[0] ?? '';
  const [token, user] =
    prefix === 'gldt-' || prefix === 'glcbt-'
      ? [{ answer: null }, { answer: null }]
      : await Promise.all([attempt(() => gitlab.ownToken()), attempt(() => gitlab.user())]);
  return judgeToken({
    check: options.check ?? 'token',
    variable,
    prefix,
    token: answerOr(token, null),
    user: answerOr(user, null),
    refusal: 'fault' in token ? token.fault : null,
    inJob,
    now: clock.now(),
    use,
  });
}

/** A project as a token sees it, with its branch. */
export async function readProject(
  { variable, gitlab }: TokenInHand,
  path: string,
  branch: string | null,
): Promise<ProjectFacts> {
  const project = await attempt(() => gitlab.project(path));
  const found = answerOr<InspectedProject | null, null>(project, null);
  const name = branch ?? found?.defaultBranch ?? null;
  const seen = found === null || name === null ? null : answerOr(await attempt(() => gitlab.branch(path, name)), null);
  return {
    path,
    variable,
    project: found,
    branch: seen === null || name === null ? null : { name, ...seen },
    refusal: 'fault' in project ? project.fault : null,
  };
}

/** Looks at the branch that is delivered. */
export async function examineBranch(
  { gitlab }: TokenInHand,
  { path, project, branch }: ProjectFacts,
  pairs: readonly Pair[],
  wanted: string | null,
): Promise<readonly Finding[]> {
  const name = branch?.name ?? wanted ?? project?.defaultBranch ?? null;
  if (project === null || name === null)
    return [
      judge('branch', path).unknown(
        'branch-unknown',
        'the branch is not known: the project is not to be seen',
        'Repair the token first.',
      ),
    ];
  const rules = answerOr(await attempt(() => gitlab.protectedBranches(path)), null);
  const pushed = [
    ...new Set(
      pairs.filter(({ environment }) => environment.changes === 'push').map(({ environment }) => environment.name),
    ),
  ];
  return judgeBranch({ project: path, name, branch, rules, pushed });
}

/** Looks at how the delivery project keeps its variables. */
export async function examineVariables(
  { gitlab }: TokenInHand,
  { path, project, branch }: ProjectFacts,
  pairs: readonly Pair[],
): Promise<readonly Finding[]> {
  if (project === null) return [];
  const variables = answerOr(await attempt(() => gitlab.variables(path)), null);
  return judgeVariables(path, variables, pairs, branch?.protected !== false);
}

/** Looks at the delivery project's pipeline, where it has one of the usual name. */
export async function examinePipeline(
  { gitlab }: TokenInHand,
  { path, project, branch }: ProjectFacts,
): Promise<readonly Finding[]> {
  if (project === null || branch === null) return [];
  const found = await attempt(async () =>
    (await gitlab.file(path, '.gitlab-ci.yml', branch.name)) === null
      ? null
      : gitlab.pipelineErrors(project.id, branch.name),
  );
  return judgePipeline(path, answerOr(found, null));
}

/** Looks at the application projects that get their results back, each with its own token or the common one. */
export async function examineApplications(
  apps: readonly App[],
  tokenOf: (app: string) => Promise<TokenInHand | null>,
  options: { readonly clock: Clock; readonly inJob: boolean; readonly common: string },
): Promise<readonly Finding[]> {
  const told = apps.filter(
    (app) => app.project !== null && app.settings.report?.every((way) => way === 'none') !== true,
  );
  const findings = await Promise.all(
    told.map(async (app) => {
      const own = `SLUICE_GITLAB_TOKEN_${app.name.toUpperCase().replaceAll('-', '_')}`;
      const token = await tokenOf(app.name);
      if (token === null) {
        return [
          judge('projects', app.project ?? '').unknown(
            'project-token',
            'no token to look with',
            `Give ${own}, or ${options.common} of a group that holds both projects.`,
          ),
        ];
      }
      const facts = await readProject(
        { ...token, variable: token.variable === options.common ? own : token.variable },
        app.project!,
        null,
      );
      const about =
        token.variable === options.common
          ? []
          : await examineToken(token, { ...options, use: 'statuses', check: 'projects' });
      return [...about.filter(({ state }) => state !== 'ok'), ...judgeProject('projects', facts)];
    }),
  );
  return findings.flat();
}
