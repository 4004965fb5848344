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

/** A credential counts as refused when nothing but refusals came for this long: GitLab caches a moment's error. */
const REFUSED_MS = 3_000;
/** Namespaces of one kind that are watched singly; beyond it one watch serves all. */
const MANY = 8;

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
  let answeredAt: number | undefined;
  let lastFault: Fault | undefined;
  let refusedAt: number | undefined;
  let refusal: Fault | undefined;

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
          refusedAt = undefined;
          refusal = undefined;
        },
        failed: (fault) => {
          lastFault = fault;
          if (fault.code === 'token_refused') {
            refusedAt ??= clock.now();
            if (clock.now() - refusedAt >= REFUSED_MS) refusal = fault;
          }
          options.changed();
        },
      }),
    );
    return undefined;
  }

  const spread = new Map<KindName, Set<string>>();

  /** Flux kinds are read in all namespaces at once where that is allowed, others one by one until they are many. */
  function scopeOf(kind: KindName, namespace: string | null): string | null {
    if (namespace === null) return null;
    if (readers.has(`${kind}/`)) return view.access(kind, null).state === 'forbidden' ? namespace : null;
    const namespaces = spread.get(kind) ?? new Set<string>();
    spread.set(kind, namespaces.add(namespace));
    return namespaces.size > MANY ? null : namespace;
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
        const key = `${need.kind}/${scope ?? ''}`;
        late.set(key, { ...need, namespace: scope, after: Math.max(need.after, late.get(key)?.after ?? 0) });
      }
      for (const { kind, namespace, after } of late.values()) {
        const existing = reader(kind, namespace);
        const access = view.access(kind, namespace);
        if (existing && access.state === 'listed' && access.freshAt < after) existing.freshen(after);
      }
    },
    refused: () => refusal,
    lostContact(now, ms) {
      if (answeredAt === undefined)
        return lastFault ?? new Fault('cluster_unavailable', `cluster "${options.cluster.name}" has not answered`);
      return now - answeredAt < ms ? undefined : lastFault;
    },
    async done() {
      await Promise.all([...readers.values()].map((one) => one.done));
    },
  };
}
