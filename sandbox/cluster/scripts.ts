import type { ApiState } from './api/server.ts';
import type { Controllers } from './flux/flux.ts';
import { keyOf, type World } from './flux/world.ts';
import type { ClusterScripts } from './handle.ts';
import { type WorkloadWorld, workloadKinds } from './workloads/workloads.ts';

/** What controllers leave out of the status they write, and whether their events reach nobody. */
export interface Forgetting {
  events: boolean;
  history: boolean;
  fields: readonly string[];
}

/** The scripts of a cluster over its parts. */
export function createScripts(parts: {
  readonly world: World;
  readonly state: ApiState;
  readonly controllers: Controllers;
  readonly workloads: WorkloadWorld;
  readonly forgetting: Forgetting;
}): ClusterScripts {
  const { world, state, controllers, workloads, forgetting } = parts;
  return {
    pause: (name) => controllers.get(name).pause(),
    resume: (name) => controllers.get(name).resume(),
    restart: (name) => controllers.restart(name),
    cutWatches: (refuse = false) => {
      state.refusesWatches = refuse;
      for (const cut of state.watches) cut();
      state.watches.clear();
    },
    compact: () => world.store.compact(),
    latency: (milliseconds) => {
      state.latency = milliseconds;
    },
    fail: (rule) => {
      const entry = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
      state.rules.push(entry);
      return { remove: () => void (state.rules = state.rules.filter((one) => one !== entry)) };
    },
    dropHistory: (drop = true) => {
      forgetting.history = drop;
    },
    loseEvents: (lose = true) => {
      forgetting.events = lose;
    },
    omitStatus: (fields) => {
      forgetting.fields = fields;
    },
    workloads: (fate) => {
      workloads.decide(fate);
      for (const kind of workloadKinds) {
        const resource = world.store.kinds.named(kind);
        for (const object of resource ? world.store.list(resource) : []) {
          if (resource) controllers.get('workloads').enqueue(keyOf(resource, object));
        }
      }
    },
    offline: (offline) => {
      state.isOffline = offline;
      if (offline) for (const cut of state.watches) cut();
    },
  };
}
