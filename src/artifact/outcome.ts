import { faultRecord, faults, worstExit, type ExitCode, type Fault } from '../fault.ts';
import { formatRevision } from '../revision.ts';
import type { Origin } from '../app/change.ts';
import type { Item } from './evaluate.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';
import type { PublishedArtifact, PublishOutcome } from './published.ts';

/** How one item came out, before it is written down. */
export interface Outcome {
  readonly outcome: PublishOutcome;
  readonly reason: string;
  /** Manifest digest that stands under the moving tag. */
  readonly digest: string | null;
  readonly contentDigest: string | null;
  /** The commit whose content stands. */
  readonly commit: string;
  /** Moving tag first. */
  readonly tags: readonly string[];
  /** The commit that stood before, where only the registry knew it. */
  readonly before?: string;
  readonly fault?: Fault;
}

/** A fault as an outcome: guards refuse (exit 3), everything else has failed. What stood before still stands. */
export function faultOutcome(
  fault: Fault,
  sha: string,
  tags: readonly string[],
  entry: LedgerEntry | undefined,
): Outcome {
  return {
    outcome: fault.exit === 3 ? 'refused' : 'failed',
    reason: fault.message,
    digest: entry?.digest ?? null,
    contentDigest: entry?.contentDigest ?? null,
    commit: entry?.commit ?? sha,
    tags,
    fault,
  };
}

/** The record that `publish` gives for one item. */
export function publishedArtifact(
  { pair, artifact }: Item,
  outcome: Outcome,
  branch: string,
  origins: readonly Origin[],
): PublishedArtifact {
  return {
    app: pair.app.name,
    artifact: artifact.name,
    environment: pair.environment.name,
    repository: pair.source === 'git' ? '' : artifact.repository,
    tags: pair.source === 'git' ? [] : outcome.tags,
    digest: pair.source === 'git' ? null : outcome.digest,
    contentDigest: outcome.contentDigest,
    revision: formatRevision(branch, outcome.commit),
    source: pair.source,
    outcome: outcome.outcome,
    reason: outcome.reason,
    ...(outcome.fault ? { fault: faultRecord(outcome.fault) } : {}),
    origins,
  };
}

/** Exit code of a publication: held and refused are 3, failures have their fault's. */
export function exitOf(artifacts: readonly PublishedArtifact[]): ExitCode {
  return worstExit(
    artifacts.map(({ outcome, fault }) => (fault ? faults[fault.code].exit : outcome === 'held' ? 3 : 0)),
  );
}

/**
 * The ledger after a run: items that were decided count up to our commit; those held, refused or failed keep their old
 * entry, so that the next run answers for the same commits again. `before` is what stands now, others' entries stay.
 * `since`: the last commit that was evaluated for an item.
 */
export function nextLedger(
  before: Ledger | null,
  environment: string,
  sha: string,
  outcomes: readonly { readonly item: Item; readonly outcome: Outcome; readonly since: string | null }[],
): Ledger {
  const entries = new Map(before?.artifacts.map((entry) => [`${entry.app}\n${entry.name}`, entry]));
  for (const { item, outcome, since } of outcomes) {
    const { app } = item.pair;
    const { name, roots } = item.artifact;
    const key = `${app.name}\n${name}`;
    const of = { app: app.name, name, roots: [...roots] };
    if (isDecided(outcome)) {
      const { contentDigest, commit } = outcome;
      const digest = item.pair.source === 'git' ? null : outcome.digest;
      entries.set(key, { ...of, contentDigest, digest, commit, evaluated: sha });
    } else if (!entries.has(key)) {
      const owed = since ?? sha;
      entries.set(key, { ...of, contentDigest: null, digest: null, commit: owed, evaluated: owed });
    }
  }
  return { version: 1, environment, commit: sha, artifacts: [...entries.values()] };
}

/** Is our commit's content what stands now? */
export function isDecided(outcome: Outcome): boolean {
  return ['pushed', 'unchanged'].includes(outcome.outcome);
}
