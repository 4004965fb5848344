import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../src/systems/clock.ts';
import { writeHooks } from '../git-http.ts';
import { answerProxy } from './agent-proxy.ts';
import { apiRoutes } from './api.ts';
import { createEngine } from './engine.ts';
import { answerGit } from './git-access.ts';
import type { GitLabEvent, GitLabOptions, GitLabServer } from './handle.ts';
import { pageRoutes } from './pages.ts';
import { keySet, registryAuthRoutes, service, verifyRegistryToken } from './registry-auth.ts';
import {
  addProject,
  commitFiles,
  createDeployToken,
  createPerson,
  createResourceToken,
  ensureGroup,
  forkProject,
  projectHandle,
  publishVersion,
  putVariable,
  readFolder,
} from './setup.ts';
import { initTemplate } from './repositories.ts';
import { getProject } from './lookup.ts';
import type { State } from './state.ts';
import { addUser, createSigner, newSecret } from './tokens.ts';
import { autoMergeOnEnd } from './merge-requests.ts';
import { KEEP_ALIVE_MS } from '../keep-alive.ts';

const wallClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}),
  random: () => Math.random(),
};

/** Starts a simulated GitLab on loopback, on a free port. */
export async function startGitLab(options: GitLabOptions): Promise<GitLabServer> {
  const state = createState(options);
  await mkdir(join(options.folder, 'repositories'), { recursive: true });
  await writeHooks(join(options.folder, 'hooks'));
  await initTemplate(state);
  const engine = createEngine(state);
  const api = { state, engine };
  autoMergeOnEnd(api);
  const app = new Hono();
  app.route('/api/v4', apiRoutes(api));
  registryAuthRoutes(app, state);
  pageRoutes(app, api);
  const listener = getRequestListener(app.fetch);
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    void (async () => {
      if (await answerGit(state, engine, request, response)) return;
      if (await answerProxy(state, request, response)) return;
      await listener(request, response);
    })().catch((error: unknown) => {
      state.log(
        `${request.method} ${request.url?.split('?')[0]}: ${error instanceof Error ? error.stack : String(error)}`,
      );
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end();
    });
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  state.url = `http://${state.host}`;
  const owner = addUser(state, { username: 'root', name: 'Administrator', admin: true });
  const createProject: GitLabServer['createProject'] = (path, fields) =>
    projectHandle(state, addProject(state, path, fields));
  const seed: GitLabServer['seed'] = async (path, files, message, seedOptions) => {
    const project = getProject(state, path);
    const encode = (content: string | Uint8Array) => ({
      content: typeof content === 'string' ? Buffer.from(content) : content,
    });
    const changes =
      typeof files === 'string'
        ? await readFolder(files)
        : new Map([...files].map(([name, content]) => [name, encode(content)]));
    return commitFiles(state, engine, owner, project, changes, message, seedOptions);
  };

  return {
    url: state.url,
    host: state.host,
    createGroup: (path) => {
      const { id } = ensureGroup(state, path);
      return { id, path };
    },
    createProject,
    seed,
    createToken: (path, fields) => createResourceToken(state, path, fields),
    createDeployToken: (path, fields) => createDeployToken(state, path, fields),
    createUser: (username, fields) => createPerson(state, username, fields),
    revokeToken(value) {
      for (const token of [...state.tokens, ...state.deployTokens]) if (token.value === value) token.revoked = true;
    },
    setVariable(path, fields) {
      const owning = state.projects.get(path.toLowerCase()) ?? state.groups.get(path.toLowerCase());
      if (!owning) throw new Error(`there is no project or group ${path}`);
      putVariable(owning.variables, fields);
    },
    protectBranch(path, branch, fields = {}) {
      const { protectedBranches } = getProject(state, path);
      const index = protectedBranches.findIndex((each) => each.name === branch);
      if (index >= 0) protectedBranches.splice(index, 1);
      protectedBranches.push({
        id: state.next('protected branch'),
        name: branch,
        push: fields.push ?? 40,
        merge: fields.merge ?? 40,
        users: fields.users ?? [],
        forcePush: false,
      });
    },
    createTriggerToken(path, description) {
      const token = newSecret('glptt-');
      getProject(state, path).triggers.push({ token, description, user: owner });
      return token;
    },
    registerAgent(fields) {
      const agent = {
        id: state.next('agent'),
        name: fields.name,
        configProject: getProject(state, fields.configProject),
        createdAt: state.time(),
        cluster: fields.cluster,
      };
      state.agents.push(agent);
      return { id: agent.id, context: `${agent.configProject.path}:${agent.name}` };
    },
    async publishComponent(path, folder, version) {
      if (!state.projects.has(path.toLowerCase())) createProject(path, { visibility: 'public' });
      const sha = await seed(path, folder, `Release ${version}`, { pipeline: false, tag: version });
      await publishVersion(state, getProject(state, path), version, owner);
      return sha;
    },
    publishVersion: (path, tag) => publishVersion(state, getProject(state, path), tag, owner),
    async forkProject(path, fork, username) {
      const person = [...state.users.values()].find((user) => user.username === username);
      if (!person) throw new Error(`there is no user ${username}`);
      return projectHandle(state, await forkProject(state, getProject(state, path), fork, person));
    },
    useRegistry(place) {
      state.registry = place;
    },
    registryAuth: {
      realm: `${state.url}/jwt/auth`,
      service,
      issuer: 'gitlab-issuer',
      verify: (token) => verifyRegistryToken(state, token),
      jwks: () => keySet(state),
    },
    configureProject(path, fields) {
      Object.assign(getProject(state, path), fields);
    },
    setFaults(faults) {
      state.faults = faults;
    },
    on(heard) {
      state.listeners.add(heard);
      return () => state.listeners.delete(heard);
    },
    async waitForPipelines({ timeoutMs = 300_000 } = {}) {
      const timer = new AbortController();
      const late = sleep(timeoutMs, undefined, { signal: timer.signal, ref: false }).then(() => {
        throw new Error(`pipelines still run after ${timeoutMs} ms`);
      });
      late.catch(() => undefined);
      await Promise.race([engine.idle(), late]).finally(() => timer.abort());
    },
    jobLog: (path, id) => {
      const row = state.rows.get(id);
      if (row?.pipeline.project !== getProject(state, path)) throw new Error(`${path} has no job ${id}`);
      return row.job?.log() ?? '';
    },
    rawLogs: () => [...state.rows.values()].map((row) => row.job?.raw() ?? '').join('\n'),
    async stop() {
      await engine.stop();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function createState(options: GitLabOptions): State {
  const clock = options.clock ?? wallClock;
  // Ids far apart from one another and from iids: mixing them up must show.
  const counters = new Map([
    ['pipeline', 1000],
    ['row', 5000],
    ['merge_request', 300],
    ['project', 10],
    ['user', 0],
  ]);
  const listeners = new Set<(event: GitLabEvent) => void>();
  return {
    folder: options.folder,
    clock,
    env: options.env,
    profile: options.profile ?? '18.6',
    idempotentStatuses: options.idempotentStatuses ?? false,
    latencyMs: options.latencyMs ?? 0,
    log: options.log ?? (() => undefined),
    url: '',
    host: '',
    registry: options.registry ?? null,
    registryRepositories: new Map(),
    faults: {},
    users: new Map(),
    tokens: [],
    deployTokens: [],
    groups: new Map(),
    projects: new Map(),
    agents: [],
    signer: createSigner(),
    rows: new Map(),
    pipelines: new Map(),
    listeners,
    next(kind) {
      const value = (counters.get(kind) ?? 0) + 1;
      counters.set(kind, value);
      return value;
    },
    time: () => new Date(clock.now()).toISOString(),
    emit(event) {
      const told = { at: clock.now(), ...event } as GitLabEvent;
      for (const listener of listeners) listener(told);
    },
  };
}
