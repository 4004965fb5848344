import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { startWorld } from './gitlab-fixture.ts';
import type { World } from './gitlab-fixture.ts';

/** The agent server's proxy, with the credentials that jobs really get. */

interface Kubeconfig {
  readonly contexts: readonly {
    readonly name: string;
    readonly context: { readonly user: string; readonly namespace?: string };
  }[];
  readonly users: readonly { readonly name: string; readonly user: { readonly token: string } }[];
  readonly clusters: readonly { readonly cluster: { readonly server: string } }[];
}

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let world: World;
let cluster: Server;
let seen: { readonly url: string; readonly headers: IncomingHttpHeaders }[] = [];

const config = `
ci_access:
  projects:
    - id: shop/delivery
      default_namespace: flux-system
      environments: [staging, review/*]
  groups:
    - id: team
      access_as: { ci_job: {} }
      protected_branches_only: true
`;

/** Keeps its kubeconfig where the test can read it, and waits for the test. */
const ci = `
hold:
  environment: { name: $PLACE }
  script:
    - cp "$KUBECONFIG" "$HANDOVER.$CI_JOB_ID" || echo none > "$HANDOVER.$CI_JOB_ID"
    - while [ ! -e "$HANDOVER.done" ]; do sleep 0.05; done
`;

beforeAll(async () => {
  world = await startWorld();
  cluster = createServer((request, response) => {
    seen.push({ url: request.url ?? '', headers: request.headers });
    if (request.url?.includes('watch=true')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"type":"ADDED"}\n');
      setTimeout(() => response.end('{"type":"MODIFIED"}\n'), 30);
      return;
    }
    response.writeHead(request.url?.includes('denied') ? 403 : 200, { 'content-type': 'application/json' });
    response.end('{"kind":"List"}');
  });
  await new Promise<void>((resolve) => cluster.listen(0, '127.0.0.1', resolve));
  for (const path of ['shop/agents', 'shop/delivery', 'shop/other']) world.gitlab.createProject(path);
  await world.gitlab.seed('shop/agents', new Map([['.gitlab/agents/eu/config.yaml', config]]), 'agent');
  const url = `http://127.0.0.1:${(cluster.address() as AddressInfo).port}`;
  world.gitlab.registerAgent({ configProject: 'shop/agents', name: 'eu', cluster: { url, token: 'cluster-token' } });
});
afterAll(async () => {
  await world.close();
  cluster.close();
});

