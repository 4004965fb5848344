import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { addBot, addToken, addUser, dateIn, newSecret } from './tokens.ts';
import { afterPush } from './pushes.ts';
import type { Engine } from './engine.ts';
import type { AccessLevel, GitLabServer, ProjectHandle, VariableFields } from './handle.ts';
import { git, initRepository, moveRef, readRef, resolveCommit, writeCommit, zeros } from './repositories.ts';
import type { Changes } from './repositories.ts';
import { getProject } from './lookup.ts';
import type { Group, Project, State, User } from './state.ts';

/** What a person does on GitLab's pages before anything runs. */

/** Group of a path, with its parents. */
export function ensureGroup(state: State, path: string): Group {
  const found = state.groups.get(path.toLowerCase());
  if (found) return found;
  const parent = path.split('/').slice(0, -1).join('/');
  if (parent) ensureGroup(state, parent);
  const group: Group = { id: state.next('namespace'), path, members: new Map(), variables: [] };
  state.groups.set(path.toLowerCase(), group);
  return group;
}

/** Adds a project with an empty repository. */
export function addProject(
  state: State,
  path: string,
  fields: Parameters<GitLabServer['createProject']>[1] = {},
  forkedFrom?: Project,
): Project {
  if (!/^[\w.-]+(\/[\w.-]+)+$/.test(path)) throw new Error(`not a project path: ${path}`);
  if (state.projects.has(path.toLowerCase())) throw new Error(`the project ${path} exists already`);
  ensureGroup(state, path.split('/').slice(0, -1).join('/'));
  const id = state.next('project');
  const defaultBranch = fields.defaultBranch ?? 'main';
  const project: Project = {
    id,
    path,
    name: path.split('/').at(-1) ?? path,
    createdAt: state.time(),
    repository: join(state.folder, 'repositories', `${id}.git`),
    members: new Map(),
    variables: [],
    // GitLab protects the default branch from the start.
    protectedBranches: [
      { id: state.next('protected branch'), name: defaultBranch, push: 40, merge: 40, users: [], forcePush: false },
    ],
    pipelines: [],
    mergeRequests: [],
    environments: [],
    deployments: [],
    triggers: [],
    resourceModes: new Map(),
    freezePeriods: [],
    deployKeys: [],
    hooks: [],
    registryRules: [],
    cleanup: { enabled: false, cadence: '1d', keep_n: 10, older_than: '90d', name_regex: '.*', name_regex_keep: null },
    releases: [],
    forkedFrom: forkedFrom ?? null,
    mergedResults: false,
    catalog: false,
    description: fields.description ?? '',
    visibility: fields.visibility ?? 'private',
    defaultBranch,
    mergeMethod: fields.mergeMethod ?? 'merge',
    squash: 'default_off',
    jobTokenPush: false,
    onlyAllowMergeIfPipelineSucceeds: false,
    removeSourceBranch: true,
    jobTokenAllowlist: [],
  };
  state.projects.set(path.toLowerCase(), project);
  initRepository(state, project);
  return project;
}

/** A copy of a project with its branches and tags, without its variables and members. */
export async function forkProject(state: State, from: Project, path: string, owner: User): Promise<Project> {
  const { defaultBranch, visibility } = from;
  const fork = addProject(state, path, { defaultBranch, visibility }, from);
  fork.members.set(owner.id, 50);
  const refs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];
  await git(state, fork.repository, ['fetch', '-q', `file://${from.repository}`, ...refs]);
  return fork;
}

/** A project as callers see it. */
export function projectHandle(state: State, project: Project): ProjectHandle {
  return {
    id: project.id,
    path: project.path,
    httpUrl: `${state.url}/${project.path}.git`,
    webUrl: `${state.url}/${project.path}`,
  };
}

/** Files below a folder as changes; `.git` and `node_modules` are left out. */
export async function readFolder(folder: string): Promise<Changes> {
  const changes = new Map<string, { content: Uint8Array; executable: boolean }>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const full = join(entry.parentPath, entry.name);
    const path = full.slice(folder.replace(/\/$/, '').length + 1);
    if (!entry.isFile() || /(^|\/)(\.git|node_modules)(\/|$)/.test(path)) continue;
    changes.set(path, { content: await readFile(full), executable: ((await stat(full)).mode & 0o100) !== 0 });
  }
  return changes;
}

