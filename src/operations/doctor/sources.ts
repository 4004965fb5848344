import { parseDuration } from '../../config/duration.ts';
import { chooseSources, fitOf, referenceOf, sourceKindOf, type SourceAddress } from '../../notify/source-address.ts';
import type { KubernetesObject } from '../../systems/cluster.ts';
import { judge, type Finding, type Judge } from './finding.ts';

/** What one cluster has for one artifact of sluice.yaml. */
export interface SourceFacts {
  readonly cluster: string;
  /** `<environment>/<artifact>`. */
  readonly name: string;
  readonly address: SourceAddress;
  /** Folders that Flux should build. */
  readonly roots: readonly string[];
  readonly health: 'workloads' | 'applied';
  /** All sources of the address's kind that may be read; null: none may. */
  readonly sources: readonly KubernetesObject[] | null;
  /** All Kustomizations and HelmReleases that may be read; null: none may. */
  readonly consumers: readonly KubernetesObject[] | null;
}

/** Longest interval that still heals a lost notification in time for somebody who waits. */
const LONGEST_MS = 3_600_000;

/** Judges the Flux objects that take an artifact up. */
export function judgeSource(facts: SourceFacts): readonly Finding[] {
  const { address, sources, cluster, name } = facts;
  const at = judge('sources', `${cluster}: ${name}`);
  if (sources === null) {
    return [
      at.unknown(
        'source-unknown',
        `${sourceKindOf(address)} objects may not be read`,
        'Bind the role sluice-watch (examples/agent-config/rbac/sluice.yaml).',
      ),
    ];
  }
  const chosen = chooseSources(sources, address);
  if (chosen.length === 0) return [missing(facts, at)];
  return chosen.flatMap((source) => [...judgeOne(source, at), ...judgeConsumers(source, facts, at)]);
}

function missing({ address, sources }: SourceFacts, at: Judge): Finding {
  const what = `${address.source === 'oci' ? 'oci://' : ''}${address.urls[0] ?? ''}`;
  const near = sources?.find((source) => fitOf(source, address) === 'other-reference');
  if (near) {
    const reference = referenceOf(near);
    return at.fault(
      'source-reference',
      'cluster_failed',
      `${nameOf(near)} has the address ${what}, but follows ${reference.by === 'other' ? reference.name : `${reference.by} ${reference.name}`}, not ${address.reference}`,
      `Set spec.ref of ${nameOf(near)} to { ${address.source === 'oci' ? 'tag' : 'branch'}: ${address.reference} }, or \`tag:\` in sluice.yaml to what it follows.`,
    );
  }
  return at.fault(
    'source-missing',
    'cluster_failed',
    `no ${sourceKindOf(address)} follows ${what}, ${address.reference}: what is published is never fetched`,
    'Apply the Flux objects (sluice init writes them).',
  );
}

function judgeOne(source: KubernetesObject, at: Judge): readonly Finding[] {
  const spec = (source.spec ?? {}) as {
    readonly interval?: unknown;
    readonly suspend?: unknown;
    readonly insecure?: unknown;
  };
  const findings: Finding[] = [];
  const interval = typeof spec.interval === 'string' ? intervalOf(spec.interval) : undefined;
  if (spec.suspend === true) {
    findings.push(
      at.fault(
        'source-suspended',
        'cluster_failed',
        `${nameOf(source)} is suspended: nothing is fetched`,
        `flux resume source ${source.kind === 'OCIRepository' ? 'oci' : 'git'} ${source.metadata.name} -n ${source.metadata.namespace}`,
      ),
    );
  }
  if (interval === undefined || interval > LONGEST_MS) {
    findings.push(
      at.fault(
        'source-interval',
        'cluster_failed',
        `${nameOf(source)} has ${interval === undefined ? 'no interval' : `the interval ${String(spec.interval)}`}: notifications are not guaranteed, and a lost one is made up for that late`,
        `Set spec.interval of ${nameOf(source)} to 10m (at most 1h).`,
      ),
    );
  }
  if (spec.insecure === true && !/^oci:\/\/(localhost|127\.)/.test(String((source.spec as { url?: unknown }).url))) {
    findings.push(
      at.warn(
        'source-insecure',
        `${nameOf(source)} pulls without TLS (insecure: true)`,
        `Take spec.insecure out of ${nameOf(source)}.`,
      ),
    );
  }
  const ready = readyOf(source);
  if (ready?.status === 'False' && /MANIFEST_UNKNOWN|NAME_UNKNOWN|manifest unknown/.test(ready.message)) {
    findings.push(
      at.warn(
        'source-unpublished',
        `${nameOf(source)} finds no artifact: nothing is published yet, or its tag was removed`,
        'Run the delivery pipeline once (sluice publish).',
      ),
    );
  } else if (ready?.status === 'False') {
    findings.push(
      at.fault(
        'source-failing',
        'cluster_failed',
        `${nameOf(source)}: ${ready.message}`,
        `Correct what it says${/401|403|denied|unauthori|authentication/i.test(ready.message) ? '; its pull Secret needs a deploy token with read_registry' : ''}.`,
      ),
    );
  }
  if (findings.every(({ state }) => state !== 'fault'))
    findings.unshift(at.ok('source', `${nameOf(source)} follows it every ${String(spec.interval)}`));
  return findings;
}

