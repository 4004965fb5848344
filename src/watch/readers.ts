import { Fault } from '../fault.ts';
import { sourceKindOf } from '../notify/source-address.ts';
import type { Clock } from '../systems/clock.ts';
import type { Cluster } from '../systems/cluster.ts';
import type { Need } from './chain.ts';
import type { KindName } from './kinds.ts';
import { readKind, type Reader, type ReadingPace } from './observe.ts';
import type { Followed } from './verdict.ts';
import type { ClusterView } from './view.ts';

/** All readers of one cluster: never two for the same kind and namespace. */
export interface Readers {
  /** Starts what every follow needs. */
  begin(followed: readonly Followed[]): void;
  /** Starts or freshens what decisions asked for. */
  meet(needs: readonly Need[]): void;
  /** The refusal of the credential, once it is not passing. */
  refused(): Fault | undefined;
  /** The fault, if the cluster has not answered for `ms`. */
  lostContact(now: number, ms: number): Fault | undefined;
  done(): Promise<void>;
}

/** Refusals in a row, without an answer in between, before a credential counts as refused. */
const REFUSALS = 3;

export function createReaders(options: {
  readonly cluster: Cluster;
  readonly view: ClusterView;
  readonly clock: Clock;
  readonly pace: ReadingPace;
  readonly signal: AbortSignal;
  readonly changed: () => void;
}): Readers {
  const { view, clock } = options;
  const readers = new Map<string, Reader>();
  const began = clock.now();
  let answeredAt: number | undefined;
  let lastFault: Fault | undefined;
  let refusals = 0;

  function reader(kind: KindName, namespace: string | null): Reader | undefined {
    const key = `${kind}/${namespace ?? ''}`;
    const existing = readers.get(key);
    if (existing) return existing;
    readers.set(
      key,
      readKind({
        ...options,
        kind,
        namespace,
        answered: () => {
          answeredAt = clock.now();
          lastFault = undefined;
          refusals = 0;
        },
        failed: (fault) => {
          lastFault = fault;
          if (fault.code === 'token_refused') refusals += 1;
          options.changed();
        },
      }),
    );
    return undefined;
  }

  /** Flux kinds are read in all namespaces where that is allowed; else, and workloads always, one by one. */
  function scopeOf(kind: KindName, namespace: string | null): string | null {
    if (namespace === null) return null;
    return readers.has(`${kind}/`) && view.access(kind, null).state !== 'forbidden' ? null : namespace;
  }

  const homes = new Map<KindName, Set<string>>();

  return {
    begin(followed) {
      for (const one of followed) {
        for (const kind of [sourceKindOf(one), 'Kustomization', 'HelmRelease'] as const) {
          homes.set(kind, (homes.get(kind) ?? new Set()).add(one.namespace));
          reader(kind, null);
        }
      }
    },
    meet(needs) {
      for (const [kind, namespaces] of homes) {
        if (view.access(kind, null).state === 'forbidden') for (const namespace of namespaces) reader(kind, namespace);
      }
      const late = new Map<string, Need>();
      for (const need of needs) {
        const scope = scopeOf(need.kind, need.namespace);
        late.set(`${need.kind}/${scope ?? ''}`, { ...need, namespace: scope });
      }
      for (const { kind, namespace, after } of late.values()) {
        const existing = reader(kind, namespace);
        const access = view.access(kind, namespace);
        if (existing && access.state === 'listed' && access.freshAt < after) existing.freshen(after);
      }
    },
    refused: () => (refusals >= REFUSALS ? lastFault : undefined),
    lostContact(now, ms) {
      const since = answeredAt ?? began;
      if (!lastFault || (answeredAt !== undefined && now - since < ms)) return undefined;
      return lastFault;
    },
    async done() {
      await Promise.all([...readers.values()].map((one) => one.done));
    },
  };
}
