import type { AppChange } from '../../src/app/change.ts';
import type { DeliveredTarget, Delivery } from '../../src/delivery/commit.ts';
import { followedExit, type FollowedStatus } from '../../src/delivery/follow.ts';
import { formatTarget } from '../../src/delivery/message.ts';
import type { TriggeredPipeline } from '../../src/delivery/trigger.ts';
import { worstExit } from '../../src/fault.ts';
import type { CommandResult } from '../command.ts';

/** What `update` did, in all ways. */
export interface Updated {
  readonly changes: readonly AppChange[];
  readonly deliveries: readonly Delivery[];
  /** The pipeline's commit is one of sluice's own. */
  readonly skipped: boolean;
  readonly dryRun: boolean;
  /** What was not delivered while the rest was: on hold, or its merge request refused. */
  readonly refused?: readonly { readonly code: string; readonly message: string }[];
  /** The delivery project's pipeline, with --mode trigger. */
  readonly triggered?: TriggeredPipeline;
  /** How the delivery side ended, with --wait. */
  readonly followed?: readonly FollowedStatus[];
}

/** The outcome that stands for several, most telling first. */
const ORDER = ['planned', 'pushed', 'merge-request', 'unchanged', 'superseded'] as const;

/** Record, text and exit code of `update`. */
export function updateResult(updated: Updated): CommandResult {
  const { changes, deliveries, dryRun, triggered } = updated;
  const outcome = outcomeOf(updated);
  const names = [...new Set(changes.map((change) => change.app))];
  const first = deliveries.find((each) => each.outcome === outcome) ?? deliveries[0];
  const left = deliveries.flatMap((each) => each.skipped);
  const refused = updated.refused ?? [];
  const held = left.some((pair) => pair.reason === 'held') || refused.length > 0;
  const manifest = {
    targets: deliveries.flatMap((each) => each.manifest.targets),
    files: deliveries.flatMap((each) => each.manifest.files),
    notTaken: deliveries.flatMap((each) => each.manifest.notTaken),
  };
  const diff = deliveries.map((each) => each.diff).join('');
  const commit = first?.commit ?? null;
  return {
    record: {
      outcome,
      app: names.length === 1 ? names[0]! : null,
      apps: names,
      environments: [...new Set(changes.flatMap((change) => change.environments))],
      mode: modeOf(updated),
      delivery: commit,
      deliveries: deliveries.map(({ outcome: way, apps, environments, commit: made, skipped, attempts, request }) => ({
        outcome: way,
        apps,
        environments,
        commit: made,
        skipped,
        attempts,
        ...(request ? { mergeRequest: request.open, carried: request.carried } : {}),
      })),
      manifest,
      ...(refused.length > 0 ? { refused } : {}),
      ...(triggered ? { triggered } : {}),
      ...(dryRun ? { diff } : {}),
      ...(updated.followed ? { followed: updated.followed } : {}),
    },
    text: dryRun ? `${deliveries.flatMap(carriedLines).join('')}${diff}` : textOf(updated, outcome),
    exit: worstExit([held ? 3 : 0, followedExit(updated.followed ?? [])]),
    dotenv: {
      SLUICE_OUTCOME: outcome,
      ...(commit === null ? {} : { SLUICE_DELIVERY_PROJECT: commit.project, SLUICE_DELIVERY_COMMIT: commit.sha }),
      ...(commit?.mergeRequest ? { SLUICE_DELIVERY_MERGE_REQUEST: commit.mergeRequest.url } : {}),
    },
    summary: summaryOf(updated, outcome),
  };
}

function outcomeOf({ skipped, triggered, deliveries, dryRun }: Updated): string {
  if (skipped) return 'skipped';
  if (triggered) return 'triggered';
  if (deliveries.length === 0 && dryRun) return 'planned';
  return ORDER.find((name) => deliveries.some((each) => each.outcome === name)) ?? 'unchanged';
}

function modeOf({ triggered, deliveries }: Updated): string | null {
  if (triggered) return 'trigger';
  return [...new Set(deliveries.map((each) => (each.request ? 'merge-request' : 'push')))].join(',') || null;
}

function textOf(updated: Updated, outcome: string): string {
  if (updated.skipped) return 'skipped: the commit of this pipeline was made by sluice\n';
  const { triggered } = updated;
  if (triggered) return `triggered: pipeline ${triggered.id} of ${triggered.project}, ${triggered.url}\n`;
  const lines = updated.deliveries.flatMap((each) => [
    headline(each),
    ...each.manifest.targets.map((target) => `  ${formatTarget(target)}${carriedMark(target)}`),
    ...each.skipped.map((pair) => `  ${pair.environment}/${pair.app} ${pair.reason}: ${pair.message}`),
  ]);
  for (const { code, message } of updated.refused ?? [])
    lines.push(`${code === 'held' ? 'held' : 'refused'}: ${message}`);
  for (const { app, environment, state, description } of updated.followed ?? []) {
    lines.push(`${environment}/${app}: ${state ?? 'no status'}, ${description}`);
  }
  return `${lines.length === 0 ? outcome : lines.join('\n')}\n`;
}

function carriedMark({ carried }: DeliveredTarget): string {
  return carried ? ' (carried)' : '';
}

/** Before a diff, where readers of diffs take no notice of it: what of it earlier updates brought. */
function carriedLines({ request, manifest }: Delivery): readonly string[] {
  return manifest.targets.flatMap((target) =>
    target.carried ? [`# carried by ${request?.open?.url}: ${formatTarget(target)}\n`] : [],
  );
}

function headline(delivery: Delivery): string {
  const what = `${delivery.apps.join(', ')} → ${delivery.environments.join(', ')}`;
  const commit = delivery.commit;
  if (commit === null) return `${delivery.outcome}: ${what}`;
  const where = commit.mergeRequest?.url ?? `${commit.project}@${commit.sha.slice(0, 12)} (${commit.branch})`;
  return `${delivery.outcome}: ${what}, ${where}`;
}

function summaryOf(updated: Updated, outcome: string): string {
  const rows = updated.deliveries.flatMap((each) => each.manifest.targets);
  const table = rows.map(
    (row) => `| ${row.file} | ${cell(row.path)}${carriedMark(row)} | ${cell(row.before)} | ${cell(row.after)} |`,
  );
  const head = `### sluice update: ${outcome}\n\n${updated.deliveries.map((each) => `- ${headline(each)}`).join('\n')}\n`;
  return rows.length === 0 ? head : `${head}\n| file | where | old | new |\n|---|---|---|---|\n${table.join('\n')}\n`;
}

function cell(text: string): string {
  return `\`${text.replaceAll('|', '\\|').replaceAll('`', "'").replaceAll(/\s+/g, ' ')}\``;
}