/** Starts a job in an environment, answers its kubeconfig (null: it has none) and what ends it. */
async function hold(
  path: string,
  place: string,
  yaml = ci,
): Promise<{ readonly kubeconfig: Kubeconfig | null; readonly job: number; readonly end: () => Promise<void> }> {
  const handover = `${world.folder}/${path.replace('/', '-')}-${place.replaceAll('/', '-')}`;
  world.gitlab.setVariable(path, { key: 'HANDOVER', value: handover });
  world.gitlab.setVariable(path, { key: 'PLACE', value: place });
  await world.gitlab.seed(
    path,
    new Map([
      ['.gitlab-ci.yml', yaml],
      ['place', place],
    ]),
    `in ${place}`,
  );
  for (;;) {
    const job = world.events.findLast(
      (event) => event.type === 'job' && event.project === path && event.status === 'running',
    );
    const text = job?.type === 'job' ? await readFile(`${handover}.${job.id}`, 'utf8').catch(() => '') : '';
    if (job?.type === 'job' && text.endsWith('\n')) {
      const end = async () => {
        const { writeFile } = await import('node:fs/promises');
        await writeFile(`${handover}.done`, '');
        await world.gitlab.waitForPipelines();
      };
      return { kubeconfig: text === 'none\n' ? null : (parse(text) as Kubeconfig), job: job.id, end };
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function ask(kubeconfig: Kubeconfig, path: string, headers: Readonly<Record<string, string>> = {}) {
  seen = [];
  const server = kubeconfig.clusters[0]?.cluster.server.replace(/\/$/, '');
  const token = kubeconfig.users[0]?.user.token;
  return fetch(`${server}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } });
}

test('a job of the environment gets a context, reaches the cluster as the agent, and loses it when it ends', async () => {
  const { kubeconfig, job, end } = await hold('shop/delivery', 'staging');
  if (!kubeconfig) throw new Error('no kubeconfig');
  expect(kubeconfig.contexts).toEqual([
    { name: 'shop/agents:eu', context: { cluster: 'gitlab', user: 'agent:1', namespace: 'flux-system' } },
  ]);
  const answer = await ask(kubeconfig, '/api/v1/pods?limit=1', { cookie: 'a=b', 'x-kept': 'yes' });
  expect([answer.status, await answer.json(), answer.headers.get('via')]).toEqual([
    200,
    { kind: 'List' },
    '1.1 gitlab-kas/simulated',
  ]);
  expect(seen[0]?.url).toBe('/api/v1/pods?limit=1');
  expect(seen[0]?.headers).toMatchObject({ authorization: 'Bearer cluster-token', 'x-kept': 'yes' });
  expect(seen[0]?.headers.cookie).toBeUndefined();
  expect((await ask(kubeconfig, '/denied')).status).toBe(403);
  const watch = await ask(kubeconfig, '/api/v1/pods?watch=true');
  expect(await watch.text()).toBe('{"type":"ADDED"}\n{"type":"MODIFIED"}\n');
  const token = kubeconfig.users[0]?.user.token.split(':').slice(2).join(':') ?? '';
  const allowed = await world.as(null)('GET', '/job/allowed_agents', undefined, { 'job-token': token });
  expect(allowed.body).toMatchObject({
    allowed_agents: [{ id: 1, config_project: { path: 'shop/agents' } }],
    job: { id: job },
    environment: { slug: 'staging', tier: 'staging' },
  });
  expect((await world.as(null)('GET', '/job', undefined, { 'job-token': token })).body).toMatchObject({
    id: job,
    status: 'running',
  });
  world.gitlab.setFaults({ agentsOffline: true });
  const offline = await ask(kubeconfig, '/version');
  expect([offline.status, ((await offline.json()) as { message: string }).message]).toEqual([
    502,
    expect.stringMatching(/^GitLab Agent Server: /),
  ]);
  world.gitlab.setFaults({});
  await end();
  const late = await ask(kubeconfig, '/version');
  expect([late.status, await late.json()]).toEqual([
    401,
    expect.objectContaining({ kind: 'Status', message: 'GitLab Agent Server: Unauthorized: CI job token', code: 401 }),
  ]);
  expect(late.headers.get('gitlab-unauthorized')).toBe('true');
});

test('wrong headers, ids and prefixes', async () => {
  const base = `${world.gitlab.url}/-/kubernetes-agent/k8s-proxy`;
  const message = async (path: string, authorization?: string) => {
    const answer = await fetch(`${base}${path}`, { headers: authorization ? { authorization } : {} });
    return [answer.status, ((await answer.json()) as { message: string }).message];
  };
  expect(await message('/version')).toEqual([
    401,
    'GitLab Agent Server: Unauthorized: Authorization header: expecting token',
  ]);
  expect(await message('/version', 'Bearer glpat-abc')).toEqual([
    401,
    'GitLab Agent Server: Unauthorized: Authorization header: invalid value',
  ]);
  expect(await message('/version', 'Bearer ci:1:nothing')).toEqual([
    401,
    'GitLab Agent Server: Unauthorized: CI job token',
  ]);
  expect((await message('x/version', 'Bearer ci:1:nothing'))[0]).toBe(400);
});

test('another environment and another project get no context and no way in', async () => {
  const inProduction = await hold('shop/delivery', 'production');
  expect(inProduction.kubeconfig).toBeNull();
  await inProduction.end();
  const elsewhere = await hold('shop/other', 'staging');
  expect(elsewhere.kubeconfig).toBeNull();
  await elsewhere.end();
});

test('ci_job: the cluster sees the job and its groups', async () => {
  await world.gitlab.seed(
    'shop/agents',
    new Map([['.gitlab/agents/eu/config.yaml', config.replace('- id: team', '- id: shop')]]),
    'share with the group',
  );
  const { kubeconfig, job, end } = await hold('shop/other', 'production');
  if (!kubeconfig) throw new Error('no kubeconfig');
  await ask(kubeconfig, '/version');
  expect(seen[0]?.headers['impersonate-user']).toBe(`gitlab:ci_job:${job}`);
  const groups = String(seen[0]?.headers['impersonate-group']).split(', ');
  expect(groups).toEqual(
    expect.arrayContaining([
      'gitlab:ci_job',
      expect.stringMatching(/^gitlab:group:\d+$/),
      expect.stringMatching(/^gitlab:project_env:\d+:production$/),
      expect.stringMatching(/^gitlab:project_env_tier:\d+:production$/),
    ]),
  );
  expect((await ask(kubeconfig, '/version', { 'impersonate-user': 'admin' })).status).toBe(400);
  await end();
});
