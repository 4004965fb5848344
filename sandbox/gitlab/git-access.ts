import { readFile, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { parseGitRequest, serveGit } from '../git-http.ts';
import type { GitRequest } from '../git-http.ts';
import { accessLevel, canSee, hasScope, identify, jobMayReach, mayChange, protection } from './access.ts';
import type { Identity } from './access.ts';
import type { Engine } from './engine.ts';
import { afterPush } from './pushes.ts';
import { branches, gitEnvironment } from './repositories.ts';
import { findProject } from './lookup.ts';
import type { Project, State } from './state.ts';

/** Who may fetch and push over HTTP (docs.gitlab.com/topics/git/troubleshooting_git, lib/gitlab/git_access.rb). */

const denied =
  "HTTP Basic: Access denied. If a password was provided for Git authentication, the password was incorrect or you're required to use a token instead of a password. If a token was provided, it was either incorrect, expired, or improperly scoped.";
const invisible = "The project you were looking for could not be found or you don't have permission to view it.";

/** User and password of a Basic header. */
export function basicCredentials(
  header: string | undefined,
): { readonly user: string; readonly password: string } | null {
  const encoded = /^Basic\s+(.+)$/i.exec(header ?? '')?.[1];
  if (!encoded) return null;
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return colon < 0 ? null : { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** Answers git's requests; false where the URL is not one. */
export async function answerGit(
  state: State,
  engine: Engine,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const parsed = parseGitRequest(request.url ?? '');
  if (!parsed) return false;
  if (state.faults.down) {
    refuse(response, state.faults.down, 'GitLab is not responding');
    return true;
  }
  const { allowed, project, identity } = authorize(state, parsed, request.headers.authorization);
  if (!project || !identity) {
    refuse(response, allowed.status, allowed.message);
    return true;
  }
  const service = parsed.service === 'git-receive-pack' && parsed.rest !== '/info/refs' ? 'push' : 'fetch';
  if (service === 'push') await engine.track(receive(state, engine, request, response, project, identity, parsed));
  else
    await serveGit(request, response, {
      ...place(state, project, parsed),
      env: gitEnvironment(state),
      user: username(identity),
    });
  response.end();
  return true;
}

interface Decision {
  readonly allowed: { readonly status: number; readonly message: string };
  readonly project?: Project;
  readonly identity?: Identity;
}

function authorize(state: State, parsed: GitRequest, header: string | undefined): Decision {
  const no = (status: number, message: string): Decision => ({ allowed: { status, message } });
  const credentials = basicCredentials(header);
  const identity: Identity = credentials ? identify(state, credentials.password) : { kind: 'anonymous' };
  const project = findProject(state, parsed.repository);
  const push = parsed.service === 'git-receive-pack';
  if (identity.kind === 'refused') return no(401, denied);
  if (identity.kind === 'anonymous') {
    return project?.visibility === 'public' && !push
      ? { allowed: { status: 200, message: '' }, project, identity }
      : no(401, denied);
  }
  if (identity.kind === 'deploy') {
    if (push || !hasScope(identity, 'read_repository'))
      return no(403, 'You are not allowed to push code to this project.');
    if (
      !project ||
      (identity.token.project !== project &&
        !(identity.token.group && project.path.startsWith(`${identity.token.group.path}/`)))
    )
      return no(404, invisible);
    return { allowed: { status: 200, message: '' }, project, identity };
  }
  if (!project || !canSee(state, identity, project)) return no(404, invisible);
  if (identity.kind === 'job') {
    const may =
      !push ||
      (project.jobTokenPush && identity.project === project && accessLevel(state, identity.user, project) >= 30);
    if (!may) return no(403, 'You are not allowed to upload code.');
    if (project.visibility !== 'public' && !jobMayReach(state, identity, project)) return no(404, invisible);
    return { allowed: { status: 200, message: '' }, project, identity };
  }
  const scoped = push
    ? hasScope(identity, 'write_repository', 'api')
    : hasScope(identity, 'read_repository', 'write_repository', 'api');
  if (!scoped)
    return no(
      403,
      push
        ? 'You are not allowed to push code to this project.'
        : 'You are not allowed to download code from this project.',
    );
  if (push && accessLevel(state, identity.user, project) < 30)
    return no(403, 'You are not allowed to push code to this project.');
  return { allowed: { status: 200, message: '' }, project, identity };
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    ...(status === 401 ? { 'www-authenticate': 'Basic realm="GitLab"' } : {}),
  });
  response.end(message);
}

function username(identity: Identity): string {
  if (identity.kind === 'user' || identity.kind === 'job') return identity.user.username;
  return identity.kind === 'deploy' ? identity.token.username : '';
}

function place(state: State, project: Project, parsed: GitRequest) {
  return { root: join(state.folder, 'repositories'), name: `${project.id}.git`, rest: parsed.rest };
}

async function receive(
  state: State,
  engine: Engine,
  request: IncomingMessage,
  response: ServerResponse,
  project: Project,
  identity: Identity,
  parsed: GitRequest,
): Promise<void> {
  if (identity.kind !== 'user' && identity.kind !== 'job') return;
  const log = join(state.folder, `push-${state.next('push')}`);
  const names = new Set([
    ...(await branches(state, project)).map((branch) => branch.name),
    ...project.protectedBranches.map((each) => each.name),
  ]);
  const shielded = [...names].filter((name) => protection(project, name));
  const ref = (name: string) => `refs/heads/${name}`;
  try {
    await serveGit(request, response, {
      ...place(state, project, parsed),
      user: identity.user.username,
      env: {
        ...gitEnvironment(state),
        PUSH_LOG: log,
        DENY_PUSH: shielded
          .filter((name) => !mayChange(state, identity.user, project, name, 'push'))
          .map(ref)
          .join('\n'),
        DENY_FORCE: shielded
          .filter((name) => !protection(project, name)?.forcePush)
          .map(ref)
          .join('\n'),
      },
    });
    const lines = (await readFile(log, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
    const updates = lines.flatMap((line) => {
      const [before, after, name] = line.split(' ');
      return before && after && name && !line.startsWith('option ') ? [{ before, after, ref: name }] : [];
    });
    // The answer does not wait for pipelines, as on GitLab.
    if (updates.length > 0) {
      const options = lines.filter((line) => line.startsWith('option ')).map((line) => line.slice(7));
      engine.background(
        afterPush(state, engine, {
          project,
          user: identity.user,
          updates,
          options,
          pipelines: identity.kind === 'user',
        }),
      );
    }
  } finally {
    await rm(log, { force: true });
  }
}
