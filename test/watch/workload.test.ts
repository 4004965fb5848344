import { describe, expect, test } from 'vitest';
import { firstCause } from '../../src/watch/cause.ts';
import { readWorkload } from '../../src/watch/workload.ts';
import type { StoredObject } from '../doubles/kubernetes.ts';
import { conditions, deployment } from './objects.ts';

const stateOf = (object: StoredObject) => readWorkload(object).judgement;
const made = (kind: string, spec: object, status: object, generation = 1): StoredObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'podinfo', namespace: 'shop', generation },
  spec,
  status,
});

describe('kstatus rules', () => {
  test.each<[string, StoredObject, string]>([
    ['a rolled out Deployment', deployment(), 'ready'],
    ['a Deployment nobody looked at', deployment({ generation: 3, status: { observedGeneration: 2 } }), 'progressing'],
    ['a Deployment without status', made('Deployment', { replicas: 1 }, {}), 'progressing'],
    ['a Deployment with old replicas left', deployment({ status: { replicas: 3 } }), 'progressing'],
    ['a Deployment that is not updated', deployment({ status: { updatedReplicas: 1 } }), 'progressing'],
    [
      'a Deployment that is not available',
      deployment({
        status: {
          conditions: conditions(
            ['Available', 'False', 'MinimumReplicasUnavailable'],
            ['Progressing', 'True', 'NewReplicaSetAvailable'],
          ),
        },
      }),
      'progressing',
    ],
    [
      'a Deployment in the middle of its rollout',
      deployment({
        status: { conditions: conditions(['Available', 'True', 'x'], ['Progressing', 'True', 'ReplicaSetUpdated']) },
      }),
      'progressing',
    ],
    [
      'a Deployment past its deadline',
      deployment({ status: { conditions: conditions(['Progressing', 'False', 'ProgressDeadlineExceeded']) } }),
      'failed',
    ],
    [
      'a Deployment scaled to nothing',
      deployment({
        spec: { replicas: 0 },
        status: { replicas: 0, updatedReplicas: 0, readyReplicas: 0, availableReplicas: 0 },
      }),
      'ready',
    ],
    [
      'a Deployment on its way out',
      deployment({ metadata: { deletionTimestamp: '2026-11-22T10:00:00Z' } }),
      'progressing',
    ],
    [
      'a rolled out StatefulSet',
      made(
        'StatefulSet',
        { replicas: 1 },
        {
          observedGeneration: 1,
          replicas: 1,
          readyReplicas: 1,
          currentReplicas: 1,
          updateRevision: 'a',
          currentRevision: 'a',
        },
      ),
      'ready',
    ],
    [
      'a StatefulSet between revisions',
      made(
        'StatefulSet',
        { replicas: 1 },
        {
          observedGeneration: 1,
          replicas: 1,
          readyReplicas: 1,
          currentReplicas: 1,
          updateRevision: 'b',
          currentRevision: 'a',
        },
      ),
      'progressing',
    ],
    [
      'a partitioned StatefulSet',
      made(
        'StatefulSet',
        { replicas: 3, updateStrategy: { rollingUpdate: { partition: 2 } } },
        { observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 1 },
      ),
      'ready',
    ],
    [
      'a DaemonSet on all nodes',
      made(
        'DaemonSet',
        {},
        {
          observedGeneration: 1,
          desiredNumberScheduled: 2,
          currentNumberScheduled: 2,
          updatedNumberScheduled: 2,
          numberAvailable: 2,
          numberReady: 2,
        },
      ),
      'ready',
    ],
    [
      'a DaemonSet on some nodes',
      made(
        'DaemonSet',
        {},
        {
          observedGeneration: 1,
          desiredNumberScheduled: 2,
          currentNumberScheduled: 2,
          updatedNumberScheduled: 1,
          numberAvailable: 2,
          numberReady: 2,
        },
      ),
      'progressing',
    ],
    ['a DaemonSet that is not scheduled', made('DaemonSet', {}, { observedGeneration: 1 }), 'progressing'],
    ['a running Job', made('Job', {}, { active: 1, startTime: '2026-11-22T10:00:00Z' }), 'progressing'],
    [
      'a completed Job',
      made('Job', {}, { conditions: conditions(['Complete', 'True', 'CompletionsReached']) }),
      'ready',
    ],
    [
      'a failed Job',
      made(
        'Job',
        {},
        {
          conditions: conditions([
            'Failed',
            'True',
            'BackoffLimitExceeded',
            'Job has reached the specified backoff limit',
          ]),
        },
      ),
      'failed',
    ],
    ['a ready Pod', made('Pod', {}, { phase: 'Running', conditions: conditions(['Ready', 'True', '']) }), 'ready'],
    ['a pending Pod', made('Pod', {}, { phase: 'Pending' }), 'progressing'],
    ['a failed Pod', made('Pod', {}, { phase: 'Failed' }), 'failed'],
    [
      'a full ReplicaSet',
      made(
        'ReplicaSet',
        { replicas: 1 },
        { observedGeneration: 1, fullyLabeledReplicas: 1, availableReplicas: 1, readyReplicas: 1 },
      ),
      'ready',
    ],
    [
      'a ReplicaSet that cannot create pods',
      made(
        'ReplicaSet',
        { replicas: 1 },
        { observedGeneration: 1, conditions: conditions(['ReplicaFailure', 'True', 'FailedCreate', 'quota']) },
      ),
      'progressing',
    ],
  ])('%s', (_what, object, expected) => {
    expect(stateOf(object).state).toBe(expected);
  });
});

