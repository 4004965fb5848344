import type { ClusterObject } from '../handle.ts';
import type { Resource } from './kinds.ts';
import { type Fields, at, fields, list, text } from './object.ts';

const fluxSpec: Readonly<Record<string, Fields>> = {
  OCIRepository: { timeout: '60s', provider: 'generic' },
  GitRepository: { timeout: '60s' },
  HelmRepository: { type: 'default', provider: 'generic' },
  HelmChart: { version: '*', reconcileStrategy: 'ChartVersion' },
  Kustomization: { force: false },
  Receiver: { interval: '10m' },
};

function podTemplate(template: unknown, restartPolicy: string): Fields {
  const pod = fields(at(template, 'spec'));
  const containers = (key: string) =>
    key in pod
      ? {
          [key]: list(pod[key]).map((container) => ({
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
            imagePullPolicy: /:[^/]+$/.test(text(at(container, 'image'))) ? 'IfNotPresent' : 'Always',
            ...fields(container),
          })),
        }
      : {};
  return {
    ...fields(template),
    spec: {
      restartPolicy,
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      ...pod,
      ...containers('containers'),
      ...containers('initContainers'),
    },
  };
}

function specDefaults(kind: string, spec: Fields): Fields {
  const template = (policy = 'Always') => ({ template: podTemplate(spec['template'], policy) });
  switch (kind) {
    case 'Deployment':
      return { replicas: 1, progressDeadlineSeconds: 600, revisionHistoryLimit: 10, ...spec, ...template() };
    case 'StatefulSet':
      return { replicas: 1, podManagementPolicy: 'OrderedReady', revisionHistoryLimit: 10, ...spec, ...template() };
    case 'DaemonSet':
      return { revisionHistoryLimit: 10, ...spec, ...template() };
    case 'Job':
      return { completions: 1, parallelism: 1, backoffLimit: 6, ...spec, ...template('Never') };
    case 'Service':
      return {
        type: 'ClusterIP',
        sessionAffinity: 'None',
        ...spec,
        ports: list(spec['ports']).map((port) => ({ protocol: 'TCP', ...fields(port) })),
      };
    default:
      return spec;
  }
}

function secretData(object: ClusterObject): ClusterObject {
  const { stringData, ...rest } = object;
  const given = Object.entries(fields(stringData)).map(([key, value]) => [
    key,
    Buffer.from(text(value)).toString('base64'),
  ]);
  return { type: 'Opaque', ...rest, data: { ...fields(object['data']), ...Object.fromEntries(given) } };
}

/** The object with the fields that the API server (for Flux: the CRD) fills in. */
export function withDefaults(resource: Resource, object: ClusterObject): ClusterObject {
  if (resource.kind === 'Secret' && resource.group === '') return secretData(object);
  if (object.spec === undefined) return object;
  if (resource.group.endsWith('.fluxcd.io')) return { ...object, spec: { ...fluxSpec[resource.kind], ...object.spec } };
  return { ...object, spec: specDefaults(resource.kind, fields(object.spec)) };
}

/** `status` of a new object. Flux's CRDs default observedGeneration to -1. */
export function firstStatus(resource: Resource): Fields | undefined {
  if (resource.kind === 'Namespace') return { phase: 'Active' };
  if (resource.kind === 'CustomResourceDefinition') {
    return { conditions: ['NamesAccepted', 'Established'].map((type) => ({ type, status: 'True', reason: type })) };
  }
  if (resource.group.endsWith('.toolkit.fluxcd.io') && resource.status) return { observedGeneration: -1 };
  return resource.status && !resource.custom ? {} : undefined;
}