/** Commits files to a branch as the owner, and lets GitLab notice. */
export async function commitFiles(
  state: State,
  engine: Engine,
  owner: User,
  project: Project,
  changes: Changes,
  message: string,
  options: Parameters<GitLabServer['seed']>[3] = {},
): Promise<string> {
  const branch = options.branch ?? project.defaultBranch;
  const ref = `refs/heads/${branch}`;
  const before = await readRef(state, project, ref);
  const start = before ?? (await readRef(state, project, `refs/heads/${project.defaultBranch}`));
  const author = options.author ?? { name: owner.name, email: owner.email };
  const sha = await writeCommit(state, project, { parents: start ? [start] : [], changes, message, author });
  await moveRef(state, project, ref, sha, before ?? zeros);
  const updates = [{ ref, before: before ?? zeros, after: sha }];
  if (options.tag) {
    await moveRef(state, project, `refs/tags/${options.tag}`, sha, zeros);
    updates.push({ ref: `refs/tags/${options.tag}`, before: zeros, after: sha });
  }
  await engine.track(afterPush(state, engine, { project, user: owner, updates, pipelines: options.pipeline ?? true }));
  return sha;
}

/** Access token of a project or group, with its bot. */
export function createResourceToken(state: State, path: string, fields: Parameters<GitLabServer['createToken']>[1]) {
  const project = state.projects.get(path.toLowerCase());
  const group = state.groups.get(path.toLowerCase());
  const resource = project ?? group;
  if (!resource) throw new Error(`there is no project or group ${path}`);
  const level: AccessLevel = fields.accessLevel ?? 40;
  const kind = project ? 'project' : 'group';
  const user = addBot(state, resource, kind, fields.name, level);
  const token = addToken(state, {
    user,
    kind,
    resource: resource.path,
    name: fields.name,
    scopes: fields.scopes,
    accessLevel: level,
    expiresAt: fields.expiresAt ?? dateIn(state, 30),
  });
  return { id: token.id, token: token.value, username: user.username };
}

/** A person, member where said, with a personal access token. */
export function createPerson(state: State, username: string, fields: Parameters<GitLabServer['createUser']>[1] = {}) {
  const user = addUser(state, { username, name: fields.name ?? username, admin: fields.admin ?? false });
  for (const [path, level] of Object.entries(fields.memberships ?? {})) {
    const resource = state.projects.get(path.toLowerCase()) ?? ensureGroup(state, path);
    resource.members.set(user.id, level);
  }
  const token = addToken(state, {
    user,
    kind: 'personal',
    resource: null,
    name: 'personal',
    scopes: fields.scopes ?? ['api', 'write_repository', 'read_registry', 'write_registry'],
    accessLevel: 50,
  });
  return { id: token.id, token: token.value, username };
}

/** Deploy token of a project. */
export function createDeployToken(
  state: State,
  path: string,
  fields: Parameters<GitLabServer['createDeployToken']>[1],
) {
  const project = getProject(state, path);
  const id = state.next('deploy token');
  const username = fields.username ?? `gitlab+deploy-token-${id}`;
  const value = newSecret('gldt-');
  state.deployTokens.push({
    id,
    name: fields.name,
    username,
    value,
    scopes: fields.scopes,
    expiresAt: fields.expiresAt ?? null,
    project,
    group: null,
    revoked: false,
  });
  return { id, token: value, username };
}

/** Releases a tag, in a project that is in the CI/CD catalog from now on. */
export async function publishVersion(state: State, project: Project, tag: string, author: User): Promise<void> {
  const sha = await resolveCommit(state, project, `refs/tags/${tag}`);
  if (sha === null) throw new Error(`${project.path} has no tag ${tag}`);
  project.catalog = true;
  project.releases.push({ tag, sha, name: tag, description: '', createdAt: state.time(), author });
}

/** Sets a variable; same key and scope are replaced. */
export function putVariable(variables: VariableFields[], fields: VariableFields): void {
  const scope = (each: VariableFields) => each.environmentScope ?? '*';
  const index = variables.findIndex((each) => each.key === fields.key && scope(each) === scope(fields));
  if (index >= 0) variables.splice(index, 1, fields);
  else variables.push(fields);
}
