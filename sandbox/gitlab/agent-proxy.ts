import { request as httpRequest } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { identifyJob } from './access.ts';
import { accessOf } from './agents.ts';
import type { AccessEntry } from './agents.ts';
import { ancestors } from './lookup.ts';
import type { Agent, Row, State } from './state.ts';

/** The Kubernetes API proxy of the agent server (gitlab-agent: internal/module/kubernetes_api/server/proxy.go). */

const prefix = '/-/kubernetes-agent/k8s-proxy';
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const removed = new Set(['authorization', 'cookie', 'gitlab-agent-id', 'x-csrf-token', 'host', ...hopByHop]);

/** Answers requests for the proxy; false where the URL is another. */
export async function answerProxy(state: State, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const url = request.url ?? '';
  if (!url.startsWith(prefix)) return false;
  const path = url.slice(prefix.length);
  if (!path.startsWith('/')) return fail(response, 400, 'Bad request: URL does not start with expected prefix');
  const bearer = /^Bearer ([^\s]+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (!bearer) return fail(response, 401, 'Unauthorized: Authorization header: expecting token');
  const [kind, id, ...rest] = bearer.split(':');
  if (kind !== 'ci' || !/^\d+$/.test(id ?? '') || rest.length === 0)
    return fail(response, 401, 'Unauthorized: Authorization header: invalid value');
  const identity = identifyJob(state, rest.join(':'));
  if (identity.kind !== 'job') return fail(response, 401, 'Unauthorized: CI job token');
  const agent = state.agents.find((each) => each.id === Number(id));
  const entry = agent ? await accessOf(state, agent, identity.row) : null;
  if (!agent || !entry) return fail(response, 403, 'Forbidden: agentId is not allowed');
  const mode = entry.access_as && !('agent' in entry.access_as) ? entry.access_as : null;
  if (mode && Object.keys(request.headers).some((name) => name.startsWith('impersonate-'))) {
    return fail(response, 400, 'Bad request: impersonation is not allowed with this access mode');
  }
  if (state.faults.agentsOffline)
    return fail(response, 502, 'Proxy failed to make outbound request: agent is not connected');
  const headers = impersonation(state, agent, entry, identity.row, forwarded(request, agent));
  await forward(state, agent, path, headers, request, response);
  return true;
}

/** A Kubernetes Status, as the agent server answers in its own name. */
function fail(response: ServerResponse, code: number, message: string): true {
  const reasons: Readonly<Record<number, string>> = {
    400: 'BadRequest',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
    500: 'InternalError',
  };
  const body = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `GitLab Agent Server: ${message}`,
    ...(reasons[code] ? { reason: reasons[code] } : {}),
    code,
  };
  response.writeHead(code, {
    'content-type': 'application/json',
    via: '1.1 gitlab-kas/simulated',
    ...(code === 401 ? { 'gitlab-unauthorized': 'true' } : {}),
  });
  response.end(JSON.stringify(body));
  return true;
}

function forwarded(request: IncomingMessage, agent: Agent): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(request.headers))
    if (!removed.has(name) && value !== undefined) headers[name] = value;
  headers['via'] = [request.headers['via'], '1.1 gitlab-kas/simulated'].filter((each) => each !== undefined).join(', ');
  if (agent.cluster.token) headers['authorization'] = `Bearer ${agent.cluster.token}`;
  return headers;
}

/** Who the cluster sees: the agent, the job (`ci_job`), or a fixed name. */
function impersonation(
  state: State,
  agent: Agent,
  entry: AccessEntry,
  row: Row,
  headers: OutgoingHttpHeaders,
): OutgoingHttpHeaders {
  const access = entry.access_as;
  if (!access || 'agent' in access) return headers;
  if (access.impersonate) {
    return {
      ...headers,
      ...(access.impersonate.username ? { 'impersonate-user': access.impersonate.username } : {}),
      ...(access.impersonate.uid ? { 'impersonate-uid': access.impersonate.uid } : {}),
      ...(access.impersonate.groups ? { 'impersonate-group': [...access.impersonate.groups] } : {}),
    };
  }
  const { project } = row.pipeline;
  const environment = project.environments.find((each) => each.name === row.job?.environment);
  const above = ancestors(state, project.path);
  const groups = [
    'gitlab:ci_job',
    ...above.map((group) => `gitlab:group:${group.id}`),
    ...(environment ? above.map((group) => `gitlab:group_env_tier:${group.id}:${environment.tier}`) : []),
    `gitlab:project:${project.id}`,
    ...(environment
      ? [
          `gitlab:project_env:${project.id}:${environment.slug}`,
          `gitlab:project_env_tier:${project.id}:${environment.tier}`,
        ]
      : []),
  ];
  const extra = (name: string) => `impersonate-extra-${encodeURIComponent(`agent.gitlab.com/${name}`)}`.toLowerCase();
  return {
    ...headers,
    'impersonate-user': `gitlab:ci_job:${row.id}`,
    'impersonate-group': groups,
    [extra('id')]: String(agent.id),
    [extra('config_project_id')]: String(agent.configProject.id),
    [extra('project_id')]: String(project.id),
    [extra('ci_pipeline_id')]: String(row.pipeline.id),
    [extra('ci_job_id')]: String(row.id),
    [extra('username')]: row.user.username,
    ...(environment
      ? { [extra('environment_slug')]: environment.slug, [extra('environment_tier')]: environment.tier }
      : {}),
  };
}

async function forward(
  state: State,
  agent: Agent,
  path: string,
  headers: OutgoingHttpHeaders,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const target = new URL(agent.cluster.url);
  const secure = target.protocol === 'https:';
  const send = secure ? httpsRequest : httpRequest;
  await new Promise<void>((resolve) => {
    const outbound = send(
      {
        hostname: target.hostname,
        port: target.port,
        path: `${target.pathname.replace(/\/$/, '')}${path}`,
        method: request.method,
        headers: { ...headers, host: target.host },
        ...(secure && agent.cluster.ca ? { ca: agent.cluster.ca } : {}),
      },
      (answer) => {
        const back: OutgoingHttpHeaders = {};
        for (const [name, value] of Object.entries(answer.headers))
          if (!hopByHop.has(name) && value !== undefined) back[name] = value;
        back['via'] = '1.1 gitlab-kas/simulated';
        response.writeHead(answer.statusCode ?? 502, back);
        response.flushHeaders();
        answer.pipe(response);
        const cut = state.faults.cutWatchesMs;
        if (cut && /[?&]watch=(true|1)/.test(path)) setTimeout(() => response.destroy(), cut).unref();
        answer.on('close', () => resolve());
      },
    );
    outbound.on('error', () => {
      if (response.headersSent) response.destroy();
      else fail(response, 502, 'Proxy failed to make outbound request');
      resolve();
    });
    response.on('close', () => {
      outbound.destroy();
      resolve();
    });
    request.pipe(outbound);
  });
}
