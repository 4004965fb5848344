import type { AppChange } from './change.ts';

/** Changes that one commit can name without claiming a pair that it does not change. */
export interface ChangeGroup {
  readonly environments: readonly string[];
  readonly origin: AppChange['origin'];
  readonly changes: readonly Pick<AppChange, 'app' | 'images' | 'values'>[];
}

/** Groups changes by environments and origin; what one app gets twice in a group is one change. */
export function groupChanges(changes: readonly AppChange[]): readonly ChangeGroup[] {
  const groups = Map.groupBy(changes, ({ environments, origin: from }) =>
    JSON.stringify([environments.toSorted(), from]),
  );
  return [...groups.values()].map((members) => ({
    environments: members[0]!.environments,
    origin: members[0]!.origin,
    changes: [...Map.groupBy(members, (member) => member.app)].map(([app, same]) => ({
      app,
      images: same.flatMap((each) => each.images),
      values: same.flatMap((each) => each.values),
    })),
  }));
}
