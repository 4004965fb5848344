import { createHash } from 'node:crypto';
import { parse } from 'yaml';
import type { World } from '../flux/world.ts';
import type { ClusterObject } from '../handle.ts';
import { at, type Fields, fields, list, spec, text } from '../store/object.ts';
import { mergeValues } from './chart.ts';

/** Values that cannot be composed: message of `ValuesError`. */
export class ValuesError extends Error {}

function placed(path: string, value: unknown): Fields {
  return path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Fields;
}

/** The values of a HelmRelease: `valuesFrom` in order, then `values`. Throws `ValuesError`. */
export function composeValues(world: World, object: ClusterObject): Fields {
  let values: Fields = {};
  for (const reference of list(spec(object)['valuesFrom'])) {
    const kind = text(at(reference, 'kind'));
    const name = text(at(reference, 'name'));
    const key = text(at(reference, 'valuesKey')) || 'values.yaml';
    const namespace = object.metadata.namespace ?? '';
    const resource = world.store.kinds.named(kind);
    const found = resource && world.store.find(resource, namespace, name);
    const raw = text(fields(found?.['data'])[key]);
    if (!found || raw === '') {
      if (at(reference, 'optional') === true) continue;
      const why = found
        ? `missing key '${key}' in ${kind} '${namespace}/${name}'`
        : `${kind.toLowerCase()}s "${name}" not found`;
      throw new ValuesError(
        `could not resolve ${kind} chart values reference '${namespace}/${name}' with key '${key}': ${why}`,
      );
    }
    const content = kind === 'Secret' ? Buffer.from(raw, 'base64').toString('utf8') : raw;
    const target = text(at(reference, 'targetPath'));
    values = mergeValues(values, target === '' ? parse(content) : placed(target, content.trim()));
  }
  return mergeValues(values, spec(object)['values']);
}

/** `sha256:…` of values, whatever the order of their keys. */
export function digestOfValues(values: Fields): string {
  const sorted = JSON.stringify(values, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return `sha256:${createHash('sha256').update(sorted).digest('hex')}`;
}
