import type { ClusterObject } from '../handle.ts';
import type { Resource } from './kinds.ts';
import { badRequest, invalid, StatusError } from './status-error.ts';
import { at, fields, isFields, list, same, spec, text } from './object.ts';

type Check = (object: ClusterObject) => string[];

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const required =
  (...paths: readonly string[]): Check =>
  (object) =>
    paths.filter((path) => at(object, ...path.split('.')) === undefined).map((path) => `${path}: Required value`);

const matching =
  (path: string, pattern: RegExp): Check =>
  (object) => {
    const value = at(object, ...path.split('.'));
    if (value === undefined || (typeof value === 'string' && pattern.test(value))) return [];
    return [`${path}: Invalid value: ${JSON.stringify(value)}: ${path} in body should match '${pattern.source}'`];
  };

const oneOf =
  (path: string, values: readonly string[]): Check =>
  (object) => {
    const value = at(object, ...path.split('.'));
    if (value === undefined || values.includes(text(value))) return [];
    const shown = values.map((one) => `"${one}"`).join(', ');
    return [`${path}: Unsupported value: ${JSON.stringify(value)}: supported values: ${shown}`];
  };

const servicePorts: Check = (object) =>
  list(spec(object)['ports']).flatMap((port, i) => {
    const value = at(port, 'port');
    if (typeof value === 'number' && value >= 1 && value <= 65535) return [];
    return [`spec.ports[${i}].port: Invalid value: ${String(value)}: must be between 1 and 65535, inclusive`];
  });

const podTemplate: Check = (object) => {
  const template = at(object, 'spec', 'template');
  const containers = list(at(template, 'spec', 'containers'));
  if (containers.length === 0) return ['spec.template.spec.containers: Required value'];
  return containers.flatMap((container, i) =>
    ['name', 'image']
      .filter((key) => text(at(container, key)) === '')
      .map((key) => `spec.template.spec.containers[${i}].${key}: Required value`),
  );
};

const selected: Check = (object) => {
  const wanted = fields(at(object, 'spec', 'selector', 'matchLabels'));
  const labels = fields(at(object, 'spec', 'template', 'metadata', 'labels'));
  if (at(object, 'spec', 'selector') === undefined) return ['spec.selector: Required value'];
  if (Object.entries(wanted).every(([key, value]) => labels[key] === value)) return [];
  return [
    `spec.template.metadata.labels: Invalid value: ${JSON.stringify(labels)}: \`selector\` does not match template \`labels\``,
  ];
};

const duration = /^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/;
const interval = [required('spec.interval'), matching('spec.interval', duration), matching('spec.timeout', duration)];
const replicas: Check = (object) => {
  const value = spec(object)['replicas'];
  return typeof value === 'number' && value < 0
    ? [`spec.replicas: Invalid value: ${value}: must be greater than or equal to 0`]
    : [];
};

const checks: Readonly<Record<string, readonly Check[]>> = {
  Service: [servicePorts],
  Deployment: [replicas, selected, podTemplate],
  StatefulSet: [replicas, selected, podTemplate],
  DaemonSet: [selected, podTemplate],
  Job: [podTemplate],
  OCIRepository: [required('spec.url'), matching('spec.url', /^oci:\/\/.*$/), ...interval],
  GitRepository: [required('spec.url'), matching('spec.url', /^(http|https|ssh):\/\/.*$/), ...interval],
  HelmRepository: [matching('spec.url', /^(http|https|oci):\/\/.*$/)],
  HelmChart: [required('spec.chart', 'spec.sourceRef'), ...interval],
  Kustomization: [
    required('spec.prune', 'spec.sourceRef', 'spec.sourceRef.kind', 'spec.sourceRef.name'),
    oneOf('spec.sourceRef.kind', ['OCIRepository', 'GitRepository', 'Bucket', 'ExternalArtifact']),
    ...interval,
  ],
  HelmRelease: [
    ...interval,
    (object) =>
      (spec(object)['chart'] === undefined) === (spec(object)['chartRef'] === undefined)
        ? ['spec: Invalid value: "object": either chart or chartRef must be set']
        : [],
  ],
  Receiver: [
    required('spec.type', 'spec.resources'),
    (object) =>
      spec(object)['type'] !== 'generic-oidc' && spec(object)['secretRef'] === undefined
        ? ['spec: Invalid value: "object": spec.secretRef is required unless spec.type is \'generic-oidc\'']
        : [],
  ],
};

function decode(resource: Resource, object: ClusterObject, isApply: boolean): void {
  for (const key of ['data', 'binaryData']) {
    if (!['ConfigMap', 'Secret'].includes(resource.kind) || object[key] === undefined) continue;
    for (const [name, value] of Object.entries(fields(object[key]))) {
      if (typeof value === 'string') continue;
      if (isApply) {
        const id = `${object.metadata.namespace}/${object.metadata.name}; /v1, Kind=${resource.kind}`;
        const why = `.${key}.${name}: expected string, got &value.valueUnstructured{Value:${JSON.stringify(value)}}`;
        throw new StatusError(500, '', `failed to create typed patch object (${id}): ${why}`);
      }
      const type = typeof value === 'boolean' ? 'bool' : typeof value === 'number' ? 'number' : 'object';
      throw badRequest(
        `${resource.kind} in version "v1" cannot be handled as a ${resource.kind}: json: cannot unmarshal ${type} into Go struct field ${resource.kind}.${key} of type string`,
      );
    }
  }
  if (object.spec !== undefined && !isFields(object.spec)) throw badRequest('spec must be an object');
}

/** Refuses what the API server (for Flux's kinds: their schema) refuses. Throws `StatusError` 400 or 422, or 500 for what server-side apply cannot read. */
export function validate(
  resource: Resource,
  object: ClusterObject,
  before: ClusterObject | undefined,
  isApply: boolean,
): void {
  decode(resource, object, isApply);
  const name = object.metadata.name;
  const causes: string[] = [];
  if (!subdomain.test(name) && resource.group !== 'rbac.authorization.k8s.io') {
    causes.push(`metadata.name: Invalid value: "${name}": ${subdomainRule}`);
  }
  if (!resource.custom) for (const check of checks[resource.kind] ?? []) causes.push(...check(object));
  if (before && ['Deployment', 'StatefulSet', 'DaemonSet'].includes(resource.kind)) {
    const selector = spec(object)['selector'];
    if (!same(selector, spec(before)['selector'])) {
      causes.push(`spec.selector: Invalid value: ${JSON.stringify(selector)}: field is immutable`);
    }
  }
  if (before && resource.kind === 'Job' && !same(spec(object)['template'], spec(before)['template'])) {
    causes.push(`spec.template: Invalid value: ${JSON.stringify(spec(object)['template'])}: field is immutable`);
  }
  if (causes.length > 0) throw invalid(resource, name, causes);
}
