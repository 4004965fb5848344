import type { FaultRecord, ExitCode } from '../fault.ts';
import { faults } from '../fault.ts';
import type { PublishedArtifact } from '../artifact/published.ts';
import type { Verdict, VerdictName } from '../watch/verdict.ts';
import type { StatusState } from './report.ts';

/** How something ended: the cluster's verdict, or publish's word where nothing was there to follow. */
export type OutcomeName = VerdictName | 'held' | 'refused' | 'unpublished';

/** The end of one artifact in one cluster, or the sum of several. */
export interface Outcome {
  readonly outcome: OutcomeName;
  readonly reason: string;
  /** First cause, one line. */
  readonly message: string;
  readonly exit: ExitCode;
  readonly fault?: FaultRecord;
}

/** Worst first; what is certain goes before what is not known. */
const order: readonly OutcomeName[] = [
  'failed',
  'suspended',
  'unconsumed',
  'unpublished',
  'refused',
  'held',
  'unknown',
  'timed-out',
  'superseded',
  'synced',
];

const table: Readonly<Record<OutcomeName, { readonly state: StatusState; readonly exit: ExitCode }>> = {
  synced: { state: 'success', exit: 0 },
  superseded: { state: 'canceled', exit: 0 },
  failed: { state: 'failed', exit: 4 },
  suspended: { state: 'failed', exit: 4 },
  unconsumed: { state: 'failed', exit: 4 },
  'timed-out': { state: 'failed', exit: 5 },
  unknown: { state: 'failed', exit: 5 },
  held: { state: 'skipped', exit: 3 },
  refused: { state: 'failed', exit: 3 },
  unpublished: { state: 'failed', exit: 6 },
};

/** A verdict as an outcome. */
export function outcomeOfVerdict(verdict: Verdict): Outcome {
  const { verdict: outcome, reason, message } = verdict;
  return { outcome, reason, message, exit: table[outcome].exit };
}

/** What publish said where there is nothing to follow (held, refused, failed); null where the cluster has the word. */
export function outcomeOfPublish(artifact: PublishedArtifact): Outcome | null {
  const fault = artifact.fault === undefined ? {} : { fault: artifact.fault };
  const message = artifact.fault?.message ?? artifact.reason;
  if (artifact.outcome === 'held' || artifact.outcome === 'refused')
    return {
      outcome: artifact.outcome,
      reason: artifact.outcome,
      message,
      exit: table[artifact.outcome].exit,
      ...fault,
    };
  if (artifact.outcome !== 'failed') return null;
  const exit = artifact.fault === undefined ? table.unpublished.exit : faults[artifact.fault.code].exit;
  return { outcome: 'unpublished', reason: 'unpublished', message, exit, ...fault };
}

/** GitLab's state of an outcome. */
export function stateOfOutcome(outcome: OutcomeName): StatusState {
  return table[outcome].state;
}

/** Is it certain that the sum cannot become green any more? */
export function isCertainFailure(outcome: OutcomeName): boolean {
  return table[outcome].state === 'failed' && outcome !== 'unknown' && outcome !== 'timed-out';
}

/** The worst of several; null for none. */
export function worstOutcome(outcomes: readonly Outcome[]): Outcome | null {
  for (const name of order) {
    const found = outcomes.find((candidate) => candidate.outcome === name);
    if (found !== undefined) return found;
  }
  return null;
}
