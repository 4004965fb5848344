import { createHash } from 'node:crypto';
import { parse, stringify } from 'yaml';
import { fields, isFields, list, same } from '../store/object.ts';
import { TemplateError } from './lex.ts';

type Act = (...args: readonly unknown[]) => unknown;

/** Go's truth: empty values are false. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return isFields(value) ? Object.keys(value).length > 0 : Boolean(value);
}

/** Text of a value as a template prints it. */
export function print(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return `[${value.map(print).join(' ')}]`;
  if (isFields(value))
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${print(value[key])}`)
      .join(' ')}]`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const lines = (value: unknown, count: unknown) =>
  print(value)
    .split('\n')
    .map((line) => ' '.repeat(Number(count)) + line)
    .join('\n');
const toYaml = (value: unknown) => stringify(value ?? null, { lineWidth: 0 }).replace(/\n$/, '');

function format(pattern: unknown, ...args: readonly unknown[]): string {
  const queue = [...args];
  return print(pattern).replaceAll(/%([sdvqt%])/g, (_whole, verb: string) => {
    if (verb === '%') return '%';
    const value = queue.shift();
    return verb === 'q' ? JSON.stringify(print(value)) : print(value);
  });
}

function merged(...maps: readonly unknown[]): Record<string, unknown> {
  return maps.reduceRight<Record<string, unknown>>((all, map) => ({ ...all, ...fields(map) }), {});
}

function fail(message: unknown): never {
  throw new TemplateError(print(message));
}

/** Functions of Helm's templates that charts use most; `include`, `tpl`, `and`, `or` are with the evaluation. */
export const functions: Readonly<Record<string, Act>> = {
  default: (fallback, value) => (isTrue(value) ? value : fallback),
  coalesce: (...values) => values.find(isTrue),
  ternary: (yes, no, test) => (test === true ? yes : no),
  empty: (value) => !isTrue(value),
  required: (message, value) => (value === null || value === undefined || value === '' ? fail(message) : value),
  fail,
  quote: (...values) =>
    values
      .filter((value) => value !== null && value !== undefined)
      .map((value) => JSON.stringify(print(value)))
      .join(' '),
  squote: (...values) => values.map((value) => `'${print(value)}'`).join(' '),
  toYaml,
  fromYaml: (value) => parse(print(value)) as unknown,
  toJson: (value) => JSON.stringify(value),
  fromJson: (value) => JSON.parse(print(value)) as unknown,
  indent: (count, value) => lines(value, count),
  nindent: (count, value) => `\n${lines(value, count)}`,
  printf: format,
  print: (...values) => values.map(print).join(''),
  toString: print,
  upper: (value) => print(value).toUpperCase(),
  lower: (value) => print(value).toLowerCase(),
  title: (value) => print(value).replaceAll(/\b\w/g, (letter) => letter.toUpperCase()),
  trim: (value) => print(value).trim(),
  trimSuffix: (suffix, value) =>
    print(value).endsWith(print(suffix)) ? print(value).slice(0, -print(suffix).length) : print(value),
  trimPrefix: (prefix, value) =>
    print(value).startsWith(print(prefix)) ? print(value).slice(print(prefix).length) : print(value),
  trunc: (count, value) =>
    Number(count) < 0 ? print(value).slice(Number(count)) : print(value).slice(0, Number(count)),
  replace: (from, to, value) => print(value).replaceAll(print(from), print(to)),
  contains: (part, value) => print(value).includes(print(part)),
  hasPrefix: (part, value) => print(value).startsWith(print(part)),
  hasSuffix: (part, value) => print(value).endsWith(print(part)),
  regexMatch: (pattern, value) => new RegExp(print(pattern)).test(print(value)),
  splitList: (separator, value) => print(value).split(print(separator)),
  join: (separator, values) => list(values).map(print).join(print(separator)),
  b64enc: (value) => Buffer.from(print(value)).toString('base64'),
  b64dec: (value) => Buffer.from(print(value), 'base64').toString('utf8'),
  sha256sum: (value) => createHash('sha256').update(print(value)).digest('hex'),
  int: (value) => Math.trunc(Number(value) || 0),
  int64: (value) => Math.trunc(Number(value) || 0),
  float64: (value) => Number(value) || 0,
  add: (...values) => values.reduce<number>((sum, value) => sum + Number(value), 0),
  sub: (a, b) => Number(a) - Number(b),
  mul: (...values) => values.reduce<number>((product, value) => product * Number(value), 1),
  eq: (first, ...others) => others.some((other) => same(first, other)),
  ne: (a, b) => !same(a, b),
  lt: (a, b) => Number(a) < Number(b),
  le: (a, b) => Number(a) <= Number(b),
  gt: (a, b) => Number(a) > Number(b),
  ge: (a, b) => Number(a) >= Number(b),
  not: (value) => !isTrue(value),
  len: (value) =>
    typeof value === 'string' || Array.isArray(value) ? value.length : Object.keys(fields(value)).length,
  index: (value, ...keys) =>
    keys.reduce(
      (here, key) => (Array.isArray(here) ? (here[Number(key)] as unknown) : fields(here)[print(key)]),
      value,
    ),
  list: (...values) => values,
  first: (values) => list(values)[0],
  last: (values) => list(values).at(-1),
  append: (values, value) => [...list(values), value],
  has: (value, values) => list(values).some((one) => same(one, value)),
  dict: (...pairs) => Object.fromEntries(pairs.flatMap((key, i) => (i % 2 === 0 ? [[print(key), pairs[i + 1]]] : []))),
  get: (map, key) => fields(map)[print(key)] ?? '',
  hasKey: (map, key) => print(key) in fields(map),
  keys: (map) => Object.keys(fields(map)),
  omit: (map, ...keys) => Object.fromEntries(Object.entries(fields(map)).filter(([key]) => !keys.includes(key))),
  pick: (map, ...keys) => Object.fromEntries(Object.entries(fields(map)).filter(([key]) => keys.includes(key))),
  merge: merged,
  mergeOverwrite: (...maps) => merged(...[...maps].toReversed()),
  kindIs: (kind, value) =>
    kind ===
    (isFields(value) ? 'map' : Array.isArray(value) ? 'slice' : typeof value === 'boolean' ? 'bool' : typeof value),
  semverCompare: () => true,
  lookup: () => ({}),
};
