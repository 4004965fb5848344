import type { Origin } from '../app/change.ts';
import { aggregateAbove, aggregateName, statusName } from '../status/name.ts';
import type { Cell } from './progress.ts';
import type { SyncTarget } from './target.ts';

/** One status on one commit: its place, its name, and the cells that it stands for. */
export interface Line {
  /** Unique among the lines of a run. */
  readonly key: string;
  readonly project: string;
  readonly sha: string;
  readonly pipelineId: number | null;
  readonly ref: string | null;
  readonly name: string;
  /** Whose token posts it: an app's own on its application commits, null for the delivery project's. */
  readonly app: string | null;
  readonly environment: string;
  covers(cell: Pick<Cell, 'environment' | 'app' | 'cluster'>): boolean;
}

/** Where the delivery commit's statuses go. */
export interface DeliveryStatusPlace {
  readonly project: string;
  readonly commit: string;
  readonly branch: string;
  readonly pipelineId: number | null;
}

/**
 * The statuses of a run: on the delivery commit for every target, on each verified origin for those whose `report` says
 * status. More than 20 pairs on one commit share one status for each environment.
 */
export function linesOf(
  targets: readonly SyncTarget[],
  delivery: DeliveryStatusPlace,
  verified: (target: SyncTarget) => readonly Origin[],
): readonly Line[] {
  const onDelivery = linesAt(targets, {
    project: delivery.project,
    sha: delivery.commit,
    pipelineId: delivery.pipelineId,
    ref: delivery.branch,
    app: null,
  });
  const reported = targets.filter((target) => target.pair.report.includes('status'));
  const places = reported.flatMap((target) => verified(target).map((origin) => ({ origin, target })));
  const byCommit = Map.groupBy(places, ({ origin }) => `${origin.project}@${origin.commit}`);
  const onOrigins = [...byCommit.values()].flatMap((group) => {
    const { origin, target } = group.toSorted((a, b) => (b.origin.pipeline ?? 0) - (a.origin.pipeline ?? 0))[0]!;
    const place = {
      project: origin.project,
      sha: origin.commit,
      pipelineId: origin.pipeline,
      ref: origin.ref === '' ? null : origin.ref,
      app: target.pair.app.name,
    };
    return linesAt([...new Set(group.map((entry) => entry.target))], place);
  });
  // Where application and delivery share one project, a commit can be its own origin: one status is enough.
  return [...new Map([...onOrigins, ...onDelivery].map((line) => [line.key, line])).values()];
}

type Place = Pick<Line, 'project' | 'sha' | 'pipelineId' | 'ref' | 'app'>;

function linesAt(targets: readonly SyncTarget[], place: Place): readonly Line[] {
  if (targets.length > aggregateAbove) {
    const environments = [...new Set(targets.map((target) => target.pair.environment.name))];
    return environments.map((environment) => {
      const apps = new Set(
        targets.filter((target) => target.pair.environment.name === environment).map((target) => target.pair.app.name),
      );
      return lineAt(place, environment, aggregateName(environment), (cell) => apps.has(cell.app));
    });
  }
  return targets.flatMap(({ pair }) => {
    const environment = pair.environment.name;
    const app = pair.app.name;
    const sum = lineAt(place, environment, statusName(environment, app), (cell) => cell.app === app);
    if (pair.environment.clusters.length < 2) return [sum];
    const each = pair.environment.clusters.map((cluster) =>
      lineAt(
        place,
        environment,
        statusName(environment, app, cluster.name),
        (cell) => cell.app === app && cell.cluster === cluster.name,
      ),
    );
    return [sum, ...each];
  });
}

function lineAt(
  place: Place,
  environment: string,
  name: string,
  covers: (cell: Pick<Cell, 'app' | 'cluster'>) => boolean,
): Line {
  return {
    ...place,
    key: `${place.project}@${place.sha} ${name}`,
    name,
    environment,
    covers: (cell) => cell.environment === environment && covers(cell),
  };
}
