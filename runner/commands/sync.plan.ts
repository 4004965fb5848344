import { beginCells } from '../../src/sync/begin.ts';
import { verifyClaims } from '../../src/sync/claims.ts';
import type { LineageOf } from '../../src/sync/lineage.ts';
import type { DeliveryStatusPlace } from '../../src/sync/line.ts';
import { linesOf } from '../../src/sync/line.ts';
import type { DeliveryPlace, SyncTarget } from '../../src/sync/target.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { alignedTable } from '../output/table.ts';

/** A plan does not wait longer for an absent GitLab. */
const patienceMs = 20_000;

/** `sync --dry-run`: which statuses, requests and objects there would be. Reads GitLab, writes nothing. */
export async function planSync(
  context: Context,
  targets: readonly SyncTarget[],
  delivery: DeliveryPlace & DeliveryStatusPlace,
  lineage: LineageOf,
): Promise<CommandResult> {
  const { clock, signal } = context;
  const patience = { clock, signal, deadline: Math.min(context.deadline, clock.now() + patienceMs) };
  const claims = await verifyClaims(targets, (app) => context.gitlabFor(app), patience);
  const lines = linesOf(targets, delivery, claims.of);
  const starts = await beginCells(targets, delivery, lineage);
  const statuses = lines.map(({ project, sha, pipelineId, name }) => ({ project, sha, pipelineId, name }));
  const follow = starts.map(({ cell, followed, target }) => ({
    environment: cell.environment,
    app: cell.app,
    artifact: cell.artifact,
    cluster: cell.cluster,
    notify: target.pair.environment.clusters.find(({ name }) => name === cell.cluster)?.notify ?? [],
    followed,
    outcome: cell.outcome?.outcome ?? null,
  }));
  const rows = [
    ...follow.map((one) => [
      one.followed === null ? `not followed (${one.outcome})` : `follow, asked by ${one.notify.join(', ')}`,
      `${one.environment}/${one.app} in ${one.cluster}`,
      one.followed === null ? '' : `${one.followed.urls[0]} ${one.followed.wanted}`,
    ]),
    ...statuses.map((one) => ['status', one.name, `${one.project}@${one.sha.slice(0, 12)}`]),
  ];
  return {
    record: {
      outcome: 'planned',
      environments: [...new Set(targets.map((target) => target.pair.environment.name))],
      project: delivery.project,
      commit: delivery.commit,
      follow,
      statuses,
      claimsRefused: claims.refused,
    },
    text: rows.length === 0 ? 'Nothing to follow.' : alignedTable(rows),
    exit: 0,
  };
}
