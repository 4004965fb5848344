import type { ClusterSettings } from '../config/config.ts';
import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';
import type { Clock } from '../systems/clock.ts';
import type { Cluster, KubernetesObject } from '../systems/cluster.ts';
import type { Http } from '../systems/http.ts';
import { agentReceiverOf } from './agent-receiver.ts';
import { annotate, readObject, REQUESTED_AT, requestToken } from './annotate.ts';
import { refusalOf, serviceProxyPath, webhookCall, type WebhookBody } from './receiver.ts';
import type { NotifyWay, ObjectRef, ReconcileRequest } from './request.ts';

/** What is delivered, as the webhook's body tells it. `Followed` of the watch station fits. */
interface Delivered {
  readonly app: string;
  readonly environment: string;
  readonly wanted: string;
}

/** What asking needs. Addresses and names of Receivers come from sluice.yaml on a protected ref: the caller sees to that. */
export interface ReconcileOptions {
  /** Null where there is no cluster credential: only direct Receivers work then. */
  readonly cluster: Cluster | null;
  readonly http: Http;
  readonly settings: ClusterSettings;
  readonly followed: Delivered;
  readonly source: ObjectRef;
  /** The value of a variable that holds a Receiver's token. */
  readonly secretOf: (variable: string) => Secret | undefined;
  /** GitLab's ID token (SLUICE_ID_TOKEN). */
  readonly idToken: Secret | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** How long, and how often, a source is looked at after a Receiver said 200. */
const MOVE_MS = { limit: 3_000, step: 250 } as const;

/**
 * Asks Flux to reconcile a source: the ways of the settings in order, the next where one does not work. A Receiver's 200
 * says nothing about what it matched, so the source must be seen to move where it can be read. Rejects with Fault
 * `cluster_unavailable` or `token_refused` when no way worked and the last one failed so, `token_missing` where a
 * credential is not set, else answers way `none` with what was tried.
 */
export async function requestReconcile(options: ReconcileOptions): Promise<ReconcileRequest> {
  const { clock, settings } = options;
  const token = requestToken(clock);
  const tried: { way: NotifyWay; reason: string }[] = [];
  let last: Fault | undefined;
  const answer = (way: NotifyWay): ReconcileRequest => ({
    cluster: settings.name,
    source: options.source,
    token,
    way,
    at: new Date(clock.now()).toISOString(),
    ...(tried.length > 0 ? { tried } : {}),
  });
  const agents = settings.notify[0] === 'none' ? undefined : await besides(options);
  if (agents !== undefined) tried.push({ way: 'receiver', reason: agents });
  for (const way of settings.notify) {
    if (way === 'none') return answer('none');
    options.signal.throwIfAborted();
    try {
      const reason = way === 'annotate' ? await byAnnotation(options, token) : await byReceiver(options, way);
      if (reason === undefined) return answer(way);
      tried.push({ way, reason });
      last = undefined;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      tried.push({ way, reason: error.message });
      last = error;
    }
  }
  if (last) throw last;
  return answer('none');
}

/** What the agent's own Receiver did for a GitRepository, in words; undefined where there is none or it may not be seen. */
async function besides({ cluster, source, signal }: ReconcileOptions): Promise<string | undefined> {
  try {
    const name = cluster ? await agentReceiverOf(cluster, source, signal) : undefined;
    return name === undefined ? undefined : `the agent’s own Receiver ${name} has not moved it to this commit yet`;
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

async function byAnnotation({ cluster, source, signal }: ReconcileOptions, token: string): Promise<string | undefined> {
  if (!cluster) return 'there is no cluster credential';
  const answer = await annotate(cluster, source, token, signal);
  if (answer === 'done') return undefined;
  const what = `${source.kind} ${source.namespace}/${source.name}`;
  return answer === 'missing' ? `${what} is not there` : `no right to patch ${what}`;
}

async function byReceiver(options: ReconcileOptions, way: 'receiver' | 'oidc'): Promise<string | undefined> {
  const { cluster, source, signal, settings, followed } = options;
  const receiver = settings.receiver;
  if (!receiver) return 'sluice.yaml names no receiver for this cluster';
  if ((receiver.type === 'generic-oidc') !== (way === 'oidc'))
    return `the receiver is of type ${receiver.type}, which is not for the way "${way}"`;
  if (way === 'oidc' && receiver.url === null)
    return 'a generic-oidc Receiver needs `url`: the API server removes the Authorization header on its service proxy';
  const credential =
    way === 'oidc' ? options.idToken : receiver.secretEnv === null ? undefined : options.secretOf(receiver.secretEnv);
  if (!credential) {
    const variable = way === 'oidc' ? 'SLUICE_ID_TOKEN' : (receiver.secretEnv ?? 'secret_env');
    throw new Fault(
      'token_missing',
      `cluster "${settings.name}": ${variable} is not set, which the way "${way}" needs`,
    );
  }
  const body: WebhookBody = {
    ...source,
    app: followed.app,
    environment: followed.environment,
    revision: followed.wanted,
  };
  const call = webhookCall(receiver, credential.reveal(), body);
  const before = cluster ? await readObject(cluster, source, signal) : 'forbidden';
  let status: number;
  if (receiver.url !== null) {
    const address = `${receiver.url.replace(/\/+$/, '')}${call.path}`;
    try {
      status = (
        await options.http.request(address, { method: call.method, headers: call.headers, body: call.body, signal })
      ).status;
    } catch (error) {
      signal.throwIfAborted();
      return `${new URL(receiver.url).host} does not answer: ${error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : 'no reason given'}`;
    }
  } else {
    if (!cluster) return 'there is no cluster credential for the service proxy; set the receiver’s `url`';
    status = await cluster.post(serviceProxyPath(receiver.namespace, call.path), call.headers, call.body, signal);
  }
  const refusal = refusalOf(status);
  if (refusal !== undefined) return `Receiver ${receiver.namespace}/${receiver.name}: ${refusal}`;
  if (!cluster || typeof before === 'string') return undefined;
  return (await hasMoved(options, cluster, before))
    ? undefined
    : `Receiver ${receiver.namespace}/${receiver.name} said yes, but ${source.kind} ${source.namespace}/${source.name} did not move: its resources or filters do not match it`;
}

/** Flux annotates before it answers; only a cache in between can be late. */
async function hasMoved(
  { source, clock, signal }: ReconcileOptions,
  cluster: Cluster,
  before: KubernetesObject,
): Promise<boolean> {
  const until = clock.now() + MOVE_MS.limit;
  for (;;) {
    const now = await readObject(cluster, source, signal);
    if (typeof now === 'string' || trace(now) !== trace(before)) return true;
    if (clock.now() >= until) return false;
    await clock.sleep(MOVE_MS.step, signal);
  }
}

function trace(object: KubernetesObject): string {
  const status = object.status ?? {};
  return JSON.stringify([
    object.metadata.annotations?.[REQUESTED_AT],
    status['lastHandledReconcileAt'],
    status['artifact'],
  ]);
}
