import type { ClusterOptions } from '../../../sandbox/cluster/handle.ts';
import type { ClusterWorld } from '../../sandbox/cluster-world.ts';
import { fluxObjects, one, sampleApp, shown } from '../../sandbox/cluster-world.ts';
import { namespaceDemo } from '../../watch/cluster-world.ts';
import { pushChart, release } from '../../sandbox/tiny-chart.ts';
import type { Stage, raise } from './stage.ts';

/**
 * What is true in the end of the version that was delivered: `healthy` · `broken`: it will not come up by itself ·
 * `replaced`: another version without its values took over · `undecided`: nothing is known in time.
 */
export type Truth = 'healthy' | 'broken' | 'replaced' | 'undecided';

export interface Played {
  readonly wanted: string;
  /** Index of the delivery commit. */
  readonly commit: number;
  /** Goes on while the answer is awaited. */
  readonly meanwhile?: () => Promise<void>;
}

export interface Trap {
  /** Numbers of the traps that it shows. */
  readonly traps: string;
  readonly story: string;
  readonly truth: Truth;
  readonly setUp?: Parameters<typeof raise>[1];
  /** Do newer revisions still hold our values? Default true. */
  readonly holds?: boolean;
  readonly timeoutMs?: number;
  play(stage: Stage): Promise<Played>;
}

const deliver = async (stage: Stage, files: Readonly<Record<string, string>>): Promise<Played> => ({
  wanted: await stage.deliver(files, 1),
  commit: 1,
});
const version = (tag: string) => (stage: Stage) => deliver(stage, sampleApp(tag));
const pause = async (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms);
  });

/** Until somebody has asked the source and it has answered, and whoever asked had time to look at it. */
async function answeredOld(stage: Stage): Promise<void> {
  const isHandled = (name: string, kind: 'OCIRepository' | 'Kustomization', ms: number) =>
    stage.cluster.until(
      kind,
      one(name, (object) => object.status?.['lastHandledReconcileAt'] !== undefined),
      ms,
    );
  await isHandled('app', 'OCIRepository', 10_000);
  await isHandled('app', 'Kustomization', 1_500).catch(() => undefined);
  await pause(300);
}

/** The tag is pushed, and a cache of the registry still answers with the version before. */
const cached = (tag: string) => async (stage: Stage) => {
  const files = sampleApp(tag);
  const wanted = await stage.deliver(files, 1, 'elsewhere');
  return {
    wanted,
    commit: 1,
    meanwhile: async () => {
      await answeredOld(stage);
      await stage.deliver(files, 1);
    },
  };
};

const childOf = (world: ClusterWorld, spec: Readonly<Record<string, unknown>> = {}) =>
  fluxObjects(world.registry.host, 'team/app', 'child', {
    path: './child',
    sourceRef: { kind: 'OCIRepository', name: 'app' },
    ...spec,
  })[1]!;
const withChild = (world: ClusterWorld, tag: string, spec: Readonly<Record<string, unknown>> = {}) => ({
  'top/child.yaml': JSON.stringify(childOf(world, spec)),
  ...Object.fromEntries(Object.entries(sampleApp(tag)).map(([name, text]) => [`child/${name}`, text])),
});
const nested: Trap['setUp'] = {
  spec: { path: './top', wait: false },
  first: (world) => withChild(world, '1.0.0'),
};

const helm: Trap['setUp'] = {
  options: { requeueDependencyMs: 2_000 } satisfies Partial<ClusterOptions>,
  spec: { wait: true },
  first: (world) => release(world, '1'),
  more: async (world) => {
    await pushChart(world);
    return [];
  },
};

const suspend = (kind: string, name: string) => async (stage: Stage) => {
  stage.cluster.patch(kind, 'flux-system', name, { spec: { suspend: true } });
  return version('1.0.1')(stage);
};

/** The version before never came up, and its run is still on. */
const afterBroken = async (stage: Stage) => {
  await stage.deliver(sampleApp('1.0.1-broken'), 1);
  stage.poke('OCIRepository', 'app');
  await stage.cluster.until(
    'Kustomization',
    one('app', (object) => shown(object, 'Ready').includes('HealthCheckFailed')),
  );
  return { wanted: await stage.deliver(sampleApp('1.0.2'), 2), commit: 2 };
};

const overtaken = (tag: string) => async (stage: Stage) => {
  const wanted = await stage.deliver(sampleApp('1.0.1'), 1);
  await stage.deliver(sampleApp(tag, 'green'), 2);
  return { wanted, commit: 1 };
};

