import type { ClusterOptions } from '../../../sandbox/cluster/handle.ts';
import type { ClusterWorld } from '../../sandbox/cluster-world.ts';
import { fluxObjects, one, sampleApp, shown } from '../../sandbox/cluster-world.ts';
import { pushChart, release } from '../../sandbox/tiny-chart.ts';
import { namespaceDemo } from '../../watch/cluster-world.ts';
import { deliver, pause, version } from './trap.ts';
import type { Trap } from './trap.ts';
import type { Stage } from './stage.ts';

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

/** Traps of what stands below and beside, and of the cluster itself. */
export const chainTraps: readonly Trap[] = [
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
