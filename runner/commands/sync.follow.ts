import type { ClusterSettings } from '../../src/config/config.ts';
import { Fault } from '../../src/fault.ts';
import { explainAccess } from '../../src/notify/agent-access.ts';
import { agentReceiverOf } from '../../src/notify/agent-receiver.ts';
import { longestInterval } from '../../src/notify/find-source.ts';
import { requestReconcile } from '../../src/notify/reconcile.ts';
import type { ObjectRef, ReconcileRequest } from '../../src/notify/request.ts';
import type { OwnTimeouts } from '../../src/sync/deadlines.ts';
import type { LineageOf } from '../../src/sync/lineage.ts';
import type { FollowCluster } from '../../src/sync/sync.ts';
import { touches } from '../../src/sync/touched.ts';
import type { Cluster } from '../../src/systems/cluster.ts';
import type { GitRepository } from '../../src/systems/git.ts';
import { followCluster } from '../../src/watch/follow.ts';
import { followStatuses } from '../../src/watch/statuses.ts';
import type { Followed } from '../../src/watch/verdict.ts';
import type { Context } from '../context.ts';

/** Notify and watch for one cluster, with the job's credentials. */
export function followIn(context: Context, repository: GitRepository, lineage: LineageOf): FollowCluster {
  return async function* follow(settings, followed, deadline, signal) {
    const cluster = await openCluster(context, settings);
    const asked = new Set<string>();
    const observations = followCluster({
      cluster,
      followed,
      clock: context.clock,
      signal,
      deadline,
      async contains(_, theirs, { app, environment }) {
        const relation = await lineage(theirs, app, environment);
        if (relation === 'unknown') throw new Fault('commit_missing', `commit ${theirs} is not to be had yet`);
        return relation !== 'unrelated';
      },
      async stillHolds(_, theirs, { app, environment }) {
        const relation = await lineage(theirs, app, environment);
        return relation === 'ours' || relation === 'same';
      },
      touches: ({ commit }, paths) => touches(repository, commit, paths),
      ask: (one, source) => {
        asked.add(`${source.namespace}/${source.name}`);
        return askFlux(context, cluster, settings, one, source, signal);
      },
    });
    for await (const observation of observations) {
      for (const source of observation.verdict?.objects ?? []) {
        const name = `${source.namespace}/${source.name}`;
        if (source.kind !== 'GitRepository' || source.state !== 'ready' || asked.has(name)) continue;
        asked.add(name);
        await tellAgentReceiver(context, cluster, source, signal);
      }
      yield observation;
    }
  };
}

/** A source that had the commit before it was asked: what GitLab's agent did of it, where that can be seen. */
async function tellAgentReceiver(context: Context, cluster: Cluster, source: ObjectRef, signal: AbortSignal) {
  try {
    const receiver = await agentReceiverOf(cluster, source, signal);
    if (receiver !== undefined)
      context.reporter.info(
        `GitRepository ${source.namespace}/${source.name} in ${cluster.name} had the commit without being asked: the agent’s own Receiver ${receiver} moves it`,
      );
  } catch (error) {
    if (!(error instanceof Fault) || signal.aborted) throw error;
  }
}

/** As `followIn`, without any cluster credential: by the statuses that Flux's own GitLab Provider posts. */
export function followStatusesIn(context: Context, project: string): FollowCluster {
  return async function* follow(settings, followed, deadline, signal) {
    yield* followStatuses({
      gitlab: await context.gitlab(),
      project,
      followed,
      clock: context.clock,
      signal,
      deadline,
      ask: (one, source) => askFlux(context, null, settings, one, source, signal),
    });
  };
}

/** Timeouts where none was given for the run: inside a job its limit ends all. */
export function ownTimeouts(context: Context): OwnTimeouts {
  return {
    limit: context.job.deadline === undefined ? Infinity : context.deadline,
    interval: async (settings, followed, signal) =>
      longestInterval(await openCluster(context, settings), followed, signal),
  };
}

/**
 * The cluster by its kubeconfig context. Fault `context_missing` says which agents this job may use, where GitLab tells
 * it (`/job/allowed_agents` answers only to the job's own token), and which `ci_access` entry is missing.
 */
export async function openCluster(context: Context, settings: ClusterSettings): Promise<Cluster> {
  try {
    return await context.cluster(settings.name, settings.context);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'context_missing') throw error;
    const agents = await allowedAgents(context);
    const hint = explainAccess(settings.context, context.job) ?? error.hint;
    context.reporter.warn(`cluster ${settings.name} cannot be reached. ${hint}`);
    throw new Fault(error.code, agents === null ? error.message : `${error.message}; ${agents}`, { hint });
  }
}

async function allowedAgents(context: Context): Promise<string | null> {
  try {
    const agents = (await (await context.gitlabJob())?.within(context.signal).allowedAgents()) ?? null;
    if (agents === null) return null;
    if (agents.length === 0) return 'this job may use no agent';
    const names = agents.map(({ id, name, configProject }) => `${configProject}:${name ?? `agent ${id}`}`);
    return `this job may use ${names.join(', ')}`;
  } catch (error) {
    // An explanation that cannot be had must not hide the fault itself.
    if (error instanceof Fault) return null;
    throw error;
  }
}

/** Asks Flux by the ways of sluice.yaml and says how. Faults as `requestReconcile`. */
export async function askFlux(
  context: Context,
  cluster: Cluster | null,
  settings: ClusterSettings,
  followed: Pick<Followed, 'app' | 'environment' | 'wanted'>,
  source: ObjectRef,
  signal: AbortSignal,
): Promise<ReconcileRequest> {
  const name = `${source.kind} ${source.namespace}/${source.name} in ${settings.name}`;
  try {
    const request = await requestReconcile({
      cluster,
      http: context.http,
      settings: trustedWays(context, settings),
      followed,
      source,
      secretOf: (variable) => context.secret(variable),
      idToken: context.secret('SLUICE_ID_TOKEN'),
      clock: context.clock,
      signal,
    });
    context.reporter.info(`asked ${name} to reconcile by ${request.way}`);
    for (const { way, reason } of request.tried ?? []) context.reporter.info(`  not by ${way}: ${reason}`);
    return request;
  } catch (error) {
    if (error instanceof Fault && !signal.aborted)
      context.reporter.warn(`${name} could not be asked: ${error.message}`);
    throw error;
  }
}

/** On an unprotected ref anybody who can push could point a Receiver's address, and its token, to a place of theirs. */
function trustedWays(context: Context, settings: ClusterSettings): ClusterSettings {
  if (context.job.protectedRef !== false) return settings;
  return { ...settings, notify: settings.notify.filter((way) => way === 'annotate' || way === 'none') };
}