describe('first cause', () => {
  const workload = readWorkload(deployment());
  const pod = (name: string, status: object, labels: object = { app: 'podinfo' }) =>
    ({ kind: 'Pod', metadata: { name, namespace: 'shop', labels }, status }) as never;
  const waiting = (reason: string, message: string) => ({
    containerStatuses: [{ state: { waiting: { reason, message } } }],
  });
  const event = (name: string, reason: string, lastTimestamp: string, type = 'Warning') =>
    ({
      kind: 'Event',
      metadata: { name: `${name}.1` },
      involvedObject: { name },
      reason,
      message: `${reason} message`,
      type,
      lastTimestamp,
    }) as never;

  test('the waiting reason of a pod of the workload', () => {
    const pods = [
      pod('other-1', waiting('CrashLoopBackOff', 'not mine'), { app: 'other' }),
      pod('podinfo-1', waiting('ContainerCreating', '')),
      pod('podinfo-2', waiting('ImagePullBackOff', 'Back-off pulling image "nope"\n')),
    ];
    expect(firstCause(workload, pods, [])).toBe(
      'Deployment shop/podinfo: pod podinfo-2: ImagePullBackOff: Back-off pulling image "nope"',
    );
  });

  test.each([
    [{ initContainerStatuses: [{ state: { waiting: { reason: 'CrashLoopBackOff' } } }] }, 'CrashLoopBackOff'],
    [
      { containerStatuses: [{ state: { terminated: { reason: 'OOMKilled', exitCode: 137 } } }] },
      'OOMKilled: exit code 137',
    ],
    [
      { conditions: conditions(['PodScheduled', 'False', 'Unschedulable', '0/3 nodes are available']) },
      'Unschedulable: 0/3 nodes are available',
    ],
  ])('%o', (status, text) => {
    expect(firstCause(workload, [pod('podinfo-1', status)], [])).toBe(
      `Deployment shop/podinfo: pod podinfo-1: ${text}`,
    );
  });

  test('else the newest warning about it', () => {
    const events = [
      event('podinfo-1', 'FailedMount', '2026-11-22T10:00:00Z'),
      event('podinfo', 'FailedCreate', '2026-11-22T10:05:00Z'),
      event('podinfo-1', 'Pulled', '2026-11-22T10:06:00Z', 'Normal'),
      event('elsewhere', 'Unhealthy', '2026-11-22T10:07:00Z'),
    ];
    expect(firstCause(workload, [], events)).toBe('Deployment shop/podinfo: FailedCreate: FailedCreate message');
    expect(firstCause(workload, [], events.slice(3))).toBeUndefined();
  });
});