function judgeConsumers(
  source: KubernetesObject,
  { consumers, roots, health, address }: SourceFacts,
  at: Judge,
): readonly Finding[] {
  if (consumers === null)
    return [
      at.unknown('consumers-unknown', 'Kustomizations and HelmReleases may not be read', 'Bind the role sluice-watch.'),
    ];
  const users = consumers.filter((object) => uses(object, source));
  const mine = address.source === 'git' ? users.filter((object) => builds(object, roots)) : users;
  if (mine.length === 0) {
    return [
      at.fault(
        'consumer-missing',
        'cluster_failed',
        `no Kustomization or HelmRelease uses ${nameOf(source)}${users.length > 0 ? ` with the path ${roots.join(' or ')}` : ''}: what is fetched is never applied`,
        'Apply the Flux objects (sluice init writes them).',
      ),
    ];
  }
  return mine.flatMap((object) => {
    const spec = (object.spec ?? {}) as { suspend?: unknown; wait?: unknown; healthChecks?: unknown; path?: string };
    const findings: Finding[] = [];
    if (spec.suspend === true) {
      const kind = object.kind === 'Kustomization' ? 'kustomization' : 'helmrelease';
      findings.push(
        at.fault(
          'consumer-suspended',
          'cluster_failed',
          `${nameOf(object)} is suspended: nothing is applied`,
          `flux resume ${kind} ${object.metadata.name} -n ${object.metadata.namespace}`,
        ),
      );
    }
    if (object.kind === 'Kustomization' && address.source === 'oci' && !builds(object, roots)) {
      findings.push(
        at.warn(
          'consumer-path',
          `${nameOf(object)} builds ${spec.path ?? './'}, and sluice.yaml’s roots are ${roots.join(', ')}`,
          `Set \`roots\` in sluice.yaml to what Flux builds.`,
        ),
      );
    }
    if (
      object.kind === 'Kustomization' &&
      health === 'workloads' &&
      spec.wait !== true &&
      !hasChecks(spec.healthChecks)
    ) {
      findings.push(
        at.warn(
          'consumer-wait',
          `${nameOf(object)} does not wait for what it applies: sync must judge the workloads itself`,
          `Set spec.wait of ${nameOf(object)} to true.`,
        ),
      );
    }
    return findings;
  });
}

function hasChecks(checks: unknown): boolean {
  return Array.isArray(checks) && checks.length > 0;
}

/** Go's durations have decimals and h, m, s. */
function intervalOf(text: string): number | undefined {
  return parseDuration(text.replaceAll(/(\d+)\.\d+/g, '$1'));
}

/** Does an object name a source in sourceRef or chartRef? */
function uses(object: KubernetesObject, source: KubernetesObject): boolean {
  const spec = (object.spec ?? {}) as {
    readonly sourceRef?: Reference;
    readonly chartRef?: Reference;
    readonly chart?: { readonly spec?: { readonly sourceRef?: Reference } };
  };
  return [spec.sourceRef, spec.chartRef, spec.chart?.spec?.sourceRef].some(
    (ref) =>
      ref?.kind === source.kind &&
      ref?.name === source.metadata.name &&
      (ref?.namespace ?? object.metadata.namespace) === source.metadata.namespace,
  );
}

interface Reference {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}

function builds(object: KubernetesObject, roots: readonly string[]): boolean {
  const { path, chart } = (object.spec ?? {}) as { path?: unknown; chart?: { spec?: { chart?: unknown } } };
  if (object.kind !== 'Kustomization') return typeof chart?.spec?.chart !== 'string' || roots.length > 0;
  const clean = (text: string) => text.replace(/^(\.?\/)+/, '').replace(/\/+$/, '');
  const own = clean(typeof path === 'string' ? path : '');
  return roots.some((root) => clean(root === '.' ? '' : root) === own || own.startsWith(`${clean(root)}/`));
}

export function readyOf(object: KubernetesObject): { readonly status: string; readonly message: string } | undefined {
  const conditions = object.status?.['conditions'];
  if (!Array.isArray(conditions)) return undefined;
  const ready = (conditions as { type?: string; status?: string; message?: string }[]).find(
    ({ type }) => type === 'Ready',
  );
  return ready && { status: ready.status ?? '', message: ready.message ?? '' };
}

/** "Kustomization flux-system/podinfo". */
export function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${kind ?? 'object'} ${metadata.namespace ?? ''}/${metadata.name}`;
}
