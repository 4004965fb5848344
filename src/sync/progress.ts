import type { Outcome } from '../status/outcome.ts';
import { isCertainFailure, outcomeOfVerdict, stateOfOutcome, worstOutcome } from '../status/outcome.ts';
import type { StatusState } from '../status/report.ts';
import type { ObjectState, Observation } from '../watch/verdict.ts';

/** How far one artifact of one app has come in one cluster of one environment. */
export interface Cell {
  readonly environment: string;
  readonly app: string;
  readonly artifact: string;
  readonly cluster: string;
  /** Flux has been asked and the cluster is being looked at. */
  readonly begun: boolean;
  readonly phase: Observation['phase'];
  /** What is happening, one line. */
  readonly message: string;
  readonly outcome: Outcome | null;
  readonly objects: readonly ObjectState[];
  /** Milliseconds since the epoch at which a phase was first seen. */
  readonly reached: Readonly<Partial<Record<Observation['phase'], number>>>;
}

/** State and text of a status that stands for one cell or for the sum of several. */
export interface Report {
  readonly state: StatusState;
  readonly description: string;
}

const phases: readonly Observation['phase'][] = ['waiting', 'fetched', 'applied', 'healthy'];

/** The cell after one more observation. A final cell stays as it is. */
export function observe(cell: Cell, observation: Observation): Cell {
  if (cell.outcome !== null) return cell;
  const passed = phases.slice(1, phases.indexOf(observation.phase) + 1);
  const first = passed.filter((phase) => cell.reached[phase] === undefined);
  const reached = { ...cell.reached, ...Object.fromEntries(first.map((phase) => [phase, observation.at])) };
  const { verdict } = observation;
  return {
    ...cell,
    begun: true,
    phase: observation.phase,
    message: verdict?.message ?? observation.message,
    reached,
    outcome: verdict === null ? null : outcomeOfVerdict(verdict),
    objects: verdict?.objects ?? cell.objects,
  };
}

/** The sum: null while it is open. Final at the first certain failure, else when all are. */
export function sumOf(cells: readonly Cell[]): Outcome | null {
  const outcomes = cells.flatMap((cell) => (cell.outcome === null ? [] : [cell.outcome]));
  const worst = worstOutcome(outcomes);
  if (worst === null || outcomes.length === cells.length || isCertainFailure(worst.outcome)) return worst;
  return null;
}

/** What GitLab is told of the cells. `version` is what people know the change by. */
export function reportOf(cells: readonly Cell[]): Report {
  const sum = sumOf(cells);
  if (sum !== null) return { state: stateOfOutcome(sum.outcome), description: finalText(cells, sum) };
  const open = cells.filter((cell) => cell.outcome === null);
  const slowest = open.toSorted((a, b) => phases.indexOf(a.phase) - phases.indexOf(b.phase))[0];
  const count = cells.length > 1 ? `${cells.length - open.length} of ${cells.length} done; ` : '';
  const message =
    slowest === undefined ? '' : `${cells.length > 1 ? `${labelIn(cells, slowest)}: ` : ''}${slowest.message}`;
  return { state: cells.some((cell) => cell.begun) ? 'running' : 'pending', description: `${count}${message}` };
}

function finalText(cells: readonly Cell[], sum: Outcome): string {
  const cause = cells.find((cell) => cell.outcome === sum);
  const good = sum.outcome === 'synced';
  if (cells.length === 1 || cause === undefined) return good ? sum.message : `${sum.outcome}: ${sum.message}`;
  if (good) return `${cells.length} of ${cells.length} synced; ${sum.message}`;
  return `${sum.outcome}: ${labelIn(cells, cause)}: ${sum.message}`;
}

/** The shortest name of a cell among the others: only the parts in which they differ. */
function labelIn(cells: readonly Cell[], cell: Cell): string {
  const differing = (['app', 'artifact', 'cluster'] as const).filter((part) =>
    cells.some((other) => other[part] !== cell[part]),
  );
  return [...new Set(differing.map((part) => cell[part]))].join('/') || cell.app;
}
