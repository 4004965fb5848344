import { describe, expect, test } from 'vitest';
import { lookAt, podinfo } from './look.ts';
import {
  conditions,
  former,
  formerCommit,
  kustomization,
  newer,
  newerCommit,
  ociRepository,
  ourCommit,
  ours,
  type ConditionWords,
} from './objects.ts';
import { at, source, nameOf, running, reconciling, healthy } from './runs.ts';

describe('bound to the digest', () => {
  test('trap 1: Ready of the former revision is not ours', () => {
    const cluster = lookAt();
    expect(nameOf(cluster.look(source(), kustomization(at(former))))).toBeNull();
    expect(nameOf(cluster.look(source(), kustomization(at(ours))))).toBe('synced');
  });

  test('trap 2: a ready source with the former artifact is waited for, and asked', () => {
    const cluster = lookAt();
    cluster.relations.set(formerCommit, 'other');
    const settled = cluster.look(ociRepository(former, { commit: formerCommit }), kustomization(at(former)));
    expect(settled.phase).toBe('waiting');
    expect(settled.behind).toEqual([{ kind: 'OCIRepository', namespace: 'flux-system', name: 'podinfo' }]);
    expect(settled.verdict).toBeNull();
  });

  test.each([`staging@${ours}`, ours, `1.2.3@${ours}`])(
    'trap 3: only the digest part of %s is compared',
    (revision) => {
      const settled = lookAt().look(
        ociRepository(ours, { status: { artifact: { revision, metadata: {} } } }),
        kustomization(revision),
      );
      expect(nameOf(settled)).toBe('synced');
    },
  );

  test('trap 4: the tarball digest is never taken for the OCI digest', () => {
    const cluster = lookAt({ ...podinfo, wanted: `sha256:${'f'.repeat(64)}` });
    cluster.relations.set(ourCommit, 'other');
    expect(cluster.look(source(), kustomization(at(ours))).phase).toBe('waiting');
  });

  test('trap 7, 8: content that was there before is judged from the present state', () => {
    expect(nameOf(lookAt().look(source(), kustomization(at(ours))))).toBe('synced');
  });

  test('trap 11: Ready and applied ours while another revision was attempted last', () => {
    const cluster = lookAt();
    expect(
      nameOf(cluster.look(source(), running(ours, former, [['Ready', 'True', 'ReconciliationSucceeded'], healthy]))),
    ).toBeNull();
    const unobserved = kustomization(at(ours), { generation: 4, status: { observedGeneration: 3 } });
    expect(nameOf(cluster.look(source(), unobserved))).toBeNull();
    const busy = running(ours, ours, [['Ready', 'True', 'ReconciliationSucceeded'], healthy, reconciling]);
    expect(nameOf(cluster.look(source(), busy))).toBeNull();
  });

  test('the order of Flux’s writes: conditions first, the other fields some milliseconds later', () => {
    const cluster = lookAt();
    const words: ConditionWords[] = [
      ['Ready', 'True', 'ReconciliationSucceeded', `Applied revision: ${at(ours)}`],
      healthy,
    ];
    const first = kustomization(at(former), {
      generation: 2,
      status: { lastAttemptedRevision: at(ours), observedGeneration: 1, conditions: conditions(...words) },
    });
    expect(nameOf(cluster.look(source(), first))).toBeNull();
    const second = kustomization(at(ours), { generation: 2, status: { conditions: conditions(...words) } });
    expect(nameOf(cluster.look(source(), second))).toBe('synced');
  });

  test('a source can be Ready before its artifact is written', () => {
    const cluster = lookAt();
    const bare = ociRepository(undefined, {
      status: { conditions: conditions(['Ready', 'True', 'Succeeded', 'stored artifact']) },
    });
    expect(cluster.look(bare, kustomization(at(former))).phase).toBe('waiting');
  });
});

describe('newer and older revisions', () => {
  test('trap 5: a newer revision is followed when it holds our values', () => {
    const cluster = lookAt();
    const objects = [ociRepository(newer, { commit: newerCommit }), kustomization(at(newer))] as const;
    expect(cluster.look(...objects).questions).toEqual([newerCommit]);
    expect(nameOf(cluster.look(...objects))).toBeNull();
    cluster.relations.set(newerCommit, 'follow');
    expect(nameOf(cluster.look(...objects))).toBe('synced');
  });

  test('trap 5: a newer revision without our values supersedes ours', () => {
    const cluster = lookAt();
    cluster.relations.set(newerCommit, 'gone');
    expect(nameOf(cluster.look(ociRepository(newer, { commit: newerCommit }), kustomization(at(newer))))).toBe(
      'superseded',
    );
  });

  test('trap 5: the failure of ours is not the last word while a newer one that holds our values is on its way', () => {
    const cluster = lookAt();
    cluster.relations.set(newerCommit, 'follow');
    const failing = running(former, ours, [['Ready', 'False', 'HealthCheckFailed', 'health check failed']]);
    expect(nameOf(cluster.look(ociRepository(newer, { commit: newerCommit }), failing))).toBeNull();
    const next = running(former, newer, [['Ready', 'False', 'BuildFailed', 'build failed']]);
    expect(cluster.look(ociRepository(newer, { commit: newerCommit }), next).verdict).toMatchObject({
      verdict: 'failed',
      reason: 'BuildFailed',
    });
  });

  test('trap 6: a tag that is moved back after ours was shown has superseded it', () => {
    const cluster = lookAt();
    cluster.relations.set(formerCommit, 'other');
    expect(nameOf(cluster.look(source(), kustomization(at(former))))).toBeNull();
    expect(nameOf(cluster.look(ociRepository(former, { commit: formerCommit }), kustomization(at(former))))).toBe(
      'superseded',
    );
  });

  test('trap 25: without an annotated commit another digest counts as older, and is asked about by its revision', () => {
    const cluster = lookAt();
    const bare = ociRepository(former, { status: { artifact: { revision: at(former) } } });
    expect(cluster.look(bare, kustomization(at(former))).questions).toEqual([at(former)]);
    cluster.relations.set(at(former), 'other');
    expect(nameOf(cluster.look(bare, kustomization(at(former))))).toBeNull();
  });
});
