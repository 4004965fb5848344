import type { ClusterSettings } from '../../src/config/config.ts';
import { Fault } from '../../src/fault.ts';
import { requestReconcile } from '../../src/notify/reconcile.ts';
import type { ObjectRef, ReconcileRequest } from '../../src/notify/request.ts';
import type { LineageOf } from '../../src/sync/lineage.ts';
import type { FollowCluster } from '../../src/sync/sync.ts';
import type { Cluster } from '../../src/systems/cluster.ts';
import { followCluster } from '../../src/watch/follow.ts';
import type { Followed } from '../../src/watch/verdict.ts';
import type { Context } from '../context.ts';

/** Notify and watch for one cluster, with the job's credentials. */
export function followIn(context: Context, lineage: LineageOf): FollowCluster {
  return async function* follow(settings, followed, deadline, signal) {
    const cluster = await context.cluster(settings.name, settings.context);
    yield* followCluster({
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
      ask: (one, source) => askFlux(context, cluster, settings, one, source, signal),
    });
  };
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
