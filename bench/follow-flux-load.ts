import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { followProgram, memoryOf } from './follow.ts';
import { raiseFlux } from './follow-flux-stage.ts';
import type { FluxStage } from './follow-flux-stage.ts';
import type { Row } from './measure.ts';

const seconds = 60;
const former = `sha256:${'b'.repeat(64)}`;

/** Requests to the real API server in a minute of following, and memory, with 1 and with 200 apps in one namespace. */
export async function benchFluxLoad(): Promise<readonly Row[]> {
  await using program = await followProgram();
  await using stage = await raiseFlux();
  const token = randomBytes(16).toString('hex');
  stage.stack.addToken(token, { user: 'gitlab:ci_job:2', groups: ['gitlab:ci_job', 'gitlab:project_env:42:staging'] });
  // Else 200 sources would be pulled, which is not what is measured.
  for (const name of ['source-controller', 'kustomize-controller']) stage.stack.freeze(name, true);
  try {
    await putApps(stage, 0, 1);
    const one = await following(stage, program.path, token, 1);
    await putApps(stage, 1, 200);
    const many = await following(stage, program.path, token, 200);
    return [
      {
        name: 'real API server: requests of a minute, following 200 apps of a namespace beside 1',
        value: many.requests,
        floor: one.requests,
        unit: 'requests',
        goal: 'ratio 1',
      },
      {
        name: 'memory of the process that follows 200 apps beside 1',
        value: many.rss / 1e6,
        floor: one.rss / 1e6,
        unit: 'MB',
        goal: 'value ≤ 150 MB',
      },
    ];
  } finally {
    for (const name of ['source-controller', 'kustomize-controller']) stage.stack.freeze(name, false);
  }
}

/** Sources and Kustomizations that stand at a former digest. */
async function putApps({ stack, scene }: FluxStage, from: number, to: number): Promise<void> {
  const time = '2026-11-22T10:00:00Z';
  const ready = { type: 'Ready', status: 'True', reason: 'Succeeded', message: '', lastTransitionTime: time };
  const revision = `staging@${former}`;
  for (let index = from; index < to; index += 1) {
    const name = `app${index}`;
    const url = `oci://registry.example.com/shop/delivery/${name}`;
    await scene.put('OCIRepository', name, { url, ref: { tag: 'staging' }, interval: '10m' });
    await scene.put('Kustomization', name, scene.kustomizationSpec(name));
    const artifact = { revision, digest: former, path: name, url: `http://127.0.0.1/${name}`, lastUpdateTime: time };
    const status = { observedGeneration: 1, conditions: [ready] };
    await stack.kube.merge(
      `${await stack.kube.path('source.toolkit.fluxcd.io/v1', 'OCIRepository', 'flux-system', name)}/status`,
      {
        status: { ...status, artifact },
      },
    );
    await stack.kube.merge(
      `${await stack.kube.path('kustomize.toolkit.fluxcd.io/v1', 'Kustomization', 'flux-system', name)}/status`,
      {
        status: { ...status, lastAttemptedRevision: revision, lastAppliedRevision: revision },
      },
    );
  }
}

/** Requests and highest memory of a process that follows so many apps for a minute. */
async function following({ stack }: FluxStage, program: string, token: string, number: number) {
  const agent = new Agent({ keepAlive: true, ca: stack.ca });
  let requests = 0;
  const front = createServer((incoming, answer) => {
    requests += 1;
    const { method, url, headers } = incoming;
    const outgoing = request(`${stack.url}${url}`, { method, agent, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers);
      from.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    answer.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const server = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
  const kubeconfig = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'other',
    clusters: [{ name: 'lab', cluster: { server } }],
    users: [{ name: 'job', user: { token } }],
    contexts: [{ name: 'other', context: { cluster: 'lab', user: 'job' } }],
  });
  try {
    const rss = await memoryOf([program, String(number), String(seconds)], kubeconfig);
    return { requests, rss };
  } finally {
    front.closeAllConnections();
    front.close();
    agent.destroy();
  }
}