/** The traps of Flux that a cluster can show, each with its script. */
export const traps: readonly Trap[] = [
  { traps: '–', story: 'a new version comes up', truth: 'healthy', play: version('1.0.1') },
  { traps: '–', story: 'a version whose pods never start', truth: 'broken', play: version('1.0.1-broken') },
  {
    traps: '1, 2, 9',
    story: 'the registry’s cache answers with the version before; the new one is broken',
    truth: 'broken',
    play: cached('1.0.1-broken'),
  },
  {
    traps: '1, 2, 9',
    story: 'the registry’s cache answers with the version before; the new one is good',
    truth: 'healthy',
    play: cached('1.0.1'),
  },
  {
    traps: '16',
    story: 'the source follows a semver range, not the environment’s tag',
    truth: 'broken',
    async play(stage) {
      const wanted = await stage.deliver(sampleApp('1.0.1'), 1);
      await stage.deliver(sampleApp('1.0.0'), 0, '1.0.0');
      stage.cluster.patch('OCIRepository', 'flux-system', 'app', { spec: { ref: { tag: null, semver: '1.x' } } });
      return { wanted, commit: 1 };
    },
  },
  {
    traps: '5',
    story: 'a newer version without our values takes over',
    truth: 'replaced',
    holds: false,
    play: overtaken('1.0.2'),
  },
  {
    traps: '5',
    story: 'a newer version that holds our values takes over',
    truth: 'healthy',
    play: overtaken('1.0.1'),
  },
  {
    traps: '7',
    story: 'the very content that stands already',
    truth: 'healthy',
    async play(stage) {
      return { wanted: await stage.deliver(sampleApp(), 0), commit: 0 };
    },
  },
  {
    traps: '8',
    story: 'same content under another commit: a run without an event',
    truth: 'healthy',
    play: (stage) => deliver(stage, sampleApp()),
  },
  { traps: '10', story: 'the failure of the version before still stands', truth: 'healthy', play: afterBroken },
  {
    traps: '11',
    story: 'back to a former digest',
    truth: 'healthy',
    async play(stage) {
      const second = await stage.deliver(sampleApp('1.0.1'), 1);
      stage.poke('OCIRepository', 'app');
      await stage.standing(second);
      return { wanted: await stage.deliver(sampleApp(), 0), commit: 0 };
    },
  },
  {
    traps: '12, 28',
    story: 'an older Flux that keeps no history; the version is broken',
    truth: 'broken',
    async play(stage) {
      stage.cluster.scripts.omitStatus(['history', 'lastAppliedOriginRevision']);
      return version('1.0.1-broken')(stage);
    },
  },
  {
    traps: '13',
    story: 'YAML that cannot be built',
    truth: 'broken',
    play: (stage) => deliver(stage, { ...sampleApp('1.0.1'), 'service.yaml': 'kind: [' }),
  },
  {
    traps: '14, 35',
    story: 'no `wait`: applied, and the rollout runs past its deadline',
    truth: 'broken',
    setUp: { spec: { wait: false } },
    play: version('1.0.1-dead'),
  },
  {
    traps: '15',
    story: 'the Kustomization is suspended',
    truth: 'broken',
    play: suspend('Kustomization', 'app'),
  },
  { traps: '15', story: 'the source is suspended', truth: 'broken', play: suspend('OCIRepository', 'app') },
  {
    traps: '15, 17',
    story: 'a Kustomization below is suspended',
    truth: 'broken',
    setUp: nested,
    async play(stage) {
      stage.cluster.patch('Kustomization', 'flux-system', 'child', { spec: { suspend: true } });
      return deliver(stage, withChild(stage, '1.0.1'));
    },
  },
  {
    traps: '16',
    story: 'the Kustomization uses another source: nothing consumes the artifact',
    truth: 'broken',
    async play(stage) {
      const { host } = stage.registry;
      await stage.push('team/other', 'main', sampleApp());
      stage.cluster.apply(fluxObjects(host, 'team/other', 'other')[0]!);
      stage.cluster.patch('Kustomization', 'flux-system', 'app', {
        spec: { sourceRef: { kind: 'OCIRepository', name: 'other' } },
      });
      return version('1.0.1')(stage);
    },
  },
  {
    traps: '17',
    story: 'a Kustomization below does not come up',
    truth: 'broken',
    setUp: nested,
    play: (stage) => deliver(stage, withChild(stage, '1.0.1-broken')),
  },
  {
    traps: '18',
    story: 'a Kustomization below has a source of its own, which stays as it is',
    truth: 'healthy',
    setUp: {
      spec: { path: './top', wait: false },
      first: (world) => withChild(world, '1.0.0', { path: './', sourceRef: { kind: 'OCIRepository', name: 'other' } }),
      more: async ({ registry, push }) => {
        await push('team/other', 'main', sampleApp());
        return fluxObjects(registry.host, 'team/other', 'other').slice(0, 1);
      },
    },
    play: (stage) =>
      deliver(stage, {
        ...withChild(stage, '1.0.0', { path: './', sourceRef: { kind: 'OCIRepository', name: 'other' } }),
        'top/settings.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: demo}\n',
      }),
  },
  {
    traps: '19',
    story: 'a dependency is not ready, and comes up later',
    truth: 'healthy',
    setUp: {
      spec: { dependsOn: [{ name: 'base' }] },
      more: async ({ registry, push }) => {
        await push('team/base', 'main', sampleApp('1.0.0', 'blue', 'base'));
        return [
          { ...namespaceDemo, metadata: { name: 'base' } },
          ...fluxObjects(registry.host, 'team/base', 'base', { timeout: '60s' }),
        ];
      },
    },
    async play(stage) {
      stage.cluster.scripts.workloads(({ namespace }) => (namespace === 'base' ? 'stuck' : 'healthy'));
      await stage.push('team/base', 'main', sampleApp('1.0.1', 'green', 'base'));
      stage.poke('OCIRepository', 'base');
      await stage.cluster.until(
        'Kustomization',
        one('base', (object) => !shown(object, 'Ready').startsWith('Ready=True')),
      );
      return {
        ...(await version('1.0.1')(stage)),
        meanwhile: async () => {
          await pause(700);
          stage.cluster.scripts.workloads(() => 'healthy');
        },
      };
    },
  },
  {
    traps: '20',
    story: 'a Helm upgrade fails and is rolled back: healthy at the version before',
    truth: 'broken',
    setUp: helm,
    play: (stage) => deliver(stage, release(stage, '2-broken', '  upgrade: {timeout: 8s, remediation: {retries: 1}}')),
  },
  {
    traps: '21',
    story: 'a health check that the next version, which holds our values, cancels',
    truth: 'healthy',
    setUp: { spec: { timeout: '60s' }, options: { featureGates: { CancelHealthCheckOnNewRevision: true } } },
    async play(stage) {
      stage.cluster.scripts.workloads(() => 'stuck');
      const wanted = await stage.deliver(sampleApp('1.0.1'), 1);
      stage.poke('OCIRepository', 'app');
      await stage.cluster.until(
        'Kustomization',
        one('app', (object) => shown(object, 'Healthy').startsWith('Healthy=Unknown')),
      );
      // The generated ConfigMap's name tells the two versions apart.
      const first = /podinfo-config-[a-z0-9]+/.exec(
        JSON.stringify(stage.cluster.get('Deployment', 'demo', 'podinfo')),
      )![0];
      await stage.deliver(sampleApp('1.0.1', 'green'), 2);
      stage.cluster.scripts.workloads(({ object }) =>
        JSON.stringify(object.spec).includes(first) ? 'stuck' : 'healthy',
      );
      stage.poke('OCIRepository', 'app');
      return { wanted, commit: 1 };
    },
  },
  {
    traps: '22',
    story: 'only the values of a HelmRelease change, and break it',
    truth: 'broken',
    setUp: helm,
    play: (stage) => deliver(stage, release(stage, '2-broken')),
  },
  {
    traps: '23',
    story: 'source-controller restarts and loses its artifacts',
    truth: 'healthy',
    play: async (stage) => ({
      ...(await version('1.0.1')(stage)),
      meanwhile: () => stage.cluster.scripts.restart('source-controller'),
    }),
  },
  {
    traps: '26',
    story: 'a second Kustomization uses the artifact, in another namespace, and does not come up',
    truth: 'broken',
    async play(stage) {
      const second = fluxObjects(stage.registry.host, 'team/app', 'app', {
        targetNamespace: 'second',
        sourceRef: { kind: 'OCIRepository', name: 'app', namespace: 'flux-system' },
      })[1]!;
      stage.cluster.scripts.workloads(({ namespace }) => (namespace === 'second' ? 'stuck' : 'healthy'));
      stage.cluster.apply([
        { ...namespaceDemo, metadata: { name: 'second' } },
        { ...second, metadata: { ...second.metadata, namespace: 'second' } },
      ]);
      return version('1.0.1')(stage);
    },
  },
  {
    traps: '29',
    story: 'watches are cut and refused, old versions forgotten, requests answered 429',
    truth: 'healthy',
    async play(stage) {
      stage.cluster.scripts.cutWatches(true);
      stage.cluster.scripts.compact();
      stage.cluster.scripts.fail({ when: ({ verb }) => verb === 'list', answer: 429, times: 3 });
      return version('1.0.1')(stage);
    },
  },
  {
    traps: '30',
    story: 'kustomize-controller does nothing any more',
    truth: 'undecided',
    timeoutMs: 3_000,
    async play(stage) {
      stage.cluster.scripts.pause('kustomize-controller');
      return version('1.0.1')(stage);
    },
  },
  {
    traps: '31',
    story: 'the Kustomization is deleted while it is waited for',
    truth: 'broken',
    async play(stage) {
      const played = await version('1.0.1-broken')(stage);
      return {
        ...played,
        async meanwhile() {
          await stage.cluster.until(
            'Kustomization',
            one('app', (object) => shown(object, 'Healthy').startsWith('Healthy=Unknown')),
          );
          stage.cluster.remove('Kustomization', 'flux-system', 'app');
        },
      };
    },
  },
];
