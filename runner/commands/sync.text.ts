import { shortCommit } from '../../src/revision.ts';
import type { PairResult, SyncResult } from '../../src/sync/result.ts';
import type { CommandResult } from '../command.ts';
import { alignedTable } from '../output/table.ts';

/** The final table: one row for each pair and cluster, then claims that were not followed. */
export function syncText(result: SyncResult): string {
  if (result.pairs.length === 0) return 'Nothing to follow: no content changed, and no application commit waits.';
  const rows = result.pairs.flatMap((pair) =>
    pair.clusters.map((one) => [
      `${pair.environment}/${pair.app}${one.artifact === pair.app ? '' : ` (${one.artifact})`}`,
      one.cluster,
      one.verdict,
      ...phases.map((phase) => secondsText(one.seconds[phase])),
      one.message,
    ]),
  );
  const refused = result.refused.map(
    (claim) => `not told: ${claim.project}@${shortCommit(claim.commit)} for ${claim.app}: ${claim.reason}`,
  );
  return [
    alignedTable([['APP', 'CLUSTER', 'VERDICT', ...phases.map((phase) => phase.toUpperCase()), 'MESSAGE'], ...rows]),
    ...refused,
  ].join('\n');
}

const phases = ['fetched', 'applied', 'healthy'] as const;

/** Seconds since the run began until a phase was reached. */
function secondsText(seconds: number | undefined): string {
  return seconds === undefined ? '-' : `${seconds.toFixed(1)} s`;
}

/** How long each phase took, for each pair and cluster. */
export function syncMetrics(result: SyncResult): NonNullable<CommandResult['metrics']> {
  return result.pairs.flatMap(({ environment, app, clusters }) =>
    clusters.flatMap(({ cluster, artifact, seconds }) =>
      phases.flatMap((phase) => {
        const value = seconds[phase];
        const labels = { environment, app, artifact, cluster, phase };
        return value === undefined ? [] : [{ name: 'sluice_phase_seconds', labels, value }];
      }),
    ),
  );
}

/** Test cases for GitLab's test report: one for each pair and cluster. */
export function syncCases(result: SyncResult): NonNullable<CommandResult['cases']> {
  return result.pairs.flatMap((pair) =>
    pair.clusters.map((one) => {
      const good = one.verdict === 'synced' || one.verdict === 'superseded';
      return {
        suite: `sync ${pair.environment}`,
        name: `${pair.app}${one.artifact === pair.app ? '' : ` (${one.artifact})`} in ${one.cluster}`,
        seconds: one.seconds.healthy ?? one.seconds.applied ?? one.seconds.fetched ?? 0,
        ...(good || one.verdict === 'held' ? {} : { failure: `${one.verdict}: ${one.message}` }),
        ...(one.verdict === 'held' ? { skipped: one.message } : {}),
      };
    }),
  );
}

/** Markdown for the job summary and merge request notes. */
export function syncSummary(result: SyncResult): string {
  if (result.pairs.length === 0) return 'Nothing to follow.\n';
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
  const rows = result.pairs.flatMap((pair) =>
    pair.clusters.map(
      (one) =>
        `| ${pair.environment} | ${pair.app} | ${one.cluster} | ${one.verdict} | ${phases.map((phase) => secondsText(one.seconds[phase])).join(' | ')} | ${cell(one.message)} |`,
    ),
  );
  return [
    `| environment | app | cluster | verdict | ${phases.join(' | ')} | message |`,
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** Variables for later jobs. */
export function syncVariables(result: SyncResult): Readonly<Record<string, string>> {
  const named = (pairs: readonly PairResult[]) => pairs.map((pair) => `${pair.environment}/${pair.app}`).join(' ');
  return {
    SLUICE_SYNC_OUTCOME: result.outcome,
    SLUICE_SYNC_SYNCED: named(result.pairs.filter((pair) => pair.verdict === 'synced')),
    SLUICE_SYNC_FAILED: named(result.pairs.filter((pair) => !['synced', 'superseded'].includes(pair.verdict))),
  };
}
