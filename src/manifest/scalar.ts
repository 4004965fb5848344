import { CST } from 'yaml';
import type { Scalar } from 'yaml';

type Type = 'string' | 'null' | 'boolean' | 'number' | 'timestamp' | 'merge';

const core: readonly (readonly [Type, RegExp])[] = [
  ['null', /^(?:~|null|Null|NULL|)$/],
  ['boolean', /^(?:true|True|TRUE|false|False|FALSE)$/],
  ['number', /^[-+]?(?:[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$/],
  ['number', /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/],
  ['number', /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/],
];

/** YAML 1.1 as Go's and Python's readers have it, and a little wider where they differ. */
const older: readonly (readonly [Type, RegExp])[] = [
  ['merge', /^(?:<<|=)$/],
  ['boolean', /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$/],
  ['number', /^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$/],
  ['number', /^[-+]?(?:[0-9][0-9_]*)?\.?[0-9_]*(?:[eE][-+]?[0-9]+)?$/],
  ['number', /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/],
  [
    'timestamp',
    /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?)?)?$/,
  ],
];

/** The type that a plain scalar reads as under YAML 1.2. */
function coreType(text: string): Type {
  return core.find(([, pattern]) => pattern.test(text))?.[0] ?? 'string';
}

/** The type under YAML 1.1, by which Kubernetes tools still read (https://pkg.go.dev/gopkg.in/yaml.v3#readme-compatibility). */
function olderType(text: string): Type {
  const type = coreType(text);
  if (type !== 'string' || !/[0-9a-zA-Z<=]/.test(text)) return type;
  return older.find(([, pattern]) => pattern.test(text))?.[0] ?? 'string';
}

/** Does the number, read and printed again, give the same text? `1.20`, `0755`, `-0` and `1e3` do not. */
function printsBack(text: string): boolean {
  if (/^(?:0|-?[1-9][0-9]{0,17})$/.test(text)) return true;
  return String(Number(text)) === text;
}

/** Ways of writing numbers that are no versions: octal (a file's mode), hexadecimal, `.5`, `1_000`. */
const numberForms = [/^0o?[0-7]+$/, /^0x[0-9a-fA-F]+$/, /^-?\.[0-9]+$/, /^-?[0-9]+(?:_[0-9]+)+$/];

/** May the number take the old one's place without quotes? It prints back, or is written the same special way. */
function numberAfter(text: string, old: string): boolean {
  return printsBack(text) || numberForms.some((form) => form.test(text) && form.test(old) && !printsBack(old));
}

/** May `text` stand where it is written without quotes, as far as syntax goes? */
function plainSyntax(text: string, flow: boolean): boolean {
  if (text === '' || text !== text.trim()) return false;
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001F\u007F-\u009F\u2028\u2029\uFEFF\uD800-\uDFFF]/u.test(text)) return false;
  if (/^[,[\]{}#&*!|>'"%@`]/.test(text) || /^[-?:](?:\s|$)|^:/.test(text) || /^(?:---|\.\.\.)/.test(text)) return false;
  if (/:(?:\s|$)|\s#/.test(text)) return false;
  return !flow || !(/[,[\]{}]/.test(text) || /^[-?:][,[\]{}]/.test(text));
}

/** What stands there now. */
export interface OldScalar {
  readonly style: 'plain' | 'single' | 'double';
  /** As written, without quotes. */
  readonly text: string;
  /** Inside `{}` or `[]`. */
  readonly flow: boolean;
  /** The value is meant for this very place, not for a version: a number stays one, however it is written. */
  readonly free?: boolean;
}

/** Quotes that the file prefers; used where a plain scalar must become quoted. */
export type Quote = 'single' | 'double';

/**
 * `value` as source text in the old scalar's style: quotes are kept; a plain scalar stays plain where the new value
 * reads back as the same string under YAML 1.1 and 1.2, or where both are booleans, or numbers that print back as
 * written (or are octal, hexadecimal … both, or `free`); else it is quoted by `quote`.
 */
export function formatScalar(value: string, old: OldScalar, quote: Quote): string {
  if (old.style === 'double') return quoted(value, 'double');
  if (old.style === 'single') return quoted(value, 'single');
  if (!plainSyntax(value, old.flow)) return quoted(value, quote);
  const type = olderType(value);
  if (type === 'string') return value;
  const same = olderType(old.text) === type && coreType(old.text) === coreType(value);
  const number = () => type === 'number' && (old.free === true || numberAfter(value, old.text));
  if (same && (type === 'boolean' || type === 'timestamp' || number())) return value;
  return quoted(value, quote);
}

/** `value` in quotes; double quotes where single ones cannot hold it. */
export function quoted(value: string, quote: Quote): string {
  // oxlint-disable-next-line no-control-regex
  const special = /[\u0000-\u001F\u007F-\u009F\u2028\u2029\uFEFF\uD800-\uDFFF]/u;
  if (quote === 'single' && !special.test(value)) return `'${value.replaceAll("'", "''")}'`;
  return JSON.stringify(value).replace(
    // oxlint-disable-next-line no-control-regex
    /[\u007F-\u009F\u2028\u2029\uFEFF]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Style of a scalar as parsed, or null for block scalars. */
export function styleOf(node: Scalar): OldScalar['style'] | null {
  switch (node.type) {
    case 'QUOTE_DOUBLE':
      return 'double';
    case 'QUOTE_SINGLE':
      return 'single';
    case 'PLAIN':
      return 'plain';
    default:
      return null;
  }
}

/** Is the token a flow collection? */
export function isFlow(token: unknown): boolean {
  return CST.isCollection(token as CST.Token) && (token as CST.Token).type === 'flow-collection';
}
