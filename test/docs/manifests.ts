import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parseAllDocuments } from 'yaml';

interface Manifest {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly name?: string };
  readonly spec?: unknown;
}

const { kinds } = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', 'flux-2.9.json'), 'utf8')) as {
  kinds: Readonly<Record<string, object>>;
};
const ajv = new Ajv({ strict: false, allErrors: true });
const specs = new Map(Object.entries(kinds).map(([kind, schema]) => [kind, ajv.compile(schema)]));

/** Kinds without a definition here, and what must stand in them. */
const plain: Readonly<Record<string, readonly string[]>> = {
  'v1 Secret': ['metadata'],
  'v1 Namespace': ['metadata'],
  'v1 ConfigMap': ['metadata'],
  'v1 ServiceAccount': ['metadata'],
  'apps/v1 Deployment': ['metadata', 'spec'],
  'kustomize.config.k8s.io/v1beta1 Kustomization': [],
  'rbac.authorization.k8s.io/v1 ClusterRole': ['metadata', 'rules'],
  'rbac.authorization.k8s.io/v1 Role': ['metadata', 'rules'],
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': ['metadata', 'roleRef', 'subjects'],
  'rbac.authorization.k8s.io/v1 RoleBinding': ['metadata', 'roleRef', 'subjects'],
};

/** What is wrong with manifests: YAML, unknown kinds, fields of `spec` that Flux's definitions do not have. */
export function manifestFaults(text: string): readonly string[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) return document.errors.map((error) => error.message);
    const manifest = document.toJS() as Manifest | null;
    if (manifest === null) return ['a document is empty'];
    const kind = `${manifest.apiVersion} ${manifest.kind}`;
    const own = plain[kind];
    if (own) return own.filter((key) => !(key in manifest)).map((key) => `${kind}: ${key} is missing`);
    const validate = specs.get(kind);
    if (!validate) return [`${kind} is no known kind`];
    if (manifest.metadata?.name === undefined) return [`${kind}: metadata.name is missing`];
    validate(manifest.spec);
    const unlike = (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${kind}: spec${instancePath} ${message} ${JSON.stringify(params)}`,
    );
    return [...unlike, ...wildcardFaults(manifest)];
  });
}

/** `*` without labels is answered with 500 (notification-controller, internal/server/receiver_handlers.go). */
function wildcardFaults({ kind, spec }: Manifest): readonly string[] {
  if (kind !== 'Receiver') return [];
  const { resources = [] } = spec as { resources?: readonly { name?: string; matchLabels?: object }[] };
  return resources
    .filter(({ name, matchLabels }) => name === '*' && matchLabels === undefined)
    .map(() => 'Receiver: a resource named "*" needs matchLabels');
}
