import { type Fields, list, status } from '../store/object.ts';
import type { ClusterObject } from '../handle.ts';
import type { Key, World } from './world.ts';

/** A condition as Kubernetes has it. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}

/** The status of one object while a controller works on it. Nothing is seen by others before `write`. */
export interface StatusDraft {
  /** All of `status` but the conditions; may be changed. */
  readonly rest: Fields;
  condition(type: string): Condition | undefined;
  is(type: string, value: Condition['status']): boolean;
  set(type: string, value: Condition['status'], reason: string, message: string): void;
  unset(type: string): void;
  /**
   * Writes what changed: the conditions first and the other fields in a second write a moment later, as Flux does
   * (fluxcd/pkg runtime/patch). Rejects with `Gone` when the object was deleted.
   */
  write(): Promise<void>;
}

/** The object went away while a controller worked on it. */
export class Gone extends Error {}

const first = ['Stalled', 'Reconciling', 'Ready'];
const rank = (type: string) => (first.includes(type) ? `${first.indexOf(type)}` : `9${type}`);

/** Conditions of an object. */
function conditionsOf(object: ClusterObject): readonly Condition[] {
  return list(status(object)['conditions']) as readonly Condition[];
}

/** One condition of an object. */
export function conditionOf(object: ClusterObject, type: string): Condition | undefined {
  return conditionsOf(object).find((condition) => condition.type === type);
}

/** Opens the status of an object as it stands now. */
export function draftStatus(world: World, key: Key, object: ClusterObject, signal: AbortSignal): StatusDraft {
  const { conditions: _conditions, ...fieldsOf } = structuredClone(status(object));
  const rest: Fields = fieldsOf;
  let conditions = [...conditionsOf(object)];
  const find = (type: string) => conditions.find((condition) => condition.type === type);

  function put(change: (before: Fields) => Fields): boolean {
    const now = world.store.find(key.resource, key.namespace, key.name);
    if (!now) throw new Gone();
    const next = world.store.update(key.resource, { ...now, status: change(status(now)) }, 'status');
    return next !== now;
  }

  return {
    rest,
    condition: find,
    is: (type, value) => find(type)?.status === value,
    set: (type, value, reason, message) => {
      const before = find(type);
      const time = new Date(world.now()).toISOString().replace(/\.\d+Z$/, 'Z');
      const condition: Condition = {
        type,
        status: value,
        reason,
        message,
        lastTransitionTime: before?.status === value ? before.lastTransitionTime : time,
        observedGeneration: world.store.find(key.resource, key.namespace, key.name)?.metadata.generation ?? 0,
      };
      conditions = [...conditions.filter((other) => other.type !== type), condition].sort((a, b) =>
        rank(a.type) < rank(b.type) ? -1 : 1,
      );
    },
    unset: (type) => {
      conditions = conditions.filter((condition) => condition.type !== type);
    },
    write: async () => {
      signal.throwIfAborted();
      const hasChanged = put((before) =>
        conditions.length === 0 && before['conditions'] === undefined ? before : { ...before, conditions },
      );
      if (hasChanged) await world.sleep(8, signal);
      put((before) => {
        const { conditions: standing } = before;
        const known = Object.fromEntries(Object.entries(rest).filter(([name]) => !world.omitted().includes(name)));
        return { ...known, ...(standing === undefined ? {} : { conditions: standing }) };
      });
    },
  };
}
