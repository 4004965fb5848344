import type { ClusterObject } from '../handle.ts';

/** Fields of a JSON object of unknown shape. */
export type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as an object; {} when it is none. */
export function fields(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The value as an array; [] when it is none. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as text; '' when it is neither text nor number. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

/** The value as number, or the fallback. */
export function number(value: unknown, fallback: number): number {
  return typeof value === 'number' ? value : fallback;
}

/** `spec` of an object. */
export function spec(object: ClusterObject): Fields {
  return fields(object.spec);
}

/** `status` of an object. */
export function status(object: ClusterObject): Fields {
  return fields(object.status);
}

/** The value below nested keys, undefined where a step is missing. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let here: unknown = value;
  for (const key of path) here = isFields(here) ? here[key] : undefined;
  return here;
}

/** Group of an apiVersion; '' for core. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

/** Version of an apiVersion. */
export function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1);
}

/** Deep equality of JSON values, independent of key order. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (!isFields(a) || !isFields(b)) return false;
  const keys = Object.keys(a).filter((key) => a[key] !== undefined);
  return (
    keys.length === Object.keys(b).filter((key) => b[key] !== undefined).length &&
    keys.every((key) => same(a[key], b[key]))
  );
}
