import type { Asked } from '../../src/watch/chain.ts';
import type { KindName } from '../../src/watch/kinds.ts';
import { defaultPatience, noProgress, type Progress, type Relation } from '../../src/watch/patience.ts';
import { settle, type Settled } from '../../src/watch/settle.ts';
import type { Followed } from '../../src/watch/verdict.ts';
import { createView, type ClusterView } from '../../src/watch/view.ts';
import type { StoredObject } from '../doubles/kubernetes.ts';
import { ourCommit, ours } from './objects.ts';

export const podinfo: Followed = {
  cluster: 'staging-eu',
  environment: 'staging',
  app: 'podinfo',
  artifact: 'podinfo',
  source: 'oci',
  urls: ['registry.example.com/shop/delivery/podinfo'],
  reference: 'staging',
  wanted: ours,
  commit: ourCommit,
  namespace: 'flux-system',
  objects: [],
  roots: ['apps/podinfo/staging'],
  health: 'workloads',
};

/** The same where Flux reads the delivery repository itself. */
export const podinfoFromGit: Followed = {
  ...podinfo,
  source: 'git',
  urls: ['https://gitlab.example.com/shop/delivery.git'],
  reference: 'main',
  wanted: ourCommit,
};

const KINDS: readonly KindName[] = [
  'OCIRepository',
  'GitRepository',
  'Kustomization',
  'HelmRelease',
  'HelmChart',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'Job',
  'Pod',
];

/** A cluster in memory whose state is set and looked at again and again, with a clock of its own. */
export function lookAt(followed: Followed = podinfo) {
  const view: ClusterView = createView();
  const relations = new Map<string, Relation>();
  const asked = new Map<string, Asked>();
  const touched = new Map<string, boolean>();
  let progress: Progress = noProgress;
  let now = 1_000_000;
  const refused = new Set<string>();
  let current: readonly StoredObject[] = [];

  function show(objects: readonly StoredObject[]): void {
    current = objects;
    for (const kind of KINDS) {
      if (refused.has(kind)) continue;
      view.replace(
        kind,
        null,
        objects.filter((object) => object.kind === kind),
        now,
      );
    }
  }
  function look(...objects: readonly StoredObject[]): Settled {
    if (objects.length > 0) show(objects);
    let settled!: Settled;
    // A second look stands for the fresh lists that the first one may have asked for.
    for (let turn = 0; turn < 3; turn += 1) {
      settled = settle({ view, followed, progress, relations, asked, touched, now, patience: defaultPatience });
      progress = settled.progress;
      if (settled.needs.length === 0) break;
      show(current);
    }
    return settled;
  }
  return {
    view,
    relations,
    asked,
    touched,
    look,
    /** One look without the fresh lists. */
    glance: () => {
      const settled = settle({ view, followed, progress, relations, asked, touched, now, patience: defaultPatience });
      progress = settled.progress;
      return settled;
    },
    show,
    refuse(kind: KindName, state: 'forbidden' | 'missing' = 'forbidden') {
      refused.add(kind);
      view.refuse(kind, null, state);
      if (state === 'forbidden') view.refuse(kind, 'flux-system', state);
      if (state === 'forbidden') view.refuse(kind, 'shop', state);
    },
    /** Lets time pass, looking every second as the loop does, and answers the last look. */
    pass(ms: number): Settled {
      let settled = look();
      for (const end = now + ms; now < end;) {
        now = Math.min(end, now + 1_000);
        settled = look();
        if (settled.verdict) break;
      }
      return settled;
    },
    tick(ms: number) {
      now += ms;
    },
    now: () => now,
  };
}
