import { one, sampleApp, shown } from '../../sandbox/cluster-world.ts';
import { deliver, pause, version } from './trap.ts';
import type { Trap } from './trap.ts';
import type { Stage } from './stage.ts';

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

/** Traps of sources, revisions and conditions. */
export const revisionTraps: readonly Trap[] = [
  { traps: '3, 4', story: 'a new version comes up', truth: 'healthy', play: version('1.0.1') },
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
];
