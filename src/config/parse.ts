import { LineCounter, isMap, isNode, isPair, isScalar, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { Fault, formatPlace, type Place } from '../fault.ts';
import type { Config } from './config.ts';
import { resolveConfig } from './resolve.ts';
import { checkRules } from './rules.ts';
import { AppSchema, EnvironmentSchema, SluiceYaml } from './schema.ts';
import { nearestName } from './nearest.ts';
import { findUnsupported } from './unsupported.ts';

/** One fault of the file. */
interface Finding {
  readonly place: Place;
  readonly message: string;
}

/**
 * Parses sluice.yaml. Fault `config_invalid` names all faults at once, each with file:line:column and a hint;
 * `not_supported` where the only faults are settings that no release supports yet.
 */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  if (document.errors.length > 0) {
    throw invalid(
      document.errors.map((error) => ({ place: at(error.pos[0]), message: `not valid YAML: ${error.message}` })),
    );
  }
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  const place = (path: readonly PropertyKey[], key = false) => at(offsetOf(document, path, key));
  const parsed = SluiceYaml.safeParse(value ?? {});
  if (!parsed.success) {
    const below = parsed.error.issues
      .filter((issue) => issue.code === 'invalid_key')
      .flatMap((issue) => issuesBelow(issue.path, document));
    throw invalid([...parsed.error.issues, ...below].flatMap((issue) => findings(issue, place)));
  }
  const broken = checkRules(parsed.data).map(({ path, message }) => ({
    place: place(path),
    message: `${pathText(path)}: ${message}`,
  }));
  const later = findUnsupported(value).map((path) => ({
    place: place(path),
    message: `${pathText(path)}: not supported yet`,
  }));
  if (broken.length > 0) throw invalid([...broken, ...later]);
  if (later.length > 0) throw invalid(later, 'not_supported');
  return resolveConfig(parsed.data, file);
}

function findings(issue: z.core.$ZodIssue, place: (path: readonly PropertyKey[], key?: boolean) => Place): Finding[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path);
    return issue.keys.map((key) => {
      const near = nearestName(key, known);
      const hint = near === undefined ? `known keys: ${known.join(', ')}` : `did you mean ${near}?`;
      return {
        place: place([...issue.path, key], true),
        message: `${pathText([...issue.path, key])}: unknown key; ${hint}`,
      };
    });
  }
  if (issue.code === 'invalid_union') {
    const inner = issue.errors
      .toSorted((a, b) => a.length - b.length)
      .flatMap((errors) => errors.filter((error) => error.path.length > 0 || error.code === 'unrecognized_keys'));
    if (inner.length > 0)
      return inner.flatMap((error) => findings({ ...error, path: [...issue.path, ...error.path] }, place));
  }
  if (issue.code === 'invalid_key') {
    const text = issue.issues.map((inner) => inner.message).join('; ');
    return [{ place: place(issue.path, true), message: `${pathText(issue.path)}: the name ${text}` }];
  }
  const missing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  const text = missing ? 'is missing' : issue.message.replace(/^Invalid input: /, '');
  return [{ place: place(issue.path), message: `${pathText(issue.path) || 'the file'}: ${text}` }];
}

/** zod stops at a bad key; what stands below it is checked all the same, so that all faults are named at once. */
function issuesBelow(path: readonly PropertyKey[], document: Document.Parsed): z.core.$ZodIssue[] {
  const node: unknown = document.getIn(path);
  const value: unknown = isNode(node) ? node.toJS(document) : node;
  const parsed = (path[0] === 'apps' ? AppSchema : EnvironmentSchema).safeParse(value ?? {});
  return parsed.success ? [] : parsed.error.issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] }));
}

/** The keys that the grammar knows at a place. */
function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let schema: unknown = SluiceYaml;
  for (const step of path) schema = stepInto(schema, step);
  const shape = shapeOf(schema);
  return shape === undefined ? [] : Object.keys(shape);
}

function stepInto(schema: unknown, step: PropertyKey): unknown {
  const inner = unwrap(schema);
  const shape = shapeOf(inner);
  if (shape !== undefined) return shape[String(step)];
  const definition = definitionOf(inner);
  return definition?.['valueType'] ?? definition?.['element'];
}

function unwrap(schema: unknown): unknown {
  const definition = definitionOf(schema);
  if (definition === undefined) return schema;
  if (definition['type'] === 'pipe') return unwrap(definition['in']);
  if (definition['type'] === 'union') return unwrap((definition['options'] as unknown[])[0]);
  return definition['innerType'] === undefined ? schema : unwrap(definition['innerType']);
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  return definitionOf(unwrap(schema))?.['shape'] as Record<string, unknown> | undefined;
}

function definitionOf(schema: unknown): Record<string, unknown> | undefined {
  return (schema as { def?: Record<string, unknown> } | undefined)?.def;
}

/** Where in the text a path stands; the nearest ancestor where it is missing. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[], key: boolean): number {
  for (let length = path.length; length > 0; length -= 1) {
    const steps = path.slice(0, length);
    const parent: unknown = length === 1 ? document.contents : document.getIn(steps.slice(0, -1), true);
    const last = steps.at(-1)!;
    if (isMap(parent)) {
      const pair = parent.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(last),
      );
      const node = pair && (key || length < path.length || !isNode(pair.value) ? pair.key : pair.value);
      const range = isNode(node) ? node.range : undefined;
      if (range) return range[0];
    } else {
      const node: unknown = document.getIn(steps, true);
      if (isNode(node) && node.range) return node.range[0];
    }
  }
  return document.contents?.range?.[0] ?? 0;
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index > 0 ? '.' : ''}${String(step)}`))
    .join('');
}

function invalid(found: readonly Finding[], code: 'config_invalid' | 'not_supported' = 'config_invalid'): Fault {
  const sorted = found.toSorted(
    (a, b) => (a.place.line ?? 0) - (b.place.line ?? 0) || (a.place.column ?? 0) - (b.place.column ?? 0),
  );
  return new Fault(code, sorted.map(({ place, message }) => `${formatPlace(place)}: ${message}`).join('\n'));
}
