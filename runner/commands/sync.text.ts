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
      secondsText(one.seconds),
      one.message,
    ]),
  );
  const refused = result.refused.map(
    (claim) => `not told: ${claim.project}@${shortCommit(claim.commit)} for ${claim.app}: ${claim.reason}`,
  );
  return [alignedTable([['APP', 'CLUSTER', 'VERDICT', 'SECONDS', 'MESSAGE'], ...rows]), ...refused].join('\n');
}

/** `fetched 1.2, applied 3.4, healthy 8.0`: seconds since the run began. */
function secondsText(seconds: PairResult['seconds']): string {
  const last = seconds.healthy ?? seconds.applied ?? seconds.fetched;
  return last === undefined ? '-' : last.toFixed(1);
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
        `| ${pair.environment} | ${pair.app} | ${one.cluster} | ${one.verdict} | ${secondsText(one.seconds)} | ${cell(one.message)} |`,
    ),
  );
  return [
    '| environment | app | cluster | verdict | seconds | message |',
    '| --- | --- | --- | --- | --- | --- |',
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
