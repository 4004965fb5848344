import { Fault } from '../fault.ts';
import { outcomeOfPublish } from '../status/outcome.ts';
import type { Outcome } from '../status/outcome.ts';
import { commitOfRevision, shortCommit } from '../revision.ts';
import type { Followed } from '../watch/verdict.ts';
import type { LineageOf } from './lineage.ts';
import type { Cell } from './progress.ts';
import type { DeliveryPlace, SyncTarget } from './target.ts';
import { clustersOf, followedOf } from './target.ts';

/** A cell with what is to be followed for it; null where its outcome is known from the start. */
export interface Start {
  readonly cell: Cell;
  readonly target: SyncTarget;
  readonly followed: Followed | null;
}

/**
 * One cell for each target, artifact and cluster. What publish held or refused has its outcome at once; what a newer
 * commit overtook is followed where that commit still holds our values. Fault `config_invalid`: no clusters are named.
 */
export async function beginCells(
  targets: readonly SyncTarget[],
  delivery: DeliveryPlace,
  lineage: LineageOf,
): Promise<readonly Start[]> {
  const starts: Start[] = [];
  for (const target of targets) {
    const { app, environment } = target.pair;
    const clusters = clustersOf(target.pair);
    if (clusters.length === 0)
      throw new Fault('config_invalid', `environments.${environment.name}.clusters is empty: nothing can be followed`, {
        hint: 'Name the cluster, with its agent or context.',
      });
    for (const artifact of target.artifacts) {
      const known =
        outcomeOfPublish(artifact) ?? (await replacedOutcome(artifact, app.name, environment.name, lineage));
      for (const cluster of clusters) {
        const followed = known === null ? followedOf(target, artifact, cluster.name, delivery) : null;
        const outcome = known ?? (followed === null ? nothingStands : null);
        starts.push({
          target,
          followed,
          cell: {
            environment: environment.name,
            app: app.name,
            artifact: artifact.artifact,
            cluster: cluster.name,
            begun: false,
            phase: 'waiting',
            message: `Flux is asked to fetch ${wantedText(artifact)}`,
            outcome,
            objects: [],
            reached: {},
          },
        });
      }
    }
  }
  return starts;
}

const nothingStands: Outcome = {
  outcome: 'unpublished',
  reason: 'unpublished',
  message: 'nothing is published under the tag',
  exit: 3,
};

async function replacedOutcome(
  artifact: SyncTarget['artifacts'][number],
  app: string,
  environment: string,
  lineage: LineageOf,
): Promise<Outcome | null> {
  if (artifact.outcome !== 'superseded') return null;
  const theirs = commitOfRevision(artifact.revision);
  const relation = theirs === undefined ? 'unknown' : await lineage(theirs, app, environment);
  if (relation === 'same' || relation === 'ours') return null;
  const by = theirs === undefined ? 'a newer commit' : `commit ${shortCommit(theirs)}`;
  return { outcome: 'superseded', reason: 'Superseded', message: `${by} took over`, exit: 0 };
}

function wantedText(artifact: SyncTarget['artifacts'][number]): string {
  const commit = commitOfRevision(artifact.revision);
  if (artifact.digest === null) return commit === undefined ? 'the commit' : `commit ${shortCommit(commit)}`;
  return artifact.digest.slice(0, 'sha256:'.length + 12);
}
