import type { ExitCode, FaultRecord } from '../fault.ts';
import { faultRecord, faults, worstExit } from '../fault.ts';
import type { OutcomeName } from '../status/outcome.ts';
import { worstOutcome } from '../status/outcome.ts';
import type { StatusState } from '../status/report.ts';
import type { ObjectState } from '../watch/verdict.ts';
import type { Announced } from './announce.ts';
import type { LineResult } from './board.ts';
import type { RefusedClaim } from './claims.ts';
import type { Cell } from './progress.ts';

/** Seconds since the run began at which a phase was reached everywhere. */
interface PhaseSeconds {
  readonly fetched?: number;
  readonly applied?: number;
  readonly healthy?: number;
}

interface ClusterResult {
  readonly cluster: string;
  readonly artifact: string;
  readonly verdict: OutcomeName;
  readonly reason: string;
  readonly message: string;
  readonly objects: readonly ObjectState[];
  readonly seconds: PhaseSeconds;
}

/** What became of one status; `state` null: GitLab has none. */
interface StatusResult {
  readonly project: string;
  readonly sha: string;
  readonly name: string;
  readonly state: StatusState | null;
  readonly id: number | null;
  readonly message: string;
  readonly fault?: FaultRecord;
}

export interface PairResult {
  readonly environment: string;
  readonly app: string;
  readonly verdict: OutcomeName;
  readonly reason: string;
  readonly message: string;
  readonly fault?: FaultRecord;
  readonly clusters: readonly ClusterResult[];
  readonly statuses: readonly StatusResult[];
  /** Deployments and notes in the application project. */
  readonly announced: readonly Announced[];
  readonly seconds: PhaseSeconds;
}

/** What `sync` gives back. */
export interface SyncResult {
  /** The worst of all pairs; `nothing` where there was nothing to answer for. */
  readonly outcome: OutcomeName | 'nothing';
  readonly exit: ExitCode;
  readonly pairs: readonly PairResult[];
  readonly refused: readonly RefusedClaim[];
}

/** Sums the cells up. All cells are final. */
export function resultOf(
  cells: readonly Cell[],
  lines: readonly LineResult[],
  { refused, announced }: { readonly refused: readonly RefusedClaim[]; readonly announced: readonly Announced[] },
  startedAt: number,
): SyncResult {
  const groups = Map.groupBy(cells, (cell) => `${cell.environment}/${cell.app}`);
  const pairs = [...groups.values()].map((group) => pairResult(group, lines, announced, startedAt));
  const outcomes = cells.flatMap((cell) => (cell.outcome === null ? [] : [cell.outcome]));
  const unposted = lines.flatMap(({ fault }) => (fault === null ? [] : [fault.exit]));
  const refusals = announced.flatMap(({ fault }) => (fault === undefined ? [] : [faults[fault.code].exit]));
  return {
    outcome: worstOutcome(outcomes)?.outcome ?? 'nothing',
    exit: worstExit([...outcomes.map((outcome) => outcome.exit), ...unposted, ...refusals]),
    pairs,
    refused,
  };
}

function pairResult(
  group: readonly Cell[],
  lines: readonly LineResult[],
  announced: readonly Announced[],
  startedAt: number,
): PairResult {
  const { environment, app } = group[0]!;
  const sum = worstOutcome(group.flatMap((cell) => (cell.outcome === null ? [] : [cell.outcome])))!;
  return {
    environment,
    app,
    verdict: sum.outcome,
    reason: sum.reason,
    message: sum.message,
    ...(sum.fault === undefined ? {} : { fault: sum.fault }),
    clusters: group.map((cell) => ({
      cluster: cell.cluster,
      artifact: cell.artifact,
      verdict: cell.outcome?.outcome ?? 'unknown',
      reason: cell.outcome?.reason ?? '',
      message: cell.outcome?.message ?? cell.message,
      objects: cell.objects,
      seconds: secondsOf([cell], startedAt),
    })),
    statuses: lines.filter(({ line }) => group.some((cell) => line.covers(cell))).map(statusResult),
    announced: announced.filter((one) => one.environment === environment && one.app === app),
    seconds: secondsOf(group, startedAt),
  };
}

function statusResult({ line, posted, fault }: LineResult): StatusResult {
  return {
    project: line.project,
    sha: line.sha,
    name: line.name,
    state: posted?.state ?? null,
    id: posted?.id ?? null,
    message: fault?.message ?? posted?.message ?? '',
    ...(fault === null ? {} : { fault: faultRecord(fault) }),
  };
}

function secondsOf(cells: readonly Cell[], startedAt: number): PhaseSeconds {
  const entries = (['fetched', 'applied', 'healthy'] as const).flatMap((phase) => {
    const times = cells.map((cell) => cell.reached[phase]);
    if (times.some((time) => time === undefined)) return [];
    return [[phase, Math.max(0, Math.max(...times.map(Number)) - startedAt) / 1000] as const];
  });
  return Object.fromEntries(entries);
}
