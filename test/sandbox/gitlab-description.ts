import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';

/** GitLab's own description of its REST API (`sandbox/gitlab/api.json`), as a check of answers. */

type Schema = Readonly<Record<string, unknown>>;
interface Description {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { readonly responses?: Readonly<Record<string, { readonly schema?: Schema }>> }>>
    >
  >;
  readonly definitions: Readonly<Record<string, Schema>>;
}

const description = JSON.parse(
  readFileSync(new URL('../../sandbox/gitlab/api.json', import.meta.url), 'utf8'),
) as Description;

/**
 * Entities whose fields GitLab's generator leaves without a type and writes as `string` (booleans, numbers and
 * lists are among them).
 */
const untyped = new Set([
  'inline',
  'API_Entities_ProjectAccess',
  'API_Entities_MergeRequestBasic',
  'API_Entities_MergeRequest',
  'API_Entities_Commit',
  'API_Entities_CommitDetail',
  'API_Entities_Clusters_Agent',
  'API_Entities_MergeRequestApprovals',
  'API_Entities_TaskCompletionStatus',
  'API_Entities_ContainerExpirationPolicy',
]);

/** Fields that GitLab answers and this version of its description does not name yet, or gives no type. */
const newer: Readonly<Record<string, readonly string[]>> = {
  API_Entities_Ci_Variable: ['hidden'],
  API_Entities_Diff: ['collapsed', 'too_large'],
  API_Entities_Project: ['merge_pipelines_enabled'],
  API_Entities_ProjectHook: ['id', 'project_id'],
  API_Entities_ProjectWithAccess: ['merge_pipelines_enabled'],
};

const scalar = new Set(['string', 'integer', 'number', 'boolean']);

function rewrite(schema: unknown, entity: string): unknown {
  if (typeof schema !== 'object' || schema === null) return schema;
  const node = schema as Readonly<Record<string, unknown>>;
  if (typeof node['$ref'] === 'string') {
    const name = node['$ref'].split('/').at(-1);
    const ref = { $ref: `gitlab#/definitions/${name}` };
    // Lists of entities are described like single ones.
    return { anyOf: [{ type: 'null' }, ref, { type: 'array', items: ref }] };
  }
  const type = node['type'];
  if (node['properties'] || type === 'object') {
    const properties = Object.entries((node['properties'] ?? {}) as Record<string, unknown>).map(([key, value]) => [
      key,
      rewrite(value, typeof value === 'object' && value !== null && 'properties' in value ? 'inline' : entity),
    ]);
    for (const key of newer[entity] ?? []) properties.push([key, {}]);
    return {
      type: ['object', 'null'],
      properties: Object.fromEntries(properties),
      ...(node['properties'] ? { additionalProperties: false } : {}),
    };
  }
  if (type === 'array') return { type: ['array', 'null'], items: node['items'] ? rewrite(node['items'], entity) : {} };
  if (type === 'string' && node['format'] === undefined && untyped.has(entity)) return {};
  const format = node['format'] === 'date-time' ? { pattern: String.raw`^\d{4}-\d{2}-\d{2}` } : {};
  return {
    ...(typeof type === 'string' && scalar.has(type) ? { type: [type, 'null'] } : {}),
    ...format,
    ...(node['enum'] ? { enum: [...(node['enum'] as unknown[]), null] } : {}),
  };
}

const ajv = new Ajv({ strict: false, allErrors: true });
const definitions = Object.fromEntries(
  Object.entries(description.definitions).map(([name, schema]) => [name, rewrite(schema, name)]),
);

ajv.addSchema({ $id: 'gitlab', definitions });

interface Endpoint {
  readonly method: string;
  readonly template: string;
  readonly pattern: RegExp;
  readonly validate: (() => ValidateFunction) | null;
}

/** Answers that the description gives a wrong shape. */
const wrong = new Set([
  'get /api/v4/job/allowed_agents',
  'get /api/v4/projects/{id}/jobs/{job_id}/trace',
  'get /api/v4/projects/{id}/repository/files/{file_path}/raw',
  'delete *',
]);

const endpoints: readonly Endpoint[] = Object.entries(description.paths).flatMap(([template, methods]) =>
  Object.entries(methods).map(([method, operation]) => {
    const schema = Object.entries(operation.responses ?? {}).find(
      ([code, answer]) => code.startsWith('2') && answer.schema,
    )?.[1].schema;
    const pattern = new RegExp(
      `^${template
        .split(/\{\w+\}/)
        .map((part) => part.replaceAll(/[.()]/g, '\\$&'))
        .join('[^/]+')}$`,
    );
    const known = schema && !wrong.has(`${method} ${template}`) && method !== 'delete';
    let compiled: ValidateFunction | undefined;
    const one = rewrite(schema, '');
    const validate = known
      ? () => (compiled ??= ajv.compile({ anyOf: [one, { type: 'array', items: one }] } as object))
      : null;
    return { method, template, pattern, validate };
  }),
);

/** What is wrong with a successful JSON answer; empty: nothing, or the endpoint is not described. */
export function faultsOf(method: string, path: string, body: unknown): readonly string[] {
  // The longest template is the most special one (`/access_tokens/self/rotate`).
  const fitting = endpoints
    .filter((each) => each.method === method.toLowerCase() && each.pattern.test(path))
    .toSorted((a, b) => b.template.replaceAll(/\{\w+\}/g, '').length - a.template.replaceAll(/\{\w+\}/g, '').length);
  const [endpoint] = fitting;
  if (!endpoint?.validate) return [];
  const validate = endpoint.validate();
  if (validate(body)) return [];
  const faults = (validate.errors ?? []).filter(
    (error) => error.keyword !== 'anyOf' && !(error.keyword === 'type' && error.params['type'] === 'null'),
  );
  return faults.map(
    (error) =>
      `${endpoint.method} ${endpoint.template}${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`,
  );
}
